"""Posterior collapse: when a latent tells nothing of its row, and what may help."""

from collections.abc import Iterator

from training.config import RunConfig
from training.posteriors import Posteriors
from training.schedules import warmth

LEAST = 0.01  # nats
SETTLING = 0.2  # the part of a run in which it may yet begin to tell something


def collapsed(posteriors: Posteriors) -> bool:
    """Whether every dimension is switched off: none tells 0.01 nats about a row, on average.

    Not whether some are, as Lucas et al., "Don't Blame the ELBO!" (NeurIPS 2019), count them: that
    a model leaves part of a wide latent unused is no fault. By rates and not by the variance of the
    means, because under a learned prior a latent may be of any scale; under N(0, I) a dimension
    that is active has a rate of 0.005 at least.
    """
    return float(posteriors.rates.max()) < LEAST


def is_time(config: RunConfig, epoch: int) -> bool:
    """Whether a collapse means something at the end of that epoch, counted from 1.

    All of it must have been trained with the whole objective, and the first steps be past: many a
    latent tells nothing in the first epochs, before the decoder has found a use for it.
    """
    warm = warmth(epoch - 1, config.epochs, config.beta_warmup, config.beta_cycles)
    return warm == 1.0 and epoch >= SETTLING * config.epochs


def advice(posteriors: Posteriors, config: RunConfig) -> str:
    """One line of what was found and what to try."""
    return (
        f"the posterior collapsed: no number of the latent tells more than "
        f"{float(posteriors.rates.max()):.2g} nats about a row (less than {LEAST}), so all rows "
        f"decode alike. Try {', or '.join(_remedies(config))}"
    )


def _remedies(config: RunConfig) -> Iterator[str]:
    if config.objective == "capacity":
        yield f"a higher capacity (it is {config.capacity:g})"
    if config.beta > 1:
        yield f"a smaller beta (it is {config.beta:g})"
    if config.likelihood == "gaussian":
        yield f"likelihood=gaussian_learned or a smaller sigma (it is {config.sigma:g})"
    if config.beta_warmup == 0:
        yield f"beta_warmup={max(1, config.epochs // 5)}"
    if config.objective == "elbo":
        yield "objective=free_bits free_bits=0.5"
    yield "a narrower decoder"
