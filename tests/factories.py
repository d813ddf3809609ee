"""Small real models, published for tests: images, colour images with a latent map, vectors, and
images with a learned prior.

Their weights are random but fixed, so an answer can be compared with the eager module's own.
"""

from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model_store import Capability, DataSpec, Draft, ModelId, Probe, TrainingFacts, publish


class GreyDigits(nn.Module):
    """[N, 1, 8, 8] to [N, 5] and back, fully connected."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(64, 32)
        self.mean = nn.Linear(32, 5)
        self.log_var = nn.Linear(32, 5)
        self.latent = nn.Linear(5, 32)
        self.pixels = nn.Linear(32, 64)

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.hidden(x.flatten(1)))
        return self.mean(hidden), self.log_var(hidden)

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        logits = self.pixels(torch.relu(self.latent(z)))
        return torch.sigmoid(4 * logits).reshape(-1, 1, 8, 8)

    @torch.jit.export
    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        p = self.decode(z).clamp(1e-6, 1 - 1e-6)
        return (x * torch.log(p) + (1 - x) * torch.log1p(-p)).flatten(1).sum(1)


class BentPrior(GreyDigits):
    """The same with a prior of its own."""

    @torch.jit.export
    def prior(self, noise: Tensor) -> Tensor:
        return noise + torch.tanh(noise.flip(1))


class ColourMap(nn.Module):
    """[N, 3, 8, 8] to a latent map [N, 2, 4, 4] and back, convolutional."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 4, 2, 1)
        self.up = nn.ConvTranspose2d(2, 3, 4, 2, 1)

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.down(x).chunk(2, 1)
        return mean, log_var

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.up(z))


class Rows(nn.Module):
    """[N, 6] to [N, 2] and back; any real numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.posterior = nn.Linear(6, 4)
        self.row = nn.Linear(2, 6)

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.posterior(x).chunk(2, 1)
        return mean, log_var

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        row: Tensor = self.row(z)
        return row


class Kind(NamedTuple):
    """A test model's class and shapes."""

    module: type[nn.Module]
    data: DataSpec
    latent_shape: tuple[int, ...]
    capabilities: tuple[Capability, ...] = ()


IMAGE_RANGE = (0.0, 1.0)
GREY = DataSpec(kind="image", shape=(1, 8, 8), value_range=IMAGE_RANGE)
NAMED = DataSpec(kind="vectors", shape=(6,), value_range=None, columns=tuple("abcdef"))
COLOUR = DataSpec(kind="image", shape=(3, 8, 8), value_range=IMAGE_RANGE)
KINDS = {
    "grey": Kind(GreyDigits, GREY, (5,), ("log_likelihood",)),
    "bent": Kind(BentPrior, GREY, (5,), ("log_likelihood", "prior")),
    "colour": Kind(ColourMap, COLOUR, (2, 4, 4)),
    "rows": Kind(Rows, NAMED, (2,)),
}


NO_TRAINING = TrainingFacts(
    dataset="none",
    dataset_sha256="0" * 64,
    recipe="none",
    seed=0,
    epochs=0,
    git_revision=None,
    config={},
)


def eager(kind: str, seed: int = 0) -> nn.Module:
    """The module that `publish_kind` scripts, with the same weights."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return KINDS[kind].module().eval()


def draft(kind: str, module: nn.Module, name: str | None = None) -> Draft:
    """The publisher's half of a manifest, with a probe of the eager module."""
    return draft_of(name or kind, KINDS[kind], module)


def draft_of(name: str, kind: Kind, module: nn.Module) -> Draft:
    """The same for a module of any kind."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((3, *kind.data.shape), generator=generator)
    z = torch.randn((3, *kind.latent_shape), generator=generator)
    with torch.no_grad():
        mean, log_var = module.encode(x)  # type: ignore[operator] # the module's own methods
        decoded = module.decode(z)  # type: ignore[operator]
    return Draft(
        name=name,
        family=type(module).__name__,
        likelihood="bernoulli" if kind.data.kind == "image" else "gaussian",
        data=kind.data,
        latent_shape=kind.latent_shape,
        capabilities=kind.capabilities,
        training=NO_TRAINING,
        probe=Probe.of(x=x, z=z, mean=mean, log_var=log_var, decoded=decoded),
    )


def publish_kind(store: Path, kind: str, name: str | None = None, seed: int = 0) -> ModelId:
    """Script a module of `kind` and publish it under `name` (its kind's name where absent)."""
    module = eager(kind, seed)
    return publish_module(store, draft(kind, module, name), module)


def publish_module(store: Path, draft: Draft, module: nn.Module) -> ModelId:
    """Script `module` and publish it."""
    file = store.parent / f"{draft.name}.ts"
    torch.jit.script(module).save(str(file))  # type: ignore[no-untyped-call]
    return publish(draft, file, store)
