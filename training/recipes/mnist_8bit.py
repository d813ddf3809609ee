"""MNIST's grey levels as they are: a model whose likelihood is that of a lossless code."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="MNIST's 256 grey levels, beta-binomial, with a learned prior",
    config=RunConfig(
        source="idx",
        encoder=(400, 200),
        decoder=(200, 300, 400),
        latent_dim=16,
        likelihood="beta_binomial",
        prior="flow",
        activation="silu",
        beta_warmup=5,
        epochs=60,
        batch_size=128,
        learning_rate=1.5e-3,
        schedule="one_cycle",
        evaluate_every=3,
        nll_samples=100,
    ),
    targets=(Target("nll_bits", 1.36),),
)
