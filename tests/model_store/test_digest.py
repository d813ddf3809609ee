import zipfile
from pathlib import Path

import pytest

from model_store import CheckpointRejected, load
from tests.model_store.tiny import publish_tiny


def test_a_flipped_bit_anywhere_in_the_file_is_found(store: Path) -> None:
    model = publish_tiny(store)
    file = store / "tiny" / "1" / "model.ts"
    sound = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        headers = [entry.header_offset for entry in archive.infolist()]
        directory = archive.start_dir
    regions = [*headers, *(offset + 64 for offset in headers), directory, len(sound) - 1]
    for offset in regions:
        flipped = bytearray(sound)
        flipped[offset] ^= 1
        file.write_bytes(flipped)
        with pytest.raises(CheckpointRejected, match="the manifest says") as caught:
            load(store, model)
        assert caught.value.check == "digest"
    file.write_bytes(sound)
    load(store, model)


@pytest.mark.parametrize("size", [-1, 1])
def test_a_file_that_is_too_long_or_too_short_is_named_with_both_sizes(
    store: Path, size: int
) -> None:
    model = publish_tiny(store)
    file = store / "tiny" / "1" / "model.ts"
    sound = file.read_bytes()
    file.write_bytes((sound + b"\0")[: len(sound) + size])
    with pytest.raises(CheckpointRejected, match=f"has {len(sound) + size} bytes.*{len(sound)}"):
        load(store, model)


def test_a_missing_file_is_a_failed_digest(store: Path) -> None:
    model = publish_tiny(store)
    (store / "tiny" / "1" / "model.ts").unlink()
    with pytest.raises(CheckpointRejected, match=r"tiny@1 .*digest check: model\.ts is missing"):
        load(store, model)
