"""The recipes that take less than a minute reach their figures; run by `make test-slow`."""

import time
from pathlib import Path

import pytest

from training.recipes import RECIPES
from training.run import run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def reached(name: str, *words: str) -> bool:
    figures = {figure.name: figure.value for figure in run(name, words).figures}
    return all(figures[target.figure] <= target.at_most for target in RECIPES[name].targets)


@pytest.mark.parametrize("name", ["digits", "vectors"])
def test_an_embedded_recipe_reaches_its_figures(name: str, tmp_path: Path) -> None:
    assert reached(name, "publish=false", f"out={tmp_path}")


def test_mnist_quick_reaches_its_figures_within_a_minute_of_cpu(
    mnist_folder: Path, tmp_path: Path
) -> None:
    began = time.process_time()
    assert reached("mnist_quick", "publish=false", f"out={tmp_path}", f"data={mnist_folder}")
    # CPU seconds of one thread, so that a busy machine does not fail it.
    assert time.process_time() - began < 60
