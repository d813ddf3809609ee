"""The compression that is measured is the running service's, beside that of other formats."""

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from tests.benchmarks.test_training_speed import squares

__all__ = ["squares"]


def test_every_way_is_measured_and_nothing_is_lost(
    squares: Path, bundled: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compression", f"--data={squares}", f"--url={bundled}", "--count=20"]) == 0
    said = capsys.readouterr().out
    bits = [float(number) for number in re.findall(r"(\d\.\d{4}) bits a pixel", said)]
    assert len(bits) == 8
    assert all(0 < number < 9 for number in bits)
