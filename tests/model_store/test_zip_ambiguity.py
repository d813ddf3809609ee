"""Archives that two readers read in two ways, or that say one thing and hold another."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from model_store.canonical_archive import canonical_archive
from model_store.errors import Fault
from tests.model_store.tiny import Tiny

Change = Callable[[bytes], bytes]
LOCAL, CENTRAL, END = b"PK\3\4", b"PK\1\2", b"PK\5\6"


def saved(module: nn.Module) -> bytes:
    """What torch.jit.save writes of it."""
    target = io.BytesIO()
    torch.jit.save(torch.jit.script(module.eval()), target)
    return target.getvalue()


@pytest.fixture(scope="module")
def plain() -> bytes:
    """The entries of a saved module, stored one after the other."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved(Tiny()))) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), old.read(name))
    return target.getvalue()


def entries(change: Callable[[dict[str, bytes]], dict[str, bytes]]) -> Change:
    def apply(content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            there = {name: archive.read(name) for name in archive.namelist()}
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            for name, data in change(there).items():
                archive.writestr(zipfile.ZipInfo(name), data)
        return target.getvalue()

    return apply


def added(*names: str) -> Change:
    return entries(lambda there: there | dict.fromkeys(names, b"1"))


def patched(mark: bytes, offset: int, form: str, value: int) -> Change:
    """Another number in the header that the first `mark` begins."""

    def apply(content: bytes) -> bytes:
        changed = bytearray(content)
        struct.pack_into(form, changed, content.index(mark) + offset, value)
        return bytes(changed)

    return apply


def renamed_in_its_header(content: bytes) -> bytes:
    """The first entry has another name where it lies than in the directory."""
    name = content.index(LOCAL) + 30
    return content[:name] + b"X" + content[name + 1 :]


def hidden_entry(content: bytes) -> bytes:
    """The directory does not list an entry that a reader of streams sees."""
    data = b"hidden"
    header = struct.pack(
        "<4s5H3L2H", LOCAL, 20, 0, 0, 0, 0, zlib.crc32(data), len(data), len(data), 1, 0
    )
    start, end = content.index(CENTRAL), content.rindex(END)
    moved = bytearray(content[:start] + header + b"h" + data + content[start:])
    shift = len(header) + 1 + len(data)
    struct.pack_into("<L", moved, end + shift + 16, start + shift)
    return bytes(moved)


def with_an_end_record_of_64_bits(start: int) -> Change:
    """A second end record with a directory of its own; readers differ on which one counts."""

    def apply(content: bytes) -> bytes:
        end = content.rindex(END)
        count, size, offset = struct.unpack_from("<H2L", content, end + 10)
        wide = struct.pack(
            "<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, offset + start
        )
        locator = struct.pack("<4sLQL", b"PK\6\7", 0, end, 1)
        return content[:end] + wide + locator + content[end:]

    return apply


AMBIGUOUS: dict[str, Change] = {
    "bytes in front": lambda content: b"#!/bin/sh\n" + content,
    "bytes behind": lambda content: content + b"\0",
    "a comment": lambda content: content[:-2] + b"\3\0abc",
    "another archive behind it": lambda content: content + content,
    "its end cut off": lambda content: content[:-1],
    "twins by case": added("archive/data/0", "archive/DATA/0"),
    "code by another case": entries(
        lambda there: {k.replace(".py", ".PY"): v for k, v in there.items()}
    ),
    "two folders": added("other/data.pkl"),
    "no folder": added("data.pkl"),
    "a folder as an entry": added("archive/code/"),
    "a legacy model": added("archive/model.json"),
    "a mobile model": added("archive/bytecode.pkl"),
    "extra files": added("archive/extra/config.json"),
    "attributes": added("archive/attributes.pkl"),
    "a package": added("archive/.data/ts_code/0/data.pkl"),
    "two versions": added("archive/.data/version"),
    "a backslash": added("archive/data\\0"),
    "a letter beyond ASCII": added("archive/code/\u0131.py"),
    "a digit beyond ASCII": added("archive/data/\u0661"),
    "big-endian numbers": entries(
        lambda there: {k: b"big" if k.endswith("byteorder") else v for k, v in there.items()}
    ),
    "a version that is none": entries(
        lambda there: {k: b"3\n4" if k.endswith("/version") else v for k, v in there.items()}
    ),
    "another name in the header": renamed_in_its_header,
    "another size in the header": patched(LOCAL, 22, "<L", 1),
    "another method in the header": patched(LOCAL, 8, "<H", 8),
    "another checksum in the header": patched(LOCAL, 14, "<L", 1),
    "an encrypted entry": patched(CENTRAL, 8, "<H", 1),
    "a method that few know": patched(CENTRAL, 10, "<H", 12),
    "a comment on an entry": patched(CENTRAL, 32, "<H", 1),
    "an entry on another disk": patched(CENTRAL, 34, "<H", 1),
    "an entry that begins in another": patched(CENTRAL, 42, "<L", 7),
    "fewer entries than there are": patched(END, 10, "<H", 3),
    "a directory elsewhere": patched(END, 16, "<L", 0),
    "an entry that the directory does not list": hidden_entry,
    "two end records that differ": with_an_end_record_of_64_bits(1),
}


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_what_can_be_read_in_two_ways_is_refused(plain: bytes, case: str) -> None:
    with pytest.raises(Fault):
        canonical_archive(AMBIGUOUS[case](plain))


def test_both_forms_of_end_records_are_read_where_they_agree(plain: bytes) -> None:
    wide = with_an_end_record_of_64_bits(0)(plain)
    assert canonical_archive(wide).getvalue() == canonical_archive(plain).getvalue()


def test_what_unpacks_to_more_than_it_says_is_refused(plain: bytes) -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(100_000))
    content = bytearray(target.getvalue())
    for mark, offset in ((LOCAL, 22), (CENTRAL, 24)):
        struct.pack_into("<L", content, content.index(mark) + offset, 10)
    with pytest.raises(Fault, match="does not unpack to the size that it says"):
        canonical_archive(bytes(content))
    assert plain


def traced() -> bytes:
    target = io.BytesIO()
    trace: Any = torch.jit.trace  # which has no type hints
    torch.jit.save(trace(nn.Linear(2, 2).eval(), torch.ones(1, 2)), target)
    return target.getvalue()


@pytest.mark.filterwarnings("ignore:`torch.jit.trace:DeprecationWarning")
@pytest.mark.parametrize("write", [lambda: saved(Tiny()), traced])
def test_what_torch_saves_is_kept_without_notes_and_examples(write: Callable[[], bytes]) -> None:
    kept = canonical_archive(write())
    with zipfile.ZipFile(kept) as archive:
        names = archive.namelist()
    assert not [name for name in names if "debug" in name or "traced" in name or "id" in name]
    assert {"archive/data.pkl", "archive/constants.pkl"} <= {*names}
    torch.jit.load(io.BytesIO(kept.getvalue()))  # type: ignore[no-untyped-call]


SLOW = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@SLOW
@given(data=st.data())
def test_a_changed_archive_is_refused_or_read_as_one_thing(
    plain: bytes, data: st.DataObject
) -> None:
    content = bytearray(plain)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content)))
        gone = data.draw(st.integers(0, 8))
        content[at : at + gone] = data.draw(st.binary(max_size=8))
    try:
        once = canonical_archive(bytes(content)).getvalue()
    except Fault:
        return
    assert canonical_archive(once).getvalue() == once
