import json
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from model_store import (
    CheckpointRejected,
    DataSpec,
    Draft,
    ModelId,
    ModelNotFound,
    TensorRecord,
    load,
    publish,
    read_manifest,
)
from tests.model_store.tiny import Tiny, publish_tiny, scripted, tiny_draft, tiny_probe


def edited(store: Path, **changes: Any) -> ModelId:  # noqa: ANN401 - any JSON
    """A published model whose manifest was edited by hand."""
    model = publish_tiny(store)
    file = store / "tiny" / "1" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return model


def rejection(store: Path, model: ModelId) -> CheckpointRejected:
    for read in (read_manifest, load):
        with pytest.raises(CheckpointRejected) as caught:
            read(store, model)
        assert caught.value.check == "manifest"
    return caught.value


@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 3, 4)])
def test_a_tensor_survives_its_record_bit_for_bit(shape: tuple[int, ...]) -> None:
    tensor = torch.randn(shape) * 1e-20
    again = TensorRecord.model_validate_json(TensorRecord.of(tensor).model_dump_json()).tensor()
    assert again.dtype == torch.float32
    assert torch.equal(again, tensor)


def test_a_tensor_is_recorded_as_little_endian_float32() -> None:
    record = TensorRecord.of(torch.tensor([1.0, -2.0], dtype=torch.float64))
    assert record.model_dump() == {"shape": (2,), "base64": "AACAPwAAAMA="}


def test_a_record_whose_bytes_do_not_fill_its_shape_is_refused() -> None:
    with pytest.raises(ValidationError, match="8 bytes do not fill shape"):
        TensorRecord(shape=(3,), base64="AACAPwAAAMA=")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_is_not_finite_is_not_recorded(value: float) -> None:
    with pytest.raises(ValidationError, match="not finite"):
        TensorRecord.of(torch.tensor([0.0, value]))


def test_a_manifest_says_what_its_draft_said(store: Path) -> None:
    draft = tiny_draft(probe=tiny_probe(module := Tiny().eval()))
    file = scripted(module, store.parent)
    manifest = read_manifest(store, publish(draft, file, store))
    said = Draft.model_validate(manifest.model_dump(include=set(Draft.model_fields)))
    assert said == draft
    assert (manifest.version, manifest.file.size) == (1, file.stat().st_size)
    assert manifest.created.tzinfo is not None
    assert manifest.torch == torch.__version__
    assert manifest.exports == ("encode", "decode")


def test_a_manifest_is_read_by_its_format_and_its_end_is_the_probe(store: Path) -> None:
    publish_tiny(store)
    fields = list(json.loads((store / "tiny" / "1" / "manifest.json").read_text()))
    assert (fields[0], fields[-1]) == ("format", "probe")


@pytest.mark.parametrize(
    ("kind", "shape", "value_range"),
    [
        ("image", (28, 28), (0.0, 1.0)),
        ("image", (1, 28, 28), (0.0, 255.0)),
        ("image", (1, 28, 28), None),
        ("vectors", (3, 2), None),
        ("vectors", (3,), (0.0, 1.0)),
        ("vectors", (0,), None),
        ("vectors", (1 << 25,), None),
    ],
)
def test_data_whose_kind_shape_and_range_disagree_is_refused(
    kind: Any,  # noqa: ANN401 - a literal of the model
    shape: tuple[int, ...],
    value_range: tuple[float, float] | None,
) -> None:
    with pytest.raises(ValidationError):
        DataSpec(kind=kind, shape=shape, value_range=value_range)


def test_columns_name_the_numbers_of_a_vector_and_come_back() -> None:
    data = DataSpec(kind="vectors", shape=(2,), value_range=None, columns=("height", "weight"))
    assert DataSpec.model_validate_json(data.model_dump_json()) == data


def test_a_manifest_without_columns_does_not_mention_them(store: Path) -> None:
    # So that releases that know none read it, as this one reads theirs.
    publish_tiny(store)
    written = json.loads((store / "tiny" / "1" / "manifest.json").read_text())
    assert set(written["data"]) == {"kind", "shape", "value_range"}
    assert read_manifest(store, ModelId("tiny", 1)).data.columns is None


@pytest.mark.parametrize(
    ("kind", "shape", "columns"),
    [
        ("vectors", (2,), ("a",)),
        ("vectors", (2,), ("a", "a")),
        ("vectors", (2,), ("a", "")),
        ("vectors", (2,), ()),
        ("image", (1, 2, 2), ("a",)),
    ],
)
def test_columns_that_do_not_name_the_numbers_are_refused(
    kind: Any,  # noqa: ANN401 - a literal of the model
    shape: tuple[int, ...],
    columns: tuple[str, ...],
) -> None:
    value_range = (0.0, 1.0) if kind == "image" else None
    with pytest.raises(ValidationError, match="columns"):
        DataSpec(kind=kind, shape=shape, value_range=value_range, columns=columns)


def test_a_probe_of_other_shapes_than_the_draft_is_refused() -> None:
    draft = tiny_draft()
    with pytest.raises(ValidationError, match=r"probe\.z has shape \[2, 2\], expected \[2, 3\]"):
        Draft.model_validate(draft.model_dump() | {"latent_shape": (3,)})


def test_a_figure_that_is_not_finite_is_refused() -> None:
    figure = {"name": "nll", "value": float("nan"), "unit": "nats", "estimator": "none"}
    with pytest.raises(ValidationError, match="finite"):
        Draft.model_validate(tiny_draft().model_dump() | {"figures": [figure]})


def test_a_manifest_cannot_be_changed_in_place(store: Path) -> None:
    manifest = read_manifest(store, publish_tiny(store))
    with pytest.raises(ValidationError, match="frozen"):
        manifest.name = "other"  # type: ignore[misc] # that is the point


def test_an_unknown_format_is_rejected_naming_both(store: Path) -> None:
    error = rejection(store, edited(store, format="latentd-onnx-7", novelty=1))
    assert "'latentd-onnx-7' is unknown" in str(error)
    assert "'latentd-torchscript-1'" in str(error)


@pytest.mark.parametrize("changes", [{"name": "other"}, {"version": 2}])
def test_a_manifest_in_the_wrong_folder_is_rejected(store: Path, changes: dict[str, Any]) -> None:
    assert "it calls itself" in rejection(store, edited(store, **changes)).detail


@pytest.mark.parametrize(
    "changes",
    [
        {"novelty": 1},
        {"latent_shape": []},
        {"created": "2025-01-01T00:00:00"},
        {"file": {"sha256": "beef", "size": 1}},
        {"capabilities": ["telepathy"]},
        {"capabilities": ["prior", "prior"]},
    ],
)
def test_a_manifest_that_breaks_its_schema_is_rejected(
    store: Path, changes: dict[str, Any]
) -> None:
    error = rejection(store, edited(store, **changes))
    assert next(iter(changes)) in error.detail
    assert "\n" not in str(error)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"null"])
def test_a_manifest_that_is_no_json_object_is_rejected(store: Path, content: bytes) -> None:
    model = publish_tiny(store)
    (store / "tiny" / "1" / "manifest.json").write_bytes(content)
    rejection(store, model)


def test_a_missing_model_has_no_manifest(store: Path) -> None:
    with pytest.raises(ModelNotFound, match="tiny@1"):
        read_manifest(store, ModelId("tiny", 1))
