"""A service that is sent what no library sends answers on, and keeps nothing of it."""

from pathlib import Path

import pytest

from tests.app.processes import service
from tests.factories import publish_kind
from tests.fuzz.wire_grammar import draw_script
from tests.fuzz.wire_player import play

SETTINGS = {"access_log": True, "max_body_bytes": 100_000, "cache_bytes": 0}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("wire") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    return store


def test_scripts_of_a_number_are_alike_and_of_every_kind() -> None:
    scripts = [draw_script(number) for number in range(400)]
    assert scripts == [draw_script(number) for number in range(400)]
    assert {script.good for script in scripts} == {True, False}
    assert sum(len(script.requests) > 1 for script in scripts) > 40


def test_a_service_is_as_before_after_what_no_library_sends(store: Path) -> None:
    with service(store, **SETTINGS) as running:
        play(running, range(200))
