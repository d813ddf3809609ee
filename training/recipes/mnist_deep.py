"""Three hidden layers, 784-256-128-64, with as many latents as the last is wide."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="784-256-128-64: three narrowing hidden layers and a latent of 64",
    config=RunConfig(
        source="idx",
        encoder=(256, 128, 64),
        decoder=(64, 128, 256),
        latent_dim=64,
        activation="silu",
        epochs=20,
        batch_size=128,
        learning_rate=2e-3,
        schedule="one_cycle",
    ),
    targets=(Target("negative_elbo", 108.0),),
)
