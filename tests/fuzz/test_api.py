"""The OpenAPI document and the service agree, whatever is asked."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.factories import KINDS, publish_kind
from tests.fuzz.api import LIMITS, ask_all
from tests.serving import running


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    store = tmp_path_factory.mktemp("asked") / "store"
    store.mkdir()
    for kind in KINDS:
        publish_kind(store, kind)
    with running(store, models="grey,bent,colour,rows", **LIMITS) as client:
        yield client


def test_every_answer_is_what_the_document_says(client: httpx.Client, tmp_path: Path) -> None:
    options = ["--phases=examples,fuzzing,stateful", "--max-examples=5", "--seed=1"]
    status, said = ask_all(client, tmp_path, *options, "--generation-deterministic")
    assert status == 0, said
    assert "No issues found" in said, said


@pytest.mark.slow
def test_the_same_at_the_edges_of_every_parameter(client: httpx.Client, tmp_path: Path) -> None:
    status, said = ask_all(client, tmp_path, "--phases=coverage", "--max-examples=20", "--seed=1")
    assert status == 0, said
