"""An encoder and a decoder that compute in less than float32."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from model_store import CheckpointRejected, ModelId, load, publish
from model_store.contract import tolerance_of
from tests.factories import KINDS, eager, publish_kind
from tests.model_store.tiny import Tiny, scripted, tiny_draft, tiny_probe

CPU = torch.device("cpu")
LOWER = [torch.bfloat16, torch.float16]


class MixesPrecisions(Tiny):
    """Multiplies what it was given with a matrix that is float32, whatever its weights are."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        turned = torch.matmul(z, torch.eye(2, dtype=torch.float32))
        return torch.sigmoid(self.row(turned)).reshape(-1, 1, 2, 2)


class Cancels(Tiny):
    """Adds so much that little is left of the digits of what it is added to."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        row = (self.row(z) + 3000.0) - 3000.0
        return torch.sigmoid(4 * row).reshape(-1, 1, 2, 2)


@pytest.mark.parametrize("dtype", LOWER, ids=str)
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_float32_and_near_those_of_float32(
    store: Path, kind: str, dtype: torch.dtype
) -> None:
    module = eager(kind)
    checkpoint = load(store, publish_kind(store, kind), CPU, dtype)
    x = torch.rand(5, *KINDS[kind].data.shape)
    z = torch.randn(5, *KINDS[kind].latent_shape)
    with torch.no_grad():
        expected = (*module.encode(x), module.decode(z))  # type: ignore[operator] # its own methods
    found = (*checkpoint.encode(x), checkpoint.decode(z))
    tolerance = tolerance_of(checkpoint)
    for want, got in zip(expected, found, strict=True):
        assert got.dtype == torch.float32
        assert not torch.equal(got, want)
        torch.testing.assert_close(got, want, rtol=tolerance, atol=tolerance)
    if checkpoint.prior is not None:
        # What the probe cannot prove is not lowered.
        assert torch.equal(checkpoint.prior(z), module.prior(z))  # type: ignore[operator]


def test_float32_is_what_it_was_after_the_same_was_loaded_lower(store: Path) -> None:
    model = publish_kind(store, "grey")
    z = torch.randn(5, 5)
    before = load(store, model).decode(z)
    load(store, model, CPU, torch.bfloat16)
    assert torch.equal(load(store, model).decode(z), before)


@pytest.mark.parametrize(
    ("module", "found"),
    [
        (MixesPrecisions, r"decode fails on 3 row\(s\): .*dtype"),
        (Cancels, r"differ by [\d.]+ of 1 \+ \|value\|, the probe's tolerance is 0\.0625"),
    ],
)
def test_what_goes_wrong_in_a_lower_precision_is_refused_there_alone(
    store: Path, module: type[Tiny], found: str
) -> None:
    model = publish_module(store, module().eval())
    load(store, model)
    with pytest.raises(CheckpointRejected, match=found) as caught:
        load(store, model, CPU, torch.bfloat16)
    assert caught.value.check == "precision"
    assert "in float32 it passes" in str(caught.value)


def publish_module(store: Path, module: Tiny) -> ModelId:
    torch.manual_seed(0)
    return publish(tiny_draft(probe=tiny_probe(module)), scripted(module, store.parent), store)
