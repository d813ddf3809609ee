"""The optional exports: served where they are listed, refused where they are not what they say."""

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor
from torch.nn import functional

from model_store import (
    Capability,
    CheckpointRejected,
    DataSpec,
    Draft,
    TensorRecord,
    load,
    publish,
)
from tests.model_store.tiny import Tiny, refusal, scripted, tiny_draft, tiny_probe


class NoProbabilities(Tiny):
    """Of the levels; they sum to 2."""

    @torch.jit.export
    def level_probabilities(self, z: Tensor) -> Tensor:
        return 2 * torch.softmax(self.decode(z)[..., None] * torch.arange(256), -1)


class Scored(Tiny):
    """Every optional export."""

    @torch.jit.export
    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        p = self.decode(z)
        return -functional.binary_cross_entropy(p, x, reduction="none").flatten(1).sum(1)

    @torch.jit.export
    def prior(self, eps: Tensor) -> Tensor:
        return 2 * eps + 1

    @torch.jit.export
    def prior_log_density(self, z: Tensor) -> Tensor:
        return (-0.5 * ((z - 1) / 2).square() - 1.612).sum(1)

    @torch.jit.export
    def level_probabilities(self, z: Tensor) -> Tensor:
        return torch.softmax(self.decode(z)[..., None] * torch.arange(256), -1)


ALL: tuple[Capability, ...] = (
    "log_likelihood",
    "prior",
    "prior_log_density",
    "level_probabilities",
)


def test_capabilities_are_served_as_exported(store: Path) -> None:
    module = Scored().eval()
    draft = tiny_draft(probe=tiny_probe(module), capabilities=ALL)
    checkpoint = load(store, publish(draft, scripted(module, store.parent), store))
    x, z = torch.rand(4, 1, 2, 2), torch.randn(4, 2)
    assert checkpoint.log_likelihood is not None
    assert checkpoint.prior is not None
    assert checkpoint.prior_log_density is not None
    assert checkpoint.level_probabilities is not None
    with torch.no_grad():
        torch.testing.assert_close(checkpoint.log_likelihood(x, z), module.log_likelihood(x, z))
        torch.testing.assert_close(checkpoint.prior(z), module.prior(z))
        torch.testing.assert_close(checkpoint.prior_log_density(z), module.prior_log_density(z))
        found = checkpoint.level_probabilities(z)
        torch.testing.assert_close(found, module.level_probabilities(z))
    assert found.shape == (4, 1, 2, 2, 256)


def test_levels_that_are_no_probabilities_are_refused(store: Path) -> None:
    module = NoProbabilities().eval()
    draft = tiny_draft(probe=tiny_probe(module), capabilities=("level_probabilities",))
    with pytest.raises(CheckpointRejected, match="sum to 1"):
        publish(draft, scripted(module, store.parent), store)


def test_probabilities_of_too_many_pixels_are_refused() -> None:
    module = Scored().eval()
    small = tiny_draft(probe=tiny_probe(module), capabilities=("level_probabilities",))
    rows = TensorRecord.of(torch.zeros(2, 1, 257, 256))
    large = {
        "data": DataSpec(kind="image", shape=rows.shape[1:], value_range=(0.0, 1.0)),
        "probe": small.probe.model_copy(update={"x": rows, "decoded": rows}),
    }
    with pytest.raises(ValidationError, match="exceeds 16777216 numbers"):
        Draft.model_validate(dict(small) | large)


def test_an_export_is_served_only_where_the_manifest_lists_it(store: Path) -> None:
    module = Scored().eval()
    draft = tiny_draft(probe=tiny_probe(module), capabilities=("prior",))
    checkpoint = load(store, publish(draft, scripted(module, store.parent), store))
    assert checkpoint.prior is not None
    assert checkpoint.log_likelihood is None


@pytest.mark.parametrize("capability", ALL)
def test_a_capability_that_is_listed_and_missing_is_refused(
    store: Path, capability: Capability
) -> None:
    error = refusal(store, Tiny().eval(), capabilities=(capability,))
    assert (error.check, f"no method {capability}" in error.detail) == ("contract", True)


class MeanScore(Tiny):
    @torch.jit.export
    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return (x - self.decode(z)).square().flatten(1).sum(1).mean()


def test_a_score_that_is_not_one_number_a_row_is_refused(store: Path) -> None:
    error = refusal(store, MeanScore().eval(), capabilities=("log_likelihood",))
    assert "log_likelihood gives shape [], it must be [3]" in error.detail
