"""One test model for each way to break the contract of the exports, and the answer to it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from model_store import (
    CheckpointRejected,
    Probe,
    load,
    publish,
    published,
)
from tests.model_store.tiny import Tiny, publish_tiny, refusal, scripted, tiny_draft, tiny_probe


class NoDecode(nn.Module):
    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return x.flatten(1)[:, :2], x.flatten(1)[:, 2:]


class DecodeWantsMore(NoDecode):
    @torch.jit.export
    def decode(self, z: Tensor, temperature: float) -> Tensor:
        return torch.sigmoid(z.repeat(1, 2) * temperature).reshape(-1, 1, 2, 2)


class DecodeGivesTwo(NoDecode):
    @torch.jit.export
    def decode(self, z: Tensor) -> tuple[Tensor, Tensor]:
        return z, z


class FlatImages(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.row(z))


class WideLatents(Tiny):
    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        flat = self.posterior(x.flatten(1))
        return flat, flat


class DoublePrecision(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.row(z)).reshape(-1, 1, 2, 2).double()


class NotANumber(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.log(-1 - self.row(z).abs()).reshape(-1, 1, 2, 2)


class Logits(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return 10 * z.repeat(1, 2).reshape(-1, 1, 2, 2)


class SoftmaxOverTheBatch(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.softmax(self.row(z), 0).reshape(-1, 1, 2, 2)


class StatisticsOfTheBatch(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4, track_running_stats=False)

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.norm(self.row(z))).reshape(-1, 1, 2, 2)


class FailsOnOneRow(Tiny):
    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        if x.size(0) < 2:
            raise ValueError("two rows at least")
        mean, log_var = self.posterior(x.flatten(1)).chunk(2, 1)
        return mean, log_var


class WritesToItsInput(Tiny):
    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.posterior(x.flatten(1)).chunk(2, 1)
        x.mul_(0.5)
        return mean, log_var


class DropoutThatStays(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        rows = functional.dropout(self.row(z), 0.5, True)  # noqa: FBT003 - as torch has it
        return torch.sigmoid(rows).reshape(-1, 1, 2, 2)


class CountsItsCalls(Tiny):
    calls: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(1))

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        self.calls.add_(1)
        return torch.sigmoid(self.row(z)).reshape(-1, 1, 2, 2)


class RemembersANumber(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.last = 0

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        self.last = z.size(0)
        return torch.sigmoid(self.row(z)).reshape(-1, 1, 2, 2)


class NormTrainsOn(Tiny):
    """Batch norm that uses the batch's own statistics, whatever the mode."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        rows = functional.batch_norm(self.row(z), None, None, None, None, True)  # noqa: FBT003
        return torch.sigmoid(rows).reshape(-1, 1, 2, 2)


BREACHES: dict[str, tuple[type[nn.Module], str]] = {
    "an export is missing": (NoDecode, "no method decode"),
    "an export takes more": (DecodeWantsMore, r"decode\(Tensor, float\) -> Tensor must be"),
    "an export gives more": (DecodeGivesTwo, r"Tuple\[Tensor, Tensor\] must be"),
    "images of another shape": (FlatImages, r"\[3, 4\], it must be \[3, 1, 2, 2\]"),
    "latents of another shape": (WideLatents, r"\[3, 4\], it must be \[3, 2\]"),
    "another dtype": (DoublePrecision, "torch.float64, it must be torch.float32"),
    "NaN": (NotANumber, "NaN or infinite"),
    "images out of range": (Logits, r"an image lies in \[0.0, 1.0\]"),
    "softmax over the batch": (SoftmaxOverTheBatch, "depends on a row's neighbours"),
    "the batch's statistics": (StatisticsOfTheBatch, "training=True"),
    "batch norm in training": (NormTrainsOn, "training=True where it must be the constant False"),
    "a failure on one row": (FailsOnOneRow, r"encode fails on 1 row\(s\): .*two rows at least"),
    "a changed input": (WritesToItsInput, "encode writes to its input"),
    "dropout that stays on": (DropoutThatStays, "decode still uses aten::dropout"),
    "a changed buffer": (CountsItsCalls, "keeps state in the attribute 'calls'"),
    "a changed attribute": (RemembersANumber, "keeps state in the attribute 'last'"),
}


@pytest.mark.parametrize("case", BREACHES)
def test_a_breach_of_the_contract_is_refused_and_named(store: Path, case: str) -> None:
    module, message = BREACHES[case]
    error = refusal(store, module().eval())
    assert error.check == "contract"
    assert error.model == "tiny@1"
    with pytest.raises(CheckpointRejected, match=message):
        raise error


def test_a_module_in_training_mode_is_refused(store: Path) -> None:
    error = refusal(store, Tiny())
    assert (error.check, "call .eval()" in error.detail) == ("contract", True)


@pytest.mark.parametrize("part", ["mean", "log_var", "decoded"])
def test_a_probe_that_does_not_match_is_refused_with_the_difference(store: Path, part: str) -> None:
    module = Tiny().eval()
    sound = tiny_probe(module)
    shifted = {part: getattr(sound, part).tensor() + 0.1}
    recorded = {name: getattr(sound, name).tensor() for name in ("x", "z", "mean", "log_var")}
    probe = Probe.of(**({"decoded": sound.decoded.tensor()} | recorded | shifted))
    with pytest.raises(CheckpointRejected, match=r"recorded output differ by 0\.\d+ of") as caught:
        publish(tiny_draft(probe=probe), scripted(module, store.parent), store)
    assert caught.value.check == "probe"
    assert published(store) == []


def test_the_probe_notices_other_weights(store: Path) -> None:
    probe = tiny_probe(Tiny().eval())
    with pytest.raises(CheckpointRejected) as caught:
        publish(tiny_draft(probe=probe), scripted(Tiny().eval(), store.parent), store)
    assert caught.value.check == "probe"


def test_a_device_that_is_not_there_is_no_fault_of_the_checkpoint(store: Path) -> None:
    model = publish_tiny(store)
    absent = torch.device("cuda", torch.cuda.device_count())
    with pytest.raises((RuntimeError, AssertionError)):
        load(store, model, absent)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_model_loads_onto_the_gpu(store: Path) -> None:
    device = torch.device("cuda", 0)
    checkpoint = load(store, publish_tiny(store), device)
    assert checkpoint.decode(torch.zeros(3, 2, device=device)).device == device
