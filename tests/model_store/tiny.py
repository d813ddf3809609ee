"""The smallest model that keeps the contract, for subclasses that break it in one place each."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from model_store import (
    Capability,
    CheckpointRejected,
    DataSpec,
    Draft,
    ModelId,
    Probe,
    publish,
    published,
)
from model_store.publishing import file_record
from tests.factories import NO_TRAINING


class Tiny(nn.Module):
    """[N, 1, 2, 2] in [0, 1] to [N, 2] and back."""

    def __init__(self) -> None:
        super().__init__()
        self.posterior = nn.Linear(4, 4)
        self.row = nn.Linear(2, 4)

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.posterior(x.flatten(1)).chunk(2, 1)
        return mean, log_var

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.row(z)).reshape(-1, 1, 2, 2)


def tiny_probe(module: Tiny) -> Probe:
    """A probe of the eager module."""
    x = torch.linspace(0, 1, 8).reshape(2, 1, 2, 2)
    z = torch.linspace(-1, 1, 4).reshape(2, 2)
    with torch.no_grad():
        mean, log_var = module.encode(x)
        return Probe.of(x=x, z=z, mean=mean, log_var=log_var, decoded=module.decode(z))


def tiny_draft(
    name: str = "tiny", probe: Probe | None = None, capabilities: tuple[Capability, ...] = ()
) -> Draft:
    """What a publisher says of a tiny model; without a probe, one that fits no module."""
    rows, latents = torch.zeros(2, 1, 2, 2), torch.zeros(2, 2)
    anything = Probe.of(x=rows, z=latents, mean=latents, log_var=latents, decoded=rows)
    return Draft(
        name=name,
        family="tiny",
        likelihood="bernoulli",
        data=DataSpec(kind="image", shape=(1, 2, 2), value_range=(0.0, 1.0)),
        latent_shape=(2,),
        capabilities=capabilities,
        training=NO_TRAINING,
        probe=probe or anything,
    )


def scripted(module: nn.Module, folder: Path) -> Path:
    """The file of the scripted module."""
    file = folder / f"{type(module).__name__}.ts"
    torch.jit.save(torch.jit.script(module), str(file))
    return file


def publish_tiny(store: Path, name: str = "tiny", version: int | None = None) -> ModelId:
    """Publish a sound tiny model."""
    module = Tiny().eval()
    return publish(
        tiny_draft(name, tiny_probe(module)), scripted(module, store.parent), store, version
    )


def refusal(
    store: Path, module: nn.Module, capabilities: tuple[Capability, ...] = ()
) -> CheckpointRejected:
    """The error that publishing the module raises; nothing of it may stay in the store."""
    draft = tiny_draft(capabilities=capabilities)
    with pytest.raises(CheckpointRejected) as caught:
        publish(draft, scripted(module, store.parent), store)
    assert published(store) == []
    assert list(store.iterdir()) == []
    return caught.value


def rewrite(store: Path, model: ModelId, change: Callable[[bytes], bytes]) -> None:
    """Change a published module's bytes as an attacker would, digest and size included."""
    folder = store / model.name / str(model.version)
    file = folder / "model.ts"
    file.write_bytes(change(file.read_bytes()))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["file"] = file_record(file).model_dump()
    (folder / "manifest.json").write_text(json.dumps(manifest))
