"""Rows of numbers rather than images: 100-32-16-2 with a Gaussian for each number."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="rows of 100 numbers to a latent of 2 (100-32-16-2), no download",
    config=RunConfig(
        source="curved_surface",
        encoder=(32, 16),
        decoder=(16, 32),
        latent_dim=2,
        activation="silu",
        # Columns, each in its own deviations, are known to different parts of one.
        likelihood="gaussian_per_dimension",
        epochs=40,
        batch_size=64,
        learning_rate=4e-3,
        schedule="one_cycle",
        evaluate_every=10,
        nll_samples=1000,
    ),
    targets=(Target("nll", -79.0),),
)
