"""What the log's lines are: text or JSON, and one a request where that is wanted."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from app.logs import LINE, JsonLines, TextLines, log_request, logs_requests, set_up
from app.settings import Settings
from tests.app.processes import service
from tests.factories import publish_kind


@pytest.fixture
def store(tmp_path: Path) -> Path:
    store = tmp_path / "store"
    store.mkdir()
    publish_kind(store, "grey")
    return store


@pytest.fixture
def _logging_as_it_was() -> Any:  # noqa: ANN401 - a generator
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(level)


def written(capsys: pytest.CaptureFixture[str], **settings: Any) -> str:  # noqa: ANN401
    set_up(Settings(**settings))
    if logs_requests():
        log_request("GET", "/sample", 200, 0.00314159, "id-1", "grey@1")
        log_request("GET", "unknown", 404, 0.0001, "id-2")
    return capsys.readouterr().err


@pytest.mark.usefixtures("_logging_as_it_was")
def test_requests_are_logged_where_wanted_whatever_the_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert not written(capsys, log_level="debug")
    first, second = written(capsys, access_log=True, log_level="error").splitlines()
    assert first.endswith("INFO GET /sample 200 3.1 ms id-1 grey@1")
    assert second.endswith("INFO GET unknown 404 0.1 ms id-2")


@pytest.mark.usefixtures("_logging_as_it_was")
def test_a_logged_request_is_an_object_with_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    first, second = map(
        json.loads, written(capsys, access_log=True, log_format="json").split("\n")[:2]
    )
    assert first["level"] == "info"
    assert {name: first[name] for name in ("method", "route", "status", "seconds")} == {
        "method": "GET",
        "route": "/sample",
        "status": 200,
        "seconds": 0.003142,
    }
    assert (first["request_id"], first["model"]) == ("id-1", "grey@1")
    assert "model" not in second


def test_a_line_is_one_line_whatever_is_logged() -> None:
    try:
        raise ValueError("two\nlines")
    except ValueError as error:
        failure = (type(error), error, error.__traceback__)
    name = b"\xff.ts".decode(errors="surrogateescape")
    record = logging.LogRecord("latentd", logging.ERROR, "", 0, "%s\n☂", (name,), failure)
    line = JsonLines().format(record)
    assert "\n" not in line
    content = json.loads(line)
    assert content["message"] == "\\udcff.ts\n☂"
    assert content["time"].endswith("+00:00")
    assert "ValueError: two\nlines" in content["exception"]


# Whatever a line's reader may take for its end, or a terminal for a command.
CONTROLS = [*range(0x20), 0x7F, *range(0x80, 0xA0), 0x2028, 0x2029, 0xDC0A]


@pytest.mark.parametrize("code", CONTROLS)
def test_nothing_that_is_logged_begins_another_line(code: int) -> None:
    forged = f"GET /nowhere{chr(code)}2026-01-01 00:00:00,000 ERROR forged"
    try:
        raise ValueError(forged)
    except ValueError as error:
        failure = (type(error), error, error.__traceback__)
    text = TextLines(LINE)
    plain = logging.LogRecord("latentd", logging.ERROR, "", 0, "%s", (forged,), None)
    assert len(text.format(plain).splitlines()) == 1
    assert all(each.isprintable() or each == "\t" for each in text.format(plain))
    text.format(plain).encode()
    whole = logging.LogRecord("latentd", logging.ERROR, "", 0, "%s", (forged,), failure)
    _, *traceback = text.format(whole).splitlines()
    assert "ValueError" in "".join(traceback)
    # The lines of a traceback are told from those of the log by where they begin.
    assert all(line.startswith("  ") for line in traceback)
    assert "\n" not in JsonLines().format(whole)


def test_every_line_of_a_service_is_an_object(store: Path) -> None:
    with service(store, log_format="json", devce="cpu") as running:
        assert running.get("/sample?n=0").status_code == 422
        running.process.terminate()
        assert running.end() == 0
    lines = [json.loads(line) for line in running.lines]
    assert {"warning", "info"} == {line["level"] for line in lines}
    assert all({"time", "level", "process", "message"} <= line.keys() for line in lines)
