"""What all tests share: one thread for torch, inputs that are drawn alike in every run, and the
real MNIST where it is there.
"""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from hypothesis import configuration, settings

MNIST = Path(__file__).parents[2] / "shared" / "data" / "mnist"

# The same inputs in every run, and nothing of it left in the checkout; `python -m tests.fuzz` draws
# others.
configuration.set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "latentd-hypothesis")
settings.register_profile(
    "suite", derandomize=True, deadline=None, max_examples=60, database=None, print_blob=False
)
settings.register_profile("search", deadline=None, max_examples=20_000, database=None)
settings.load_profile("suite")


# A shell's background job ignores Ctrl-C, and so would every process that is started here.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests together that share what is dear to make, where several run at a time: a module's
    services, and the browser and the service of all tests of the page.
    """
    for item in items:
        package = item.path.parent
        shared = package if package.name == "explorer" else item.path
        item.add_marker(pytest.mark.xdist_group(str(shared)))


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


@pytest.fixture(scope="session", autouse=True)
def _receipts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Receipts of what was verified are kept apart from the user's, for all processes of a run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTD_RECEIPTS", str(tmp_path_factory.mktemp("cache") / "receipts"))
        yield
