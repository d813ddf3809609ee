"""The importance weighted autoencoder with one stochastic layer and five draws (Burda et al. 2016,
table 1: 85.54), with the gradient of Tucker et al. 2019."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="MNIST by the importance weighted bound of five draws under N(0, I)",
    config=RunConfig(
        source="idx",
        encoder=(500, 300),
        decoder=(300, 500),
        latent_dim=40,
        activation="silu",
        objective="dreg",
        draws=5,
        beta_warmup=5,
        epochs=160,
        batch_size=128,
        learning_rate=1.5e-3,
        schedule="one_cycle",
        weight_decay=0.03,
        averaging=0.999,
        precision="bfloat16",
        evaluate_every=10,
        nll_samples=500,
    ),
    targets=(Target("nll", 85.2),),
)
