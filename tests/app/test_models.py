"""`/models`: what is published and what is loaded."""

import shutil
from pathlib import Path

import httpx

from tests.app.conftest import problem
from tests.factories import publish_kind
from tests.serving import running


def test_the_list_has_every_version_and_the_default(client: httpx.Client) -> None:
    body = client.get("/models").json()
    assert body["default"] == "grey@1"
    assert [card["id"] for card in body["models"]] == [
        "bent@1",
        "colour@1",
        "grey@1",
        "grey@2",
        "rows@1",
    ]
    assert all(card["loaded"] for card in body["models"])


def test_a_model_shows_its_manifest_and_how_it_runs(client: httpx.Client) -> None:
    card = client.get("/models/colour").json()
    assert card["id"] == "colour@1"
    assert card["data"]["shape"] == [3, 8, 8]
    assert card["latent_shape"] == [2, 4, 4]
    assert len(card["file"]["sha256"]) == 64
    assert "probe" not in card
    assert card["running"]["device"] == "cpu"
    assert card["running"]["reproducible"] == "bit-exact"
    assert max(card["running"]["batch_sizes"]["decode"]) <= 64


def test_a_model_of_a_table_shows_the_names_of_its_columns(client: httpx.Client) -> None:
    assert client.get("/models/rows").json()["data"]["columns"] == [*"abcdef"]
    cards = {card["id"]: card for card in client.get("/models").json()["models"]}
    assert cards["rows@1"]["data"]["columns"] == [*"abcdef"]
    assert "columns" not in cards["grey@1"]["data"]


def test_an_unknown_model_is_404(client: httpx.Client) -> None:
    assert "served: grey@1" in problem(client.get("/models/nothing"), 404)


def test_what_is_published_but_not_loaded_says_so(tight_client: httpx.Client) -> None:
    cards = {card["id"]: card["loaded"] for card in tight_client.get("/models").json()["models"]}
    assert cards == {
        "bent@1": False,
        "colour@1": False,
        "grey@1": True,
        "grey@2": False,
        "rows@1": True,
    }
    assert "LATENTD_MODELS" in problem(tight_client.get("/models/colour/sample"), 404)


def test_without_a_choice_the_latest_of_each_is_served_and_mnist_comes_first(
    tmp_path: Path,
) -> None:
    store = tmp_path / "store"
    store.mkdir()
    publish_kind(store, "rows", name="abacus")
    publish_kind(store, "grey", name="mnist")
    publish_kind(store, "grey", name="mnist", seed=1)
    with running(store) as client:
        assert client.get("/health/ready").json()["models"] == ["mnist@2", "abacus@1"]
        # A manifest that goes bad later hides no other.
        (store / "mnist" / "1" / "manifest.json").write_text("{}")
        cards = {card["id"]: card for card in client.get("/models").json()["models"]}
        assert cards["mnist@2"]["loaded"]
        assert "error" in cards["mnist@1"]
        # What is loaded keeps answering, whatever happens to its folder.
        shutil.rmtree(store / "mnist")
        assert client.get("/sample").status_code == 200
