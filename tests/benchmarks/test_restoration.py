"""The restoration that is measured is the running service's, and is drawn."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.__main__ import main
from tests.benchmarks.test_training_speed import squares

__all__ = ["squares"]


def test_both_answers_are_measured_and_drawn(
    squares: Path, bundled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [f"--data={squares}", f"--url={bundled}", "--count=2"]
    assert main(["restoration", *words, f"--image={tmp_path / 'seen.png'}"]) == 0
    errors = [float(word) for word in re.findall(r" (0\.\d{4}) ", capsys.readouterr().out)]
    assert len(errors) >= 4
    assert all(0 < error < 1 for error in errors)
    lines = np.asarray(Image.open(tmp_path / "seen.png")).reshape(8, 56, 2 * 56)
    assert len(np.unique(lines.reshape(8, -1), axis=0)) == 7  # the images are drawn twice
