"""MNIST as well as a small fully connected network can know it: a learned prior in ten minutes."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="MNIST in ten minutes: fully connected, with a learned prior",
    config=RunConfig(
        source="idx",
        encoder=(400, 200),
        decoder=(200, 300, 400),
        latent_dim=16,
        prior="flow",
        activation="silu",
        beta_warmup=5,
        epochs=80,
        batch_size=128,
        learning_rate=1.5e-3,
        schedule="one_cycle",
        evaluate_every=10,
        nll_samples=5000,
    ),
    targets=(Target("nll", 86.0),),
)
