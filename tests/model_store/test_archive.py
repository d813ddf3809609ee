"""Archives that were tampered with by somebody who could also rewrite the manifest's digest."""

import io
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from model_store import CheckpointRejected, load
from tests.model_store.tiny import publish_tiny, rewrite

Entries = dict[str, bytes]


def rezipped(change: Callable[[Entries], Entries]) -> Callable[[bytes], bytes]:
    """The change of an archive's bytes that changes its entries and keeps it a sound zip."""

    def apply(content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = {name: archive.read(name) for name in archive.namelist()}
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            for name, data in change(entries).items():
                method = zipfile.ZIP_DEFLATED if len(data) > 1 << 20 else zipfile.ZIP_STORED
                archive.writestr(name, data, method)
        return target.getvalue()

    return apply


def without(ending: str) -> Callable[[Entries], Entries]:
    return lambda entries: {k: v for k, v in entries.items() if not k.endswith(ending)}


def replaced(ending: str, old: bytes, new: bytes) -> Callable[[Entries], Entries]:
    def change(entries: Entries) -> Entries:
        name = next(name for name in entries if name.endswith(ending))
        assert old in entries[name]
        return entries | {name: entries[name].replace(old, new, 1)}

    return change


def added(name: str, data: bytes) -> Callable[[Entries], Entries]:
    return lambda entries: entries | {name: data}


def shortened(entries: Entries) -> Entries:
    return entries | {"Tiny/data/0": entries["Tiny/data/0"][:8]}


def with_a_method(name: str) -> Callable[[Entries], Entries]:
    code = f"class Trap(Module):\n  def {name}(self, state: int) -> None:\n    return None\n"
    return added("Tiny/code/__torch__/trap.py", code.encode())


ENTRIES: dict[str, tuple[Callable[[Entries], Entries], str]] = {
    "no pickle of the module": (without("/data.pkl"), "data.pkl is missing"),
    "no code": (without(".py"), "code/.*is missing"),
    "no version": (without("/version"), "version is missing"),
    "code that runs at loading": (with_a_method("__setstate__"), "__setstate__"),
    "code that runs at saving": (with_a_method("__getstate__"), "__getstate__"),
    "a path out of the archive": (added("Tiny/../../escape", b""), "none that torch.jit.save"),
    "an absolute path": (added("/etc/escape", b""), "none that torch.jit.save"),
    "a bomb": (added("Tiny/data/999", bytes(65 << 20)), "unpack to"),
    "a record shorter than its tensor": (shortened, "record data/0 has 8 bytes .* needs 64"),
    "a missing record": (without("/data/0"), "record data/0 has 0 bytes"),
    # The first tensor is [4, 4]: K is a pickled byte, t closes the tuple of sizes.
    "a tensor larger than its storage": (
        replaced("/data.pkl", b"(K\x04K\x04t", b"(K\x04K\x7ft"),
        "does not fit its storage",
    ),
    "a class that torch must not build": (
        replaced("/data.pkl", b"c__torch__.", b"c__torch__.torch.classes."),
        "names __torch__.torch.classes",
    ),
    "a function of Python": (
        replaced("/data.pkl", b"ccollections\nOrderedDict", b"cos\nsystem"),
        "names os.system",
    ),
    "a tensor rebuilt by a function that torch trusts too far": (
        replaced("/data.pkl", b"ctorch._utils\n_rebuild_tensor_v2", b"ctorch._tensor\n_rebuild_x"),
        "names torch._tensor",
    ),
    "a memo of four thousand million places": (
        replaced("/data.pkl", b"q\x00", b"r\xff\xff\xff\xff"),
        "no pickle that torch.jit wrote",
    ),
    "a pickle that ends early": (
        lambda entries: entries | {"Tiny/data.pkl": entries["Tiny/data.pkl"][:100]},
        "no pickle that torch.jit wrote",
    ),
    "code that does not parse": (
        lambda entries: {k: b"class" if k.endswith("tiny.py") else v for k, v in entries.items()},
        "expected ident",
    ),
}


@pytest.mark.parametrize("case", ENTRIES)
def test_a_changed_archive_with_a_matching_digest_is_rejected(store: Path, case: str) -> None:
    change, message = ENTRIES[case]
    model = publish_tiny(store)
    rewrite(store, model, rezipped(change))
    with pytest.raises(CheckpointRejected, match=message) as caught:
        load(store, model)
    assert caught.value.check == "archive"
    assert "\n" not in str(caught.value)


def test_a_rewritten_archive_with_the_same_entries_still_loads(store: Path) -> None:
    model = publish_tiny(store)
    rewrite(store, model, rezipped(lambda entries: entries))
    load(store, model)


@pytest.mark.parametrize(
    "content", [b"", b"PK", b"text", b"PK\x03\x04" + bytes(200), b"PK\x05\x06" + bytes(18)]
)
def test_a_file_that_is_no_archive_is_rejected(store: Path, content: bytes) -> None:
    model = publish_tiny(store)
    rewrite(store, model, lambda _sound: content or b"\0")
    with pytest.raises(CheckpointRejected) as caught:
        load(store, model)
    assert caught.value.check == "archive"


def test_damage_inside_of_any_entry_is_found_by_its_checksum(store: Path) -> None:
    model = publish_tiny(store)
    file = store / "tiny" / "1" / "model.ts"
    sound = file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
    for entry in entries:
        # A local header: 30 bytes, the name, and an extra field whose length is at 28 to 30.
        extra = int.from_bytes(sound[entry.header_offset + 28 : entry.header_offset + 30], "little")
        start = entry.header_offset + 30 + len(entry.filename) + extra
        # At its start a compressed entry has its tables, whose damage shows as another error.
        for offset in (start, start + entry.compress_size // 2):
            rewrite(store, model, partial(flipped, sound, offset))
            with pytest.raises(CheckpointRejected) as caught:
                load(store, model)
            assert caught.value.check == "archive", entry


def flipped(sound: bytes, offset: int, _content: bytes) -> bytes:
    return sound[:offset] + bytes([sound[offset] ^ 0xFF]) + sound[offset + 1 :]


def test_an_entry_that_occurs_twice_is_rejected(store: Path) -> None:
    def doubled(content: bytes) -> bytes:
        target = io.BytesIO(content)
        with (
            zipfile.ZipFile(target, "a") as archive,
            pytest.warns(UserWarning, match="Duplicate name"),
        ):
            archive.writestr("Tiny/data.pkl", archive.read("Tiny/data.pkl"))
        return target.getvalue()

    model = publish_tiny(store)
    rewrite(store, model, doubled)
    with pytest.raises(CheckpointRejected, match="same name"):
        load(store, model)
