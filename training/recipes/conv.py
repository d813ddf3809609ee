"""A folder of photographs of one's own; no figures, because they depend on the photographs."""

from training.config import RunConfig
from training.recipes.recipe import Recipe

RECIPE = Recipe(
    summary="a folder of your own images, of any sizes and modes: data=FOLDER",
    config=RunConfig(
        source="image_folder",
        channels=None,
        family="residual",
        encoder=(32, 64),
        decoder=(64, 32),
        latent_dim=64,
        activation="silu",
        likelihood="gaussian_learned",
        # Near where it ends, which Adam would take thousands of steps to reach from 1.
        sigma=0.1,
        epochs=100,
        batch_size=64,
        learning_rate=1e-3,
        schedule="one_cycle",
        gradient_clip=100.0,
        evaluate_every=10,
    ),
)
