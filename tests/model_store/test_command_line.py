"""The command line as a user has it: a process, its output and its exit code."""

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from model_store import published
from model_store.__main__ import main
from tests.model_store.tiny import publish_tiny


def run(store: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "model_store", *arguments],
        env=os.environ | {"LATENTD_STORE": str(store)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_damaged_model_is_named_by_a_process_in_one_line(store: Path) -> None:
    publish_tiny(store)
    publish_tiny(store)
    file = store / "tiny" / "1" / "model.ts"
    file.write_bytes(file.read_bytes()[:-1] + b"\1")
    answer = run(store, "verify")
    assert answer.returncode == 1
    assert answer.stderr.startswith("error: tiny@1 is rejected by the digest check:")
    assert answer.stderr.count("\n") == 1
    assert answer.stdout.startswith("tiny@2 passes: manifest, digest, limits, archive")


def test_a_sound_store_is_verified(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_tiny(store)
    for references in ([], ["tiny"], ["tiny@1"]):
        assert main(["--store", str(store), "verify", *references]) == 0
        assert capsys.readouterr().out.startswith("tiny@1 passes: ")


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    for word in ("list", "show", "verify", "remove", "path", "LATENTD_STORE", "Exit codes"):
        assert word in shown


@pytest.mark.parametrize(("answer", "left"), [(b"n\n", 1), (b"\n", 1), (b"\x04", 1), (b"y\n", 0)])
def test_removal_asks_on_a_terminal(
    store: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes, left: int
) -> None:
    publish_tiny(store)
    keyboard, terminal = pty.openpty()
    os.write(keyboard, answer)
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert main(["--store", str(store), "remove", "tiny"]) == 0
    os.close(keyboard)
    assert len(published(store)) == left


def test_removal_does_not_happen_unasked(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    publish_tiny(store)
    with Path(os.devnull).open() as nobody:
        monkeypatch.setattr(sys, "stdin", nobody)
        assert main(["--store", str(store), "remove", "tiny"]) == 2
    assert "say --yes" in capsys.readouterr().err
    assert main(["--store", str(store), "remove", "tiny@1", "--yes"]) == 0
    assert published(store) == []


def test_a_list_has_one_line_a_version(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_tiny(store)
    publish_tiny(store, "other")
    assert main(["--store", str(store), "list"]) == 0
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == [
        *("name", "version", "data", "latent", "likelihood", "size", "created", "figures")
    ]
    assert first.split()[:5] == ["other", "1", "1x2x2", "2", "bernoulli"]
    assert second.split()[0] == "tiny"


def test_a_list_goes_on_after_a_broken_manifest_and_fails(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_tiny(store)
    publish_tiny(store)
    (store / "tiny" / "1" / "manifest.json").write_text("{}")
    assert main(["--store", str(store), "list"]) == 1
    shown = capsys.readouterr()
    assert "error: tiny@1 is rejected by the manifest check" in shown.err
    assert shown.out.splitlines()[1].split()[:2] == ["tiny", "2"]


def test_json_holds_the_manifests_without_their_probes(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_tiny(store)
    assert main(["--store", str(store), "list", "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert main(["--store", str(store), "show", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == listed
    assert (listed["name"], listed["latent_shape"]) == ("tiny", [2])
    assert "probe" not in listed


def test_show_tells_the_facts(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_tiny(store)
    assert main(["--store", str(store), "show", "tiny@1"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["model"] == "tiny@1"
    assert lines["data"] == "image 1x2x2 in [0, 1]"
    assert lines["exports"] == "encode decode"


def test_paths_are_printed_bare(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_tiny(store)
    assert main(["--store", str(store), "path"]) == 0
    assert main(["--store", str(store), "path", "tiny"]) == 0
    assert capsys.readouterr().out.splitlines() == [str(store), str(store / "tiny" / "1")]


def test_an_empty_store_is_no_error(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("list", "verify"):
        assert main(["--store", str(store), command]) == 0
        assert capsys.readouterr().out == f"nothing is published in {store}\n"


@pytest.mark.parametrize("command", ["list", "verify", "path"])
def test_a_missing_store_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    assert main(["--store", str(tmp_path / "nowhere"), command]) == 1
    assert "nowhere is not a folder: set LATENTD_STORE" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["show", "verify", "remove", "path"])
@pytest.mark.parametrize("reference", ["nobody", "No Body", "tiny@2"])
def test_an_unknown_reference_is_one_line_and_code_one(
    store: Path, capsys: pytest.CaptureFixture[str], command: str, reference: str
) -> None:
    assert main(["--store", str(store), command, reference]) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert shown.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [[], ["publish"], ["show"], ["list", "--quick"]])
def test_wrong_usage_is_code_two(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
