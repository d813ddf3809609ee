"""A manifest is read as it was written; a changed one is refused, or says the same of itself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model_store import CheckpointRejected, Manifest, ModelId, read_manifest
from tests.factories import publish_kind

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
junk = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
reused = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ModelId, str]:
    """A store, its one model, and the text of its manifest."""
    store = tmp_path_factory.mktemp("manifests") / "store"
    store.mkdir()
    model = publish_kind(store, "rows")
    return store, model, (store / model.name / str(model.version) / "manifest.json").read_text()


def places(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:  # noqa: ANN401
    """Where in a JSON document something stands, long numbers of the probe left out."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    for name, part in inner:
        yield (*place, name)
        if isinstance(part, dict | list) and len(part) < 50:
            yield from places(part, (*place, name))


def read(published: tuple[Path, ModelId, str], text: str | bytes) -> Manifest:
    store, model, _ = published
    file = store / model.name / str(model.version) / "manifest.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_manifest(store, model)


def check_refused_or_same(published: tuple[Path, ModelId, str], text: bytes) -> None:
    """That the text is rejected in one line, or that what it was read as is written and read so."""
    manifest, refusal = None, None
    try:
        manifest = read(published, text)
    except CheckpointRejected as error:
        refusal = error
    if manifest is not None:
        assert read(published, manifest.as_json()) == manifest
    else:
        assert refusal is not None
        assert refusal.check == "manifest"
        assert "\n" not in str(refusal)


def test_a_manifest_is_read_as_it_was_written(published: tuple[Path, ModelId, str]) -> None:
    manifest = read(published, published[2])
    assert manifest.as_json() == published[2]
    assert read(published, manifest.as_json()) == manifest


@reused
@given(data=st.data())
def test_a_changed_manifest_is_refused_or_says_the_same(
    published: tuple[Path, ModelId, str], data: st.DataObject
) -> None:
    document = json.loads(published[2])
    *way, last = data.draw(st.sampled_from([*places(document)]))
    inner = document
    for name in way:
        inner = inner[name]
    if data.draw(st.booleans()):
        inner[last] = data.draw(junk)
    else:
        del inner[last]
    check_refused_or_same(published, json.dumps(document).encode())


@reused
@given(noise=st.binary(max_size=200), start=st.integers(0, 3000))
def test_bytes_that_are_no_manifest_are_refused(
    published: tuple[Path, ModelId, str], noise: bytes, start: int
) -> None:
    text = published[2].encode()
    check_refused_or_same(published, text[:start] + noise + text[start + len(noise) :])
