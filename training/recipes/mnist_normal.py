"""One stochastic layer, one draw, N(0, I): what the importance weighted autoencoders' paper calls
VAE, k = 1 (Burda et al. 2016, table 1: 86.76)."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="MNIST under N(0, I), one layer and one draw, to hold against the literature",
    config=RunConfig(
        source="idx",
        encoder=(500, 300),
        decoder=(300, 500),
        latent_dim=40,
        activation="silu",
        beta_warmup=5,
        epochs=200,
        batch_size=128,
        learning_rate=1.5e-3,
        schedule="one_cycle",
        weight_decay=0.03,
        averaging=0.999,
        evaluate_every=10,
        nll_samples=500,
    ),
    targets=(Target("nll", 86.5),),
)
