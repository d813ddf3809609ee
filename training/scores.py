"""How the -ELBO of the training rows is distributed, so that another row's has its place there.

Knows a model as evaluation does.
"""

import torch

from model_store import Scores
from training.datasets.rows import Rows, Watch, take
from training.evaluate import Model, estimate, observed_once
from training.likelihoods import Likelihood
from training.streams import stream

MOST_ROWS = 10_000
# The noise of an estimate widens the distribution; that of four draws is half that of one.
DRAWS = 4


def scores_of(
    model: Model,
    likelihood: Likelihood,
    rows: Rows,
    seed: int,
    progress: Watch = iter,
) -> Scores | None:
    """The quantiles of at most 10,000 of the training rows, chosen by the seed.

    Rows are observed as for the figures: for a Bernoulli binarized once. None where the -ELBO of
    one of them is no finite number, as then there is no scale.
    """
    order = torch.randperm(len(rows), generator=stream(seed, "scored rows", 0))
    chosen = order[:MOST_ROWS].sort().values  # in their order, as they may be in a file
    observed = observed_once(likelihood, take(rows, chosen), seed)
    found = estimate(model, observed, DRAWS, seed, progress).negative_elbos
    if not bool(found.isfinite().all()):
        return None
    quantiles = found.quantile(torch.linspace(0, 1, 101, dtype=found.dtype))
    return Scores(quantiles=tuple(quantiles.tolist()), rows=len(found), draws=DRAWS, seed=seed)
