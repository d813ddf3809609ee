"""The bundled model: MNIST by residual convolutions under a learned prior."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="MNIST, the model that comes with the project",
    config=RunConfig(
        source="idx",
        family="residual",
        encoder=(32, 64),
        decoder=(64, 32),
        latent_dim=32,
        activation="relu",
        prior="flow",
        beta_warmup=5,
        epochs=80,
        batch_size=128,
        learning_rate=1.5e-3,
        schedule="one_cycle",
        weight_decay=0.01,
        gradient_clip=200,
        averaging=0.999,
        precision="bfloat16",
        evaluate_every=5,
        nll_samples=200,
    ),
    targets=(Target("nll", 82.0),),
)
