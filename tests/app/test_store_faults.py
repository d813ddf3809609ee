"""A store of which parts cannot be read, or hold a program: what the service says, and serves."""

import json
import signal
from pathlib import Path

import httpx
import pytest

from model_store import ModelId
from tests.app.processes import children, runs, service, until
from tests.factories import publish_kind
from tests.model_store.hostile import HangsForEver, plant
from tests.model_store.tiny import rewrite
from tests.serving import READY, refusal, running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """grey@1, and what the test adds."""
    folder = tmp_path / "store"
    folder.mkdir()
    publish_kind(folder, "grey")
    return folder


def cards(client: httpx.Client) -> dict[str, dict[str, object]]:
    return {card["id"]: card for card in client.get("/models").json()["models"]}


def test_what_cannot_be_read_is_a_line_and_a_card_and_hides_no_other(
    store: Path, tmp_path: Path
) -> None:
    publish_kind(store, "rows")
    publish_kind(store, "colour")
    (store / "rows").rename(tmp_path / "moved")
    (store / "rows").symlink_to(tmp_path / "moved")
    manifest = store / "colour" / "1" / "manifest.json"
    manifest.unlink()
    manifest.mkdir()
    with service(store) as running:
        running.said(READY.pattern)
        with httpx.Client(base_url=running.url) as client:
            found = cards(client)
            text = client.get("/models").text
        assert len([line for line in running.lines if "cannot be read" in line]) == 2, running.log
    assert found["grey@1"]["loaded"]
    assert "rows is a symbolic link" in str(found["rows"]["error"])
    assert "manifest.json is no regular file" in str(found["colour@1"]["error"])
    assert str(tmp_path) not in text


@pytest.mark.parametrize("said", ["digest", "limits"])
def test_a_model_that_fails_a_check_is_left_out_unless_it_was_asked_for(
    store: Path, said: str
) -> None:
    model = publish_kind(store, "rows") if said == "digest" else plant(store, HangsForEver())
    if said == "digest":
        file = store / "rows" / "1" / "model.ts"
        file.write_bytes(file.read_bytes()[:-1] + b"\1")
    with running(store, verify_timeout_s=3) as client:
        card = cards(client)[str(model)]
        assert not card["loaded"]
        assert f"rejected by the {said} check" in str(card["error"])
        assert client.get("/health/ready").json()["models"] == ["grey@1"]
        text = client.get("/models").text
        assert str(store) not in text
    asked = refusal(store, verify_timeout_s=3, models=f"grey,{model.name}")
    assert f"rejected by the {said} check" in asked


def test_a_default_model_that_fails_a_check_stops_the_start(store: Path) -> None:
    publish_kind(store, "rows", name="zebra")
    rewrite(store, ModelId("grey", 1), lambda content: content[:-1])
    said = refusal(store)
    assert "cannot start: grey@1 is rejected by the archive check" in said


def test_no_card_names_a_place_of_the_machine(store: Path, tmp_path: Path) -> None:
    for number in range(2, 8):
        publish_kind(store, "grey", seed=number)
    folders = {number: store / "grey" / str(number) for number in range(2, 8)}
    with running(store, models="grey@1") as client:
        (folders[2] / "manifest.json").write_text("{")
        (folders[3] / "manifest.json").write_text(json.dumps({"format": "x"}))
        (folders[4] / "manifest.json").unlink()
        (folders[4] / "manifest.json").symlink_to(tmp_path / "nowhere")
        (folders[5] / "manifest.json").write_bytes(b"\xff" * 100)
        folders[6].rename(tmp_path / "six")
        folders[6].symlink_to(tmp_path / "six")
        answer = client.get("/models")
        assert answer.status_code == 200
        found = cards(client)
        assert [name for name, card in found.items() if "error" in card] == [
            f"grey@{number}" for number in range(2, 7)
        ]
        assert str(tmp_path) not in answer.text
        assert "\\n" not in answer.text
        store.rename(tmp_path / "gone")
        assert [*cards(client)] == ["grey@1"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_while_a_model_is_verified_ends_both_processes(
    store: Path, signum: signal.Signals
) -> None:
    plant(store, HangsForEver())
    with service(store, verify_timeout_s=600) as starting:

        def verifying() -> set[int]:
            return {fork for child in children(starting.process.pid) for fork in children(child)}

        forks = until(verifying, lambda: starting.log, 60)
        starting.process.send_signal(signum)
        starting.process.wait(20)
        until(lambda: not any(map(runs, forks)), lambda: f"{forks} still run")
