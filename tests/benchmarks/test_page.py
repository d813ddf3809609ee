"""The page is measured in a browser, by a running service."""

import re

import pytest

from benchmarks import page
from benchmarks.__main__ import main


def test_the_page_is_seen_and_played(
    bundled: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if page.chromium() is None:
        pytest.skip(f"needs a browser: none of {', '.join(page.CHROMIUM)} is on the PATH")
    monkeypatch.setattr(page, "LOADS", 1)
    monkeypatch.setattr(page, "PLAYED", 1.0)
    assert main(["page", f"--url={bundled}"]) == 0
    said = capsys.readouterr().out
    (milliseconds,) = re.findall(r"([\d.]+) ms  ≤", said)
    (frames,) = re.findall(r"([\d.]+) / s  ≥", said)
    assert 10 < float(milliseconds) < 60_000
    assert 1 < float(frames) < 61
    assert "KB" in said
