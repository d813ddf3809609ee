"""What a manifest may say besides: named directions, and how the training rows score."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from model_store import (
    MAX_DIRECTION_NAME,
    MAX_DIRECTIONS,
    CheckpointRejected,
    Draft,
    ModelId,
    Scores,
    TensorRecord,
    load,
    publish,
    publish_again,
    published,
    read_manifest,
)
from model_store.__main__ import main
from tests.model_store.tiny import Tiny, publish_tiny, scripted, tiny_draft, tiny_probe

DIRECTION = TensorRecord.of(torch.tensor([0.5, -2.0]))
SCORES = Scores(quantiles=tuple(float(percent) for percent in range(101)), rows=7, draws=4, seed=1)
NAMES = ["3", "3 - 8", "Ärmel / lang", "x" * MAX_DIRECTION_NAME]


def drafted(**told: object) -> Draft:
    return Draft.model_validate(tiny_draft(probe=tiny_probe(Tiny().eval())).model_dump() | told)


def written(store: Path, version: int = 1) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((store / f"tiny/{version}/manifest.json").read_text())
    return manifest


def test_both_come_back_from_the_store(store: Path) -> None:
    module = Tiny().eval()
    draft = tiny_draft(probe=tiny_probe(module)).model_copy(
        update={"directions": dict.fromkeys(NAMES, DIRECTION), "scores": SCORES}
    )
    model = publish(draft, scripted(module, store.parent), store)
    manifest = load(store, model).manifest
    assert list(manifest.directions) == NAMES
    assert torch.equal(manifest.directions["3 - 8"].tensor(), torch.tensor([0.5, -2.0]))
    assert manifest.scores == SCORES
    # People read what is short.
    assert list(written(store))[-3:] == ["scores", "directions", "probe"]


def test_a_manifest_without_them_does_not_mention_them(store: Path) -> None:
    # So that releases that know neither read it, as this one reads theirs.
    model = publish_tiny(store)
    assert not {"directions", "scores"} & set(written(store))
    manifest = read_manifest(store, model)
    assert (manifest.directions, manifest.scores) == ({}, None)


@pytest.mark.parametrize("name", ["", " 3", "3 ", "a\nb", "a\tb", "\x00", "x" * 65, "\ud800"])
def test_a_name_that_cannot_be_written_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="cannot name a direction: use 1 to 64 printable"):
        drafted(directions={name: DIRECTION})


def test_there_are_at_most_so_many_directions() -> None:
    names = [str(number) for number in range(MAX_DIRECTIONS + 1)]
    drafted(directions=dict.fromkeys(names[:-1], DIRECTION))
    with pytest.raises(ValidationError, match="257 directions are more than 256"):
        drafted(directions=dict.fromkeys(names, DIRECTION))


@pytest.mark.parametrize("shape", [(3,), (1, 2), ()])
def test_a_direction_of_another_shape_than_a_latent_is_refused(shape: tuple[int, ...]) -> None:
    wrong = TensorRecord.of(torch.zeros(shape))
    with pytest.raises(ValidationError, match=r"direction '3' has shape .*of a latent, \[2\]"):
        drafted(directions={"3": wrong})


@pytest.mark.parametrize(
    ("quantiles", "expected"),
    [
        (range(100), "100 quantiles: from 0 % to 100 % there are 101"),
        ([*range(37), 3, *range(63)], "the quantile of 37 % is 3, below the 36 of 36 %"),
        ([*range(100), float("inf")], "finite"),
        ([*range(50), float("nan"), *range(50)], "finite"),
    ],
)
def test_quantiles_that_are_none_are_refused(quantiles: Any, expected: str) -> None:  # noqa: ANN401
    with pytest.raises(ValidationError, match=expected):
        drafted(scores=SCORES.model_dump() | {"quantiles": tuple(quantiles)})


@pytest.mark.parametrize("part", ["rows", "draws"])
def test_scores_of_nothing_are_refused(part: str) -> None:
    with pytest.raises(ValidationError, match=rf"scores\.{part}"):
        drafted(scores=SCORES.model_dump() | {part: 0})


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"directions": {"a\nb": DIRECTION.model_dump(mode="json")}}, "directions: "),
        (
            {"directions": {"3": {"shape": [2], "base64": "AAAAAAAAwH8="}}},
            r"directions\.3: .*not f",
        ),
        ({"directions": {"3": {"shape": [1], "base64": "AAAAAA=="}}}, r"'3' has shape \[1\]"),
        ({"directions": ["3"]}, "directions: "),
        ({"scores": SCORES.model_dump(mode="json") | {"quantiles": [0]}}, "scores: .*1 quantiles"),
    ],
)
def test_a_manifest_that_was_edited_is_refused_by_name(
    store: Path, told: dict[str, object], expected: str
) -> None:
    model = publish_tiny(store)
    (store / "tiny/1/manifest.json").write_text(json.dumps(written(store) | told))
    with pytest.raises(CheckpointRejected, match=rf"manifest check: .*{expected}") as caught:
        read_manifest(store, model)
    assert "\n" not in str(caught.value)


def test_a_module_is_published_again_with_them_and_is_the_same(store: Path) -> None:
    first = publish_tiny(store)
    second = publish_again(store, first, {"3": DIRECTION}, SCORES)
    assert second == ModelId("tiny", 2)
    before, after = (read_manifest(store, model) for model in (first, second))
    assert (after.directions, after.scores) == ({"3": DIRECTION}, SCORES)
    own = {"version", "created", "directions", "scores"}
    assert after.model_dump(exclude=own) == before.model_dump(exclude=own)
    assert (before.directions, before.scores) == ({}, None)
    load(store, second)


def test_a_damaged_module_is_not_published_again(store: Path) -> None:
    model = publish_tiny(store)
    file = store / "tiny/1/model.ts"
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(CheckpointRejected, match="digest check"):
        publish_again(store, model, {}, None)
    assert published(store) == [model]


def test_they_are_shown_with_the_facts(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    publish_again(store, publish_tiny(store), {"3": DIRECTION, "8": DIRECTION}, SCORES)
    for reference, shown in (("tiny@1", False), ("tiny@2", True)):
        assert main(["--store", str(store), "show", reference]) == 0
        said = capsys.readouterr().out
        assert ("\ndirections  3, 8\n" in said) is shown
        assert (
            "0 to 100 nats, half of them up to 50 (4 posterior draws a row, 7 " in said
        ) is shown


def test_a_support_is_kept_and_a_wrong_one_is_refused() -> None:
    assert drafted(support="levels").known_support == "levels"
    with pytest.raises(ValidationError, match="support"):
        drafted(support="complex")
    vectors = {"kind": "vectors", "shape": (4,), "value_range": None}
    with pytest.raises(ValidationError, match="vectors have the support real, not binary"):
        drafted(support="binary", data=vectors)
