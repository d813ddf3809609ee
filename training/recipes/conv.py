"""A folder of colour images of one's own; no figures, because they depend on the images."""

from training.config import RunConfig
from training.recipes.recipe import Recipe

RECIPE = Recipe(
    summary="a folder of your own images, in colour, at 64 × 64: data=FOLDER",
    config=RunConfig(
        source="image_folder",
        size=(64, 64),
        channels=3,
        family="convolutional",
        encoder=(32, 64, 128),
        decoder=(128, 64, 32),
        latent_dim=64,
        activation="silu",
        likelihood="gaussian_learned",
        epochs=100,
        batch_size=64,
        learning_rate=1e-3,
        schedule="one_cycle",
        gradient_clip=100.0,
        evaluate_every=10,
    ),
)
