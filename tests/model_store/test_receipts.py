"""Receipts spare a verification, and nobody else can write one."""

import json
import logging
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from model_store import CheckpointRejected, ModelId, load
from model_store.receipts import (
    MOST_KEPT,
    checks_digest,
    has_any_receipt,
    has_receipt,
    keep_receipt,
    receipt_key,
)
from tests.model_store.hostile import AsksForTooMuch, plant
from tests.model_store.tiny import publish_tiny

CPU = torch.device("cpu")


@pytest.fixture
def receipts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of receipts that is not there yet."""
    folder = tmp_path / "cache" / "receipts"
    monkeypatch.setenv("LATENTD_RECEIPTS", str(folder))
    return folder


@pytest.fixture
def loaded_anew(
    store: Path, caplog: pytest.LogCaptureFixture
) -> Callable[[ModelId, torch.dtype], bool]:
    """Load a model; whether it had to be verified for that."""
    caplog.set_level(logging.INFO, "latentd")

    def load_it(model: ModelId, dtype: torch.dtype = torch.float32) -> bool:
        caplog.clear()
        load(store, model, CPU, dtype)
        (line,) = caplog.messages
        return "was verified here before" not in line

    return load_it


def test_what_was_published_or_loaded_here_is_not_verified_again(
    store: Path, receipts: Path, loaded_anew: Callable[..., bool]
) -> None:
    model = publish_tiny(store)
    assert not loaded_anew(model)
    assert loaded_anew(model, torch.bfloat16)
    assert not loaded_anew(model, torch.bfloat16)
    assert receipts.stat().st_mode & 0o777 == 0o700


def test_another_manifest_and_another_file_are_verified_again(
    store: Path, receipts: Path, loaded_anew: Callable[..., bool]
) -> None:
    model = publish_tiny(store)
    file = store / "tiny" / "1" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"family": "other"}))
    assert loaded_anew(model)
    with pytest.raises(CheckpointRejected):
        load(store, plant(store, AsksForTooMuch()))
    assert receipts.is_dir()


def test_a_list_of_operators_is_part_of_it(
    store: Path,
    receipts: Path,
    loaded_anew: Callable[..., bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = publish_tiny(store)
    monkeypatch.setenv("LATENTD_EXTRA_OPERATORS", "aten::sinc")
    assert loaded_anew(model)
    assert receipts.is_dir()


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_can_write_to_is_not_believed(
    store: Path, receipts: Path, loaded_anew: Callable[..., bool], mode: int
) -> None:
    model = publish_tiny(store)
    receipts.chmod(mode)
    assert loaded_anew(model)
    assert loaded_anew(model)
    receipts.chmod(0o700)
    assert not loaded_anew(model)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs the right to give files away")
def test_a_folder_of_another_user_is_not_believed(
    store: Path, receipts: Path, loaded_anew: Callable[..., bool]
) -> None:
    model = publish_tiny(store)
    os.chown(receipts, 65534, 65534)
    assert loaded_anew(model)


def test_a_link_to_a_folder_is_not_believed(
    store: Path, receipts: Path, loaded_anew: Callable[..., bool]
) -> None:
    model = publish_tiny(store)
    elsewhere = receipts.with_name("elsewhere")
    receipts.rename(elsewhere)
    receipts.symlink_to(elsewhere)
    assert loaded_anew(model)


@pytest.mark.parametrize("place", ["none", "/proc/receipts", "/dev/null/receipts"])
def test_without_a_folder_all_works_and_is_verified_each_time(
    store: Path,
    loaded_anew: Callable[..., bool],
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    monkeypatch.setenv("LATENTD_RECEIPTS", place)
    model = publish_tiny(store)
    assert loaded_anew(model)


def test_a_user_without_a_home_has_no_receipts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATENTD_RECEIPTS", "")
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", "/nonexistent")
    keep_receipt(receipt_key("a"))
    assert not has_receipt(receipt_key("a"))


def test_receipts_of_other_checks_are_none(receipts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not has_any_receipt()
    receipts.mkdir(parents=True, mode=0o700)
    (receipts / "another").touch()
    assert not has_any_receipt()
    keep_receipt(receipt_key("a"))
    assert has_any_receipt()
    monkeypatch.setenv("LATENTD_EXTRA_OPERATORS", "aten::special_i0")
    assert not has_any_receipt()


def test_no_more_than_so_many_are_kept(receipts: Path) -> None:
    for number in range(MOST_KEPT + 20):
        keep_receipt(receipt_key(str(number)))
    assert len([*receipts.iterdir()]) == MOST_KEPT
    assert has_receipt(receipt_key(str(MOST_KEPT + 19)))


def test_the_digest_of_the_checks_is_of_their_source() -> None:
    assert len(checks_digest()) == 64
    assert receipt_key("a", "b") != receipt_key("b", "a")
