"""Programs in the form of checkpoints: they pass for models until they are run."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from model_store import ModelId
from model_store.canonical_archive import canonical_archive
from tests.model_store.test_archive import rezipped
from tests.model_store.tiny import Tiny, publish_tiny, rewrite, scripted


class HangsForEver(Tiny):
    """Its decoder never returns."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        rows = self.row(z)
        while bool(torch.isfinite(rows).all()):
            rows = rows * 1.0
        return torch.sigmoid(rows).reshape(-1, 1, 2, 2)


class TakesAllMemory(Tiny):
    """Its decoder doubles what it holds until there is no more."""

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        rows = self.row(z).flatten()
        for _ in range(60):
            rows = torch.cat([rows, rows])
        return torch.sigmoid(rows[: 4 * z.size(0)]).reshape(-1, 1, 2, 2)


class AsksForTooMuch(Tiny):
    """Its encoder wants more at once than a machine has."""

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        much = torch.zeros([1 << 44])
        mean, log_var = self.posterior(x.flatten(1)).chunk(2, 1)
        return mean + much[0], log_var


def plant(store: Path, module: nn.Module) -> ModelId:
    """Put a module that no publisher would take into the place of a sound one."""
    model = publish_tiny(store)
    content = scripted(module.eval(), store.parent).read_bytes()
    rewrite(store, model, lambda _sound: canonical_archive(content).getvalue())
    return model


def crash(store: Path) -> ModelId:
    """Put a file there whose code nests so deep that the parser of torch overflows its stack."""
    model = publish_tiny(store)
    deep = b"def f(x: int) -> int:\n  return " + b"(" * 400_000 + b"x" + b")" * 400_000 + b"\n"

    def nested(entries: dict[str, bytes]) -> dict[str, bytes]:
        return {
            name: data.replace(b"class Tiny", deep + b"class Tiny")
            if name.endswith(".py")
            else data
            for name, data in entries.items()
        }

    rewrite(store, model, rezipped(nested))
    return model


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether the condition holds within so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
