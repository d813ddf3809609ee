"""MNIST with convolutions, the starting point for images of one's own."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="MNIST with strided convolutions",
    config=RunConfig(
        source="idx",
        family="convolutional",
        encoder=(16, 32),
        decoder=(32, 16),
        latent_dim=16,
        activation="silu",
        epochs=10,
        batch_size=128,
        learning_rate=3e-3,
        schedule="one_cycle",
    ),
    targets=(Target("negative_elbo", 101.5),),
)
