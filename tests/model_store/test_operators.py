from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from model_store import CheckpointRejected, load, publish
from model_store.operators import ALLOWED
from tests.model_store.tiny import Tiny, refusal, scripted, tiny_draft, tiny_probe


class RandomDecoder(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.rand(z.size(0), 1, 2, 2)


class RandomDeepInside(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        for _ in range(2):
            if z.dim() == 2:
                while z.size(0) > 100:
                    z = z + torch.randn_like(z)
        return torch.sigmoid(self.row(z)).reshape(-1, 1, 2, 2)


class RandomPart(nn.Module):
    def forward(self, z: Tensor) -> Tensor:
        return torch.bernoulli(z)


class RandomSubmodule(Tiny):
    def __init__(self) -> None:
        super().__init__()
        self.part = RandomPart()


class ReadsAFile(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.from_file("secret", size=4 * z.size(0)).reshape(-1, 1, 2, 2)


class Prints(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        print(z)  # noqa: T201 - that is the point
        return torch.sigmoid(self.row(z)).reshape(-1, 1, 2, 2)


def _squash(logits: Tensor) -> Tensor:
    return torch.sigmoid(logits)


fork: Any = torch.jit.fork  # which has no type hints, and scripted code bears no ignore comment
wait: Any = torch.jit.wait


class StartsATask(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        squashed: Tensor = wait(fork(_squash, self.row(z)))
        return squashed.reshape(-1, 1, 2, 2)


class ReadsUninitializedMemory(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.empty(z.size(0), 1, 2, 2)


class SeedsTheRandomStream(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        torch.manual_seed(1)
        return torch.sigmoid(self.row(z)).reshape(-1, 1, 2, 2)


REFUSED: dict[str, tuple[Callable[[], nn.Module], str]] = {
    "random numbers": (RandomDecoder, "decode uses aten::rand,"),
    "random numbers in nested blocks": (RandomDeepInside, "decode uses aten::randn_like,"),
    "random numbers in a submodule": (RandomSubmodule, r"part\.forward uses aten::bernoulli,"),
    "a file": (ReadsAFile, "decode uses aten::from_file,"),
    "printing": (Prints, "decode uses prim::Print,"),
    "a task": (StartsATask, "prim::fork"),
    "uninitialized memory": (ReadsUninitializedMemory, "decode uses aten::empty,"),
    "the global seed": (SeedsTheRandomStream, "decode uses aten::manual_seed,"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_an_operator_beyond_the_list_is_refused_and_named(
    store: Path, tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    module, message = REFUSED[case]
    monkeypatch.chdir(tmp_path)
    error = refusal(store, module().eval())
    assert error.check == "operators"
    with pytest.raises(CheckpointRejected, match=message):
        raise error
    assert "LATENTD_EXTRA_OPERATORS=" in str(error)


class Oscillates(Tiny):
    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sinc(self.row(z)).square().clamp(0, 1).reshape(-1, 1, 2, 2)


def test_the_setting_allows_one_more_operator(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = Oscillates().eval()
    assert "uses aten::sinc," in str(refusal(store, module))
    monkeypatch.setenv("LATENTD_EXTRA_OPERATORS", "aten::i0, aten::sinc")
    draft = tiny_draft(probe=tiny_probe(module))
    load(store, publish(draft, scripted(module, store.parent), store))


LAYERS: dict[str, nn.Module] = {
    "relu in place": nn.ReLU(inplace=True),
    "leaky relu": nn.LeakyReLU(0.2),
    "silu in place": nn.SiLU(inplace=True),
    "gelu": nn.GELU("tanh"),
    "prelu": nn.PReLU(),
    "softmax": nn.Softmax(1),
    "softplus": nn.Softplus(),
    "tanh": nn.Tanh(),
    "dropout": nn.Dropout(0.5),
    "dropout in place": nn.Dropout(0.5, inplace=True),
    "batch norm": nn.BatchNorm1d(4),
    "layer norm": nn.LayerNorm(4),
    "group norm": nn.GroupNorm(2, 4),
    "convolutions": nn.Sequential(
        nn.Unflatten(1, (1, 2, 2)),
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ConvTranspose2d(4, 4, 2, 2),
        nn.Upsample(scale_factor=2.0, mode="bilinear"),
        nn.AvgPool2d(2),
        nn.MaxPool2d(2),
        nn.PixelShuffle(2),
        nn.Conv2d(1, 1, 3, stride=2, padding=1, padding_mode="reflect"),
        nn.Flatten(),
    ),
}


class WithLayer(Tiny):
    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.layer(self.row(z))).reshape(-1, 1, 2, 2)


@pytest.mark.parametrize("layer", LAYERS)
def test_the_usual_layers_may_serve(store: Path, layer: str) -> None:
    module = WithLayer(LAYERS[layer]).eval()
    draft = tiny_draft(probe=tiny_probe(module))
    load(store, publish(draft, scripted(module, store.parent), store))


def test_no_operator_on_the_list_is_random() -> None:
    random = ("rand", "normal", "bernoulli", "multinomial", "dropout", "poisson", "exponential")
    assert [kind for kind in ALLOWED if any(word in kind for word in random)] == [
        "aten::poisson_nll_loss"
    ]
