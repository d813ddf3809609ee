"""What all tests share: one thread for torch, and the real MNIST where it is there."""

from pathlib import Path

import pytest
import torch

MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    # Several OpenMP threads on few cores wait for each other more than they work.
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """The folder of MNIST's four IDX files; the test is skipped, saying so, where it is absent."""
    if not MNIST.is_dir():
        pytest.skip("needs MNIST's IDX files in ../shared/data/mnist beside the checkout")
    return MNIST
