import os
import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from model_store import (
    IllegalName,
    ModelId,
    ModelNotFound,
    StoreNotWritable,
    VersionTaken,
    find,
    load,
    publish,
    published,
    remove,
)
from tests.factories import KINDS, eager, publish_kind
from tests.model_store.tiny import Tiny, publish_tiny, scripted, tiny_draft, tiny_probe


def test_a_full_disk_is_told_and_leaves_nothing_in_the_store(store: Path) -> None:
    module = Tiny().eval()
    file, draft = scripted(module, store.parent), tiny_draft(probe=tiny_probe(module))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(StoreNotWritable, match=r"File too large.*free space"):
            publish(draft, file, store)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list(store.iterdir()) == []
    assert publish(draft, file, store) == ModelId("tiny", 1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_model_answers_as_the_eager_one(store: Path, kind: str) -> None:
    module = eager(kind)
    checkpoint = load(store, publish_kind(store, kind))
    x = torch.rand(5, *KINDS[kind].data.shape)
    z = torch.randn(5, *KINDS[kind].latent_shape)
    with torch.no_grad():
        expected = (*module.encode(x), module.decode(z))  # type: ignore[operator] # its own methods
    found = (*checkpoint.encode(x), checkpoint.decode(z))
    for want, got in zip(expected, found, strict=True):
        torch.testing.assert_close(got, want)
    assert checkpoint.device == torch.device("cpu")
    for capability in ("log_likelihood", "prior", "prior_log_density", "level_probabilities"):
        has_it = getattr(checkpoint, capability) is not None
        assert has_it == (capability in KINDS[kind].capabilities), capability


def test_versions_count_from_one(store: Path) -> None:
    assert [publish_tiny(store).version for _ in range(3)] == [1, 2, 3]
    assert publish_tiny(store, "other") == ModelId("other", 1)


def test_an_explicit_version_may_leave_a_gap_and_the_next_goes_on_after_it(store: Path) -> None:
    assert publish_tiny(store, version=7) == ModelId("tiny", 7)
    assert publish_tiny(store) == ModelId("tiny", 8)


def test_a_version_is_written_once(store: Path) -> None:
    publish_tiny(store)
    before = (store / "tiny" / "1" / "model.ts").read_bytes()
    with pytest.raises(VersionTaken, match="next free one is tiny@2"):
        publish_tiny(store, version=1)
    assert (store / "tiny" / "1" / "model.ts").read_bytes() == before
    assert [entry.name for entry in store.iterdir()] == ["tiny"]


def test_a_removed_version_is_gone_and_its_number_stays_taken(store: Path) -> None:
    model = publish_tiny(store)
    remove(store, model)
    assert published(store) == []
    assert not (store / "tiny" / "1" / "model.ts").exists()
    with pytest.raises(ModelNotFound, match="tiny@1 was removed"):
        find(store, "tiny@1")
    with pytest.raises(ModelNotFound):
        remove(store, model)
    with pytest.raises(VersionTaken):
        publish_tiny(store, version=1)
    assert publish_tiny(store) == ModelId("tiny", 2)


@pytest.mark.parametrize("version", [0, -1, 10**9])
def test_a_number_that_is_no_version_is_refused(store: Path, version: int) -> None:
    with pytest.raises(IllegalName, match="between 1 and"):
        publish_tiny(store, version=version)


def test_an_illegal_name_is_refused_before_anything_is_written(store: Path) -> None:
    with pytest.raises(IllegalName):
        publish_tiny(store, "../outside")
    assert list(store.iterdir()) == []


def test_a_failed_publish_leaves_the_versions_that_were_there(store: Path) -> None:
    model = publish_tiny(store)
    broken = store.parent / "broken.ts"
    broken.write_bytes(b"not an archive")
    with pytest.raises(Exception, match="archive check"):
        publish(tiny_draft(), broken, store)
    assert published(store) == [model]
    assert [entry.name for entry in store.iterdir()] == ["tiny"]


def test_a_missing_store_is_named_with_the_remedy(tmp_path: Path) -> None:
    store = tmp_path / "nowhere"
    with pytest.raises(StoreNotWritable, match=f"mkdir -p {store}"):
        publish_tiny(store)
    assert not store.exists()


def test_a_store_below_a_file_is_not_writable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    module = Tiny().eval()
    with pytest.raises(StoreNotWritable, match="LATENTD_STORE"):
        publish(tiny_draft(), scripted(module, tmp_path), tmp_path / "file" / "store")


@pytest.fixture
def read_only_store() -> Iterator[Path]:
    """A store that this process may read but not write; root gives up its rights meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        store.mkdir()
        publish_tiny(store)
        Path(folder).chmod(0o755)
        for path in (store, store / "tiny", store / "tiny" / "1"):
            path.chmod(0o555)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield store
        finally:
            os.seteuid(user)
            for path in (store, store / "tiny", store / "tiny" / "1"):
                path.chmod(0o755)


def test_a_read_only_store_is_named_with_the_remedy(read_only_store: Path) -> None:
    file = read_only_store.parent / "Tiny.ts"
    with pytest.raises(StoreNotWritable, match="mount it writable"):
        publish(tiny_draft(), file, read_only_store)
    with pytest.raises(StoreNotWritable, match=str(read_only_store)):
        remove(read_only_store, ModelId("tiny", 1))


def test_a_read_only_store_can_be_read(read_only_store: Path) -> None:
    assert load(read_only_store, find(read_only_store, "tiny")).manifest.name == "tiny"


def test_a_missing_file_is_reported_as_itself(store: Path) -> None:
    draft = tiny_draft(probe=tiny_probe(Tiny().eval()))
    with pytest.raises(FileNotFoundError, match=r"nowhere\.ts"):
        publish(draft, store.parent / "nowhere.ts", store)
    assert list(store.iterdir()) == []
