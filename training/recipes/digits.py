"""Eight-by-eight digits that come with scikit-learn: trains anywhere within half a minute."""

from training.config import RunConfig
from training.recipes.recipe import Recipe, Target

RECIPE = Recipe(
    summary="8 × 8 digits, no download: the quickest way to a model of one's own",
    config=RunConfig(
        source="digits",
        encoder=(128,),
        decoder=(128, 128),
        latent_dim=8,
        activation="silu",
        likelihood="bernoulli",
        epochs=120,
        batch_size=64,
        learning_rate=4e-3,
        schedule="one_cycle",
        evaluate_every=20,
        nll_samples=1000,
    ),
    targets=(
        Target("negative_elbo", 23.0),
        Target("nll", 22.6),
    ),
)
