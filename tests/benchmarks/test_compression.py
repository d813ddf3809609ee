"""The compression that is measured is the running service's, beside that of other formats."""

import re
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from tests.benchmarks.test_training_speed import squares
from tests.serving import running

__all__ = ["squares"]


def test_every_way_is_measured_and_nothing_is_lost(
    squares: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(models="mnist@1") as client:
        words = [f"--data={squares}", f"--url={client.base_url}", "--count=20"]
        assert main(["compression", *words]) == 0
    said = capsys.readouterr().out
    bits = [float(number) for number in re.findall(r"(\d\.\d{4}) bits a pixel", said)]
    assert len(bits) == 8
    assert all(0 < number < 9 for number in bits)
