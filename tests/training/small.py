"""Small models of every family and likelihood, and short runs, for the tests of this folder."""

import os
import subprocess
import sys
from pathlib import Path

import torch

from training.errors import ConfigError
from training.families import FAMILIES, Architecture
from training.likelihoods import LIKELIHOODS, Kind
from training.priors import PRIORS, Setting
from training.vae import VAE

GREY = (1, 6, 5)
COLOUR = (3, 7, 9)
VECTOR = (6,)
LATENT = 3


def takes_vectors(family: str, likelihood: str) -> bool:
    """Whether both take vectors too, and not images alone."""
    try:
        model(family, likelihood, VECTOR)
    except ConfigError:
        return False
    return True


def kind_of(shape: tuple[int, ...]) -> Kind:
    return "image" if len(shape) == 3 else "vectors"


def model(family: str, likelihood: str, shape: tuple[int, ...], prior: str = "normal") -> VAE:
    """A model with fresh weights, the same each time."""
    chosen = LIKELIHOODS[likelihood](kind_of(shape), 0.5)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        networks = FAMILIES[family](
            Architecture(
                latent_dim=LATENT,
                encoder=(8, 6),
                decoder=(6, 7, 8),
                activation="silu",
                start=chosen.start(torch.full(shape, 0.3)),
            )
        )
        setting = Setting(LATENT, 5, networks.encoder, 9, rows(9, shape).__getitem__)
        vae = VAE(networks.encoder, networks.decoder, chosen, PRIORS[prior](setting))
        # Away from where a learned prior starts, which is N(0, I) and hides its faults.
        shared = set(networks.encoder.parameters())
        for weights in set(vae.prior.parameters()) - shared:
            torch.nn.init.normal_(weights, std=0.3)
        return vae


def rows(count: int, shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    """Rows in [0, 1], [count, *shape]."""
    return torch.rand(count, *shape, generator=torch.Generator().manual_seed(seed))


# Every pair of family and likelihood on every shape that they take.
MODELS = [
    (family, likelihood, shape)
    for family in FAMILIES
    for likelihood in LIKELIHOODS
    for shape in (GREY, COLOUR, VECTOR)
    if len(shape) == 3 or takes_vectors(family, likelihood)
]


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "training", *words]


def environment(**more: str) -> dict[str, str]:
    """An environment in which the checkout's rooms are found from any working folder."""
    checkout = str(Path(__file__).parents[2])
    return os.environ | {"PYTHONPATH": checkout, "OMP_NUM_THREADS": "1"} | more


def training(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """`python -m training WORDS` in a process of its own, in `folder`."""
    return process(folder, *command(*words))


def process(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command of these words, in `folder`, to its end."""
    return subprocess.run(
        words,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
