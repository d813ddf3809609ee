"""What a listing reads of manifests, and how often."""

import json
import os
from pathlib import Path

from model_store import ModelId, Summaries, Summary, read_manifest, remove
from tests.model_store.tiny import publish_tiny

MODEL = ModelId("tiny", 1)


def manifest_file(store: Path) -> Path:
    return store / "tiny" / "1" / "manifest.json"


def family(summaries: Summaries) -> str:
    said = summaries.read()["tiny@1"]
    assert isinstance(said, Summary), said
    return said.family


def test_it_says_what_the_manifest_says_but_the_probe(store: Path) -> None:
    publish_tiny(store)
    said = Summaries(store).read()["tiny@1"]
    assert isinstance(said, Summary)
    whole = read_manifest(store, MODEL).model_dump(mode="json", exclude={"probe"})
    assert said.model_dump(mode="json") == whole


def test_a_probe_is_neither_read_nor_parsed(store: Path) -> None:
    publish_tiny(store)
    file = manifest_file(store)
    head, mark, _ = file.read_text().partition('\n  "probe": ')
    with file.open("wb") as writer:
        writer.write((head + mark).encode())
        writer.truncate(1 << 40)  # a hole that nobody could read to its end
    assert family(Summaries(store)) == "tiny"


def test_a_manifest_that_others_wrote_is_understood(store: Path) -> None:
    publish_tiny(store)
    file = manifest_file(store)
    said = json.loads(file.read_text())
    file.write_text(json.dumps({"probe": said.pop("probe")} | said))
    assert family(Summaries(store)) == "tiny"


def test_it_is_read_again_when_it_is_another_file_or_has_another_time(store: Path) -> None:
    publish_tiny(store)
    summaries, file = Summaries(store), manifest_file(store)
    assert family(summaries) == "tiny"
    before = file.stat()
    file.write_text(file.read_text().replace('"family": "tiny"', '"family": "TINY"'))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert family(summaries) == "tiny"  # the same file by its number, its size and its time
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert family(summaries) == "TINY"
    other = file.with_name("other")
    other.write_text(file.read_text().replace('"family": "TINY"', '"family": "tine"'))
    os.utime(other, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    other.rename(file)
    assert family(summaries) == "tine"


def test_one_that_goes_bad_says_why_until_it_is_mended(store: Path) -> None:
    publish_tiny(store)
    summaries, file = Summaries(store), manifest_file(store)
    sound = file.read_text()
    for bad in ("{}", "", "[]", '{"a": ' * 100_000, sound.replace('"version": 1', '"version": 2')):
        file.write_text(bad)
        said = summaries.read()["tiny@1"]
        assert isinstance(said, str)
        assert "tiny@1" in said
        assert len(said) < 2000
    file.write_text(sound)
    assert family(summaries) == "tiny"


def test_what_is_removed_or_added_is_seen(store: Path) -> None:
    publish_tiny(store)
    summaries = Summaries(store)
    assert [*summaries.read()] == ["tiny@1"]
    publish_tiny(store)
    remove(store, MODEL)
    assert [*summaries.read()] == ["tiny@2"]


def test_a_store_that_goes_away_is_an_empty_one(store: Path) -> None:
    summaries = Summaries(store)
    store.rmdir()
    assert summaries.read() == {}
