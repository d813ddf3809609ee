"""The VAE of countless tutorials: 784-400-20, binary cross-entropy on grey values, Adam at 1e-3."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="the tutorials' 784-400-20 with cross-entropy on grey values and Adam at 1e-3",
    config=RunConfig(
        source="idx",
        encoder=(400,),
        decoder=(400,),
        latent_dim=20,
        activation="relu",
        likelihood="bernoulli_grey",
        epochs=10,
        batch_size=128,
        learning_rate=1e-3,
    ),
    targets=(Target("negative_elbo", 103.0),),
)
