"""Two stochastic layers of 100 and 50 as in the importance weighted autoencoders' paper (Burda et
al. 2016, section 5); `objective` and `draws` choose the cell of its table 1."""

from training.config import RunConfig
from training.recipes.recipe import Recipe

RECIPE = Recipe(
    summary="MNIST by two stochastic layers, to hold against the literature; for a GPU",
    config=RunConfig(
        source="idx",
        family="two_layers",
        prior="two_layers",
        encoder=(200, 200),
        decoder=(200, 200),
        latent_dim=150,
        activation="tanh",
        objective="dreg",
        draws=50,
        epochs=3280,
        batch_size=20,
        learning_rate=1e-3,
        schedule="step",
        evaluate_every=100,
        nll_samples=5000,
    ),
)
