"""The tables of a small results file."""

import json
from pathlib import Path

import pytest

from benchmarks import __main__ as commands
from benchmarks.report import markdown, read, summary

FACTS = {
    "when": "2030-01-01 12:00",
    "commit": "abc1234",
    "processor": "A Processor",
    "cores": 2,
    "system": "Linux 6",
    "python": "3.11.7",
    "versions": {"latentd": {"torch": "2.13.0"}},
}


def row(peer: str, batch: int, rate: float, repeat: int = 0, connections: int = 64) -> object:
    return {
        "repeat": repeat,
        "workload": "decode",
        "peer": peer,
        "processes": 2,
        "batch": batch,
        "connections": connections,
        "rate": rate,
        "p50_ms": 1.5,
        "p99_ms": 12.25,
        "cpu_ms": 0.125,
        "peak_mib": 300 + connections,
        "start_seconds": 2.5,
        "statuses": {"200": 5, "503": 1} if peer == "litserve" else {"200": 5},
        "errors": {},
        "other_cores": 0.3 if peer == "litserve" else 0.0,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [
        {"facts": FACTS},
        {"workload": "decode", "processes": 2, "ceiling": 123456},
        *[row("latentd", 64, rate, repeat) for repeat, rate in enumerate((9000, 3000, 6000))],
        *[row("mosec", 64, rate, repeat) for repeat, rate in enumerate((3000, 1000, 1000))],
        *[row("mosec", 1, 500, repeat) for repeat in range(3)],
        row("latentd", 64, 1000, connections=1),
        row("litserve", 1, 1200),
        {"repeat": 0, "workload": "walk", "peer": "mosec", "processes": 2, "failed": "it fell"},
    ]
    path = tmp_path / "results.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_table_has_medians_ratios_and_what_went_wrong(file: Path) -> None:
    table = markdown(read([file]))
    assert "| latentd | 2 | 1,000 | 6,000 | 1.5 | 12.2 | 0.125 | 364 | 2.5 | 1.00 |" in table
    # The faster of its variants; 9000/3000, 3000/1000 and 6000/1000 of the same repeats.
    assert "| mosec | 2 | – | 1,000 | 1.5 | 12.2 | 0.125 | 364 | 2.5 | 3.00 |" in table
    assert "| litserve, unbatched (1 errors) | 2 | – | 1,200 |" in table
    assert "torch alone, full batches, processes: 2: 123,456 rows/s." in table
    assert "mosec, 2 processes, walk: failed, it fell" in table
    assert "Other programs disturbed 1 of 11 rows." in table
    assert "commit abc1234, A Processor, 2 cores" in table


def test_the_summary_has_a_line_a_workload(file: Path) -> None:
    lines = summary(read([file])).splitlines()
    assert lines[0] == "| requests/s (p99 ms) | latentd | mosec | litserve |"
    assert lines[2] == "| a latent (JSON) to a PNG | 6,000 (12.2) | 1,000 (12.2) | 1,200 (12.2) |"


def test_the_command_draws_and_rewrites_the_block(
    file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- benchmarks -->\nold\n<!-- /benchmarks -->\nafter\n")
    monkeypatch.setattr(commands, "README", readme)
    image = tmp_path / "images" / "plot.png"
    assert commands.main(["report", str(file), "--image", str(image), "--readme"]) == 0
    assert "### decode" in capsys.readouterr().out
    assert image.read_bytes().startswith(b"\x89PNG")
    text = readme.read_text()
    assert text.startswith("before\n<!-- benchmarks -->\n| requests/s")
    assert text.endswith("<!-- /benchmarks -->\nafter\n")
    assert "old" not in text
