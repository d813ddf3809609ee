"""A service that is sent nearly good bodies takes or refuses them, and answers the next request."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.factories import publish_kind
from tests.fuzz.uploads import send, uploads
from tests.serving import running


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    store: Path = tmp_path_factory.mktemp("uploads") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    with running(store) as client:
        yield client


def test_of_every_kind_something_is_taken(client: httpx.Client) -> None:
    for kind in uploads(client):
        sent = [
            client.post(kind.path, content=body, headers={"Content-Type": kind.media_type})
            for body in kind.bodies
        ]
        assert any(answer.status_code == 200 for answer in sent), (kind.path, sent[0].text)


def test_what_is_nearly_good_is_taken_or_refused(client: httpx.Client) -> None:
    statuses = send(client, 400, seed=1)
    assert len(statuses) == 400
    assert {200, 400, 422} <= {*statuses}
