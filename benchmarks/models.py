"""The two models that every server serves, published as any other.

Their weights are random but fixed, and shaped so that pictures weigh as PNG what a trained VAE's
do: drawing is a good part of an answer's cost.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_store import DataSpec, Draft, ModelId, Probe, TrainingFacts, publish, published

MLP = ModelId("mlp", 1)
COLOUR = ModelId("colour", 1)
LATENTS = {MLP: 20, COLOUR: 128}
SHAPES = {MLP: (1, 28, 28), COLOUR: (3, 64, 64)}


class Mlp(nn.Module):
    """784-400-20: the VAE of Kingma & Welling's MNIST figures; arithmetic is next to nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(784, 400)
        self.mean = nn.Linear(400, 20)
        self.log_var = nn.Linear(400, 20)
        self.latent = nn.Linear(20, 400)
        self.pixels = nn.Linear(400, 784)

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        hidden = torch.relu(self.hidden(x.flatten(1)))
        return self.mean(hidden), self.log_var(hidden)

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        logits = self.pixels(torch.relu(self.latent(z)))
        return torch.sigmoid(logits).reshape(-1, 1, 28, 28)

    def draw_strokes(self) -> None:
        """Smooth each unit's picture, and darken the rim: bright strokes on black."""
        steps = torch.arange(-4.0, 5.0)
        blur = torch.exp(-(steps[:, None] ** 2 + steps**2) / (2 * 1.6**2))
        pictures = self.pixels.weight.t().reshape(-1, 1, 28, 28)
        smooth = functional.conv2d(pictures, (blur / blur.norm())[None, None], padding=4)
        places = torch.arange(28.0) - 13.5
        self.pixels.weight.copy_(28 * smooth.reshape(-1, 784).t())
        self.pixels.bias.copy_((-5 - (places[:, None] ** 2 + places**2) / 22).flatten())


class Residual(nn.Module):
    """x plus two convolutions of it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.BatchNorm2d(channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        summed: Tensor = x + self.body(x)
        return summed


class Colour(nn.Module):
    """64×64 RGB to 128 latents, a residual block at each of four resolutions; 6 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        widths = [32, 64, 128, 256]
        down: list[nn.Module] = []
        up: list[nn.Module] = []
        for before, after in zip([3, *widths], widths, strict=False):
            down += [nn.Conv2d(before, after, 4, 2, 1), Residual(after), nn.SiLU()]
            up = [Residual(after), nn.SiLU(), nn.ConvTranspose2d(after, before, 4, 2, 1), *up]
        self.down = nn.Sequential(*down)
        self.posterior = nn.Linear(4096, 2 * 128)
        self.latent = nn.Linear(128, 4096)
        # Two box filters: a trained decoder's pictures are smooth.
        self.up = nn.Sequential(*up, nn.AvgPool2d(9, 1, 4), nn.AvgPool2d(7, 1, 3))

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = self.posterior(self.down(x).flatten(1)).chunk(2, 1)
        return mean, log_var

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return torch.sigmoid(self.up(self.latent(z).reshape(-1, 256, 4, 4)))

    def use_all_levels(self) -> None:
        """Random weights alone give one flat grey: take the biases away, raise the contrast."""
        for layer in self.up.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.zeros_(layer.bias)  # type: ignore[arg-type] # all of these have one
        logits = self.up(self.latent(torch.randn(64, 128)).reshape(-1, 256, 4, 4))
        self.up[-3].weight.mul_(1.2 / logits.std())  # type: ignore[operator] # the last layer's


def publish_models(store: Path) -> None:
    """Publish both into `store`, unless they are there."""
    if {MLP, COLOUR} <= set(published(store)):
        return
    store.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(1)
        mlp, colour = Mlp().eval(), Colour().eval()
        mlp.draw_strokes()
        colour.use_all_levels()
    modules: dict[ModelId, Mlp | Colour] = {MLP: mlp, COLOUR: colour}
    for model, module in modules.items():
        file = store.parent / f"{model.name}.ts"
        torch.jit.script(module).save(str(file))  # type: ignore[no-untyped-call]
        publish(_draft(model, module), file, store)


def module_file(store: Path, model: ModelId) -> Path:
    """The TorchScript file that a peer loads."""
    return store / model.name / str(model.version) / "model.ts"


def _draft(model: ModelId, module: Mlp | Colour) -> Draft:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand((3, *SHAPES[model]), generator=generator)
    z = torch.randn((3, LATENTS[model]), generator=generator)
    with torch.no_grad():
        mean, log_var = module.encode(x)
        decoded = module.decode(z)
    return Draft(
        name=model.name,
        family=type(module).__name__,
        likelihood="bernoulli",
        data=DataSpec(kind="image", shape=SHAPES[model], value_range=(0.0, 1.0)),
        latent_shape=(LATENTS[model],),
        capabilities=(),
        training=TrainingFacts(
            dataset="none",
            dataset_sha256="0" * 64,
            recipe="none",
            seed=1,
            epochs=0,
            git_revision=None,
            config={},
        ),
        probe=Probe.of(x=x, z=z, mean=mean, log_var=log_var, decoded=decoded),
    )
