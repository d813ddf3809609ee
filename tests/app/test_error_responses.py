"""Every domain error becomes a problem by the one table, and an unforeseen one tells nothing."""

import anyio
import httpx
import pytest

from app import errors
from app.error_responses import PROBLEMS
from app.logs import LINE, TextLines
from app.main import create_app
from app.settings import Settings
from tests.app.conftest import problem


def answer_to(error: Exception) -> httpx.Response:
    """What an application answers whose endpoint raises `error`."""
    app = create_app(Settings())

    async def fail() -> None:
        raise error

    app.add_api_route("/fail", fail)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get("/fail")

    return anyio.run(ask)


def every_error() -> set[type[errors.LatentdError]]:
    return set(errors.LatentdError.__subclasses__())


def test_the_table_has_every_error_and_no_other() -> None:
    assert set(PROBLEMS) == every_error()


@pytest.mark.parametrize("kind", sorted(PROBLEMS, key=str))
def test_an_error_is_answered_by_its_row(kind: type[errors.LatentdError]) -> None:
    error = kind("what", 2.5) if kind is errors.Overloaded else kind("what")
    answer = answer_to(error)
    assert problem(answer, PROBLEMS[kind].status) == "what"
    assert answer.json()["title"] == PROBLEMS[kind].title


def test_a_refusal_for_load_says_when_to_come_back() -> None:
    assert answer_to(errors.Overloaded("full", 2.5)).headers["Retry-After"] == "3"
    assert answer_to(errors.Overloaded("full", 0.001)).headers["Retry-After"] == "1"


def test_an_unforeseen_error_tells_its_id_and_nothing_of_itself() -> None:
    answer = answer_to(RuntimeError("secret"))
    assert "log" in problem(answer, 500)
    assert "secret" not in answer.text


@pytest.mark.parametrize("kind", [errors.DeviceFailed, errors.DeviceLost])
def test_what_a_device_said_is_one_line_of_the_log_and_no_answer(
    kind: type[errors.LatentdError], caplog: pytest.LogCaptureFixture
) -> None:
    error = kind("the model could not decode these rows")
    error.__cause__ = RuntimeError("CUDA error: secret\nCompile with `TORCH_USE_CUDA_DSA`\n")
    answer = answer_to(error)
    assert "secret" not in answer.text
    (record,) = (record for record in caplog.records if record.name == "latentd")
    line = TextLines(LINE).format(record)
    assert "secret" in line
    assert "\n" not in line
    assert answer.json()["request_id"] in line
