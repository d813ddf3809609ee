"""A small service for the generators to load."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from tests.factories import publish_kind
from tests.serving import running


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    store = tmp_path_factory.mktemp("loaded") / "store"
    store.mkdir()
    publish_kind(store, "grey")
    with running(store) as client:
        yield client


@pytest.fixture(scope="session")
def bundled() -> Iterator[str]:
    """Where the smaller of the bundled models answers."""
    with running(models="mnist@1") as client:
        yield str(client.base_url)


@pytest.fixture
def address(service: httpx.Client) -> tuple[str, int]:
    parts = urlsplit(str(service.base_url))
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port
