"""What was measured, as the figures of the manifest: name, value, unit, how it was estimated."""

from model_store import Figure
from training.evaluate import Estimate, bits_per_dimension
from training.likelihoods import DISCRETE, Likelihood
from training.posteriors import ACTIVE, mutual_information


def figures_of(
    found: Estimate, error: float, likelihood: Likelihood, dimensions: int
) -> tuple[Figure, ...]:
    """All figures of a model; `error` is that of its reconstructions, `dimensions` those of a row.

    Bits per dimension only where x is discrete.
    """
    rows, seed = f"{found.rows} test rows", f"seed {found.seed}"
    draws = f"{found.samples} posterior draws a row, {rows}, {seed}"
    bound = f"importance-weighted bound, {found.samples} samples a row, {rows}, {seed}"
    posteriors = found.posteriors
    compared = f"{posteriors.compared} test rows, 1 draw a row, {seed}; at most ln of their number"
    told: list[tuple[str, float, str, str]] = [
        ("nll", found.nll, "nats", bound),
        ("negative_elbo", found.negative_elbo, "nats", draws),
        ("rate", found.rate, "nats", draws if posteriors.prior_learned else f"closed form, {rows}"),
        ("distortion", found.distortion, "nats", draws),
        ("mutual_information", mutual_information(posteriors, found.seed), "nats", compared),
        (
            "active_units",
            found.active_units,
            "dimensions",
            f"variance of the posterior mean above {ACTIVE}, {rows}",
        ),
        ("reconstruction_error", error, "MSE/dim", f"decoded posterior mean, {rows} as given"),
    ]
    if likelihood.support in DISCRETE:
        told.insert(1, ("nll_bits", bits_per_dimension(found.nll, dimensions), "bits/dim", bound))
    return tuple(
        Figure(name=name, value=value, unit=unit, estimator=estimator)
        for name, value, unit, estimator in told
    )
