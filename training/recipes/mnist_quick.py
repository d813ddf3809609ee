"""MNIST within a minute on two CPU cores."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="MNIST within a minute on a laptop",
    config=RunConfig(
        source="idx",
        encoder=(256,),
        decoder=(256, 256),
        latent_dim=16,
        activation="silu",
        epochs=10,
        batch_size=128,
        learning_rate=4e-3,
        schedule="one_cycle",
        evaluate_every=5,
        # The bound falls with more samples, so what holds with 100 holds with 1000.
        nll_samples=100,
    ),
    targets=(Target("negative_elbo", 98.0), Target("nll", 95.5)),
)
