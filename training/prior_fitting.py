"""A prior fitted to the posteriors of a trained model, in place of the one it was trained with.

What a prior should be is the average posterior over the training rows (Hoffman & Johnson, "ELBO
surgery", 2016); once the encoder stands still, that is a matter of density estimation.
"""

import copy
import warnings
from collections.abc import Callable

import torch
from torch import Tensor

from training.datasets.rows import Rows, pieces
from training.priors.flow import CouplingFlow
from training.priors.mixture import Mixture
from training.priors.prior import Prior
from training.streams import stream
from training.vae import VAE, reparameterize

PASSES = 40  # over the rows, by a flow
FEWEST_STEPS = 400
BATCH = 512
RATE = 2e-3
FEWEST_DRAWS = 50_000  # for a mixture; of few rows it would learn the draws by heart
CHUNK = 1000  # rows that are encoded at once


def with_fitted_prior(vae: VAE, name: str, rows: Rows, components: int, seed: int) -> VAE:
    """A copy of the model with a prior of that name, fitted to its posteriors of `rows`."""
    posterior = _posterior(vae, rows)
    fitted = copy.deepcopy(vae)
    fitted.prior = FITTED[name](posterior, components, seed).to(rows.device)
    return fitted


@torch.no_grad()
def _posterior(vae: VAE, rows: Rows) -> tuple[Tensor, Tensor]:
    """Means and log-variances of all rows, [N, D] each, on the CPU."""
    found = [vae.encode(chunk) for chunk in pieces(rows, CHUNK)]
    mean, log_var = (torch.cat(parts).cpu() for parts in zip(*found, strict=True))
    return mean, log_var


def _gaussian_mixture(posterior: tuple[Tensor, Tensor], components: int, seed: int) -> Prior:
    """By expectation maximization over draws of the posteriors, as many of each row."""
    from sklearn.exceptions import ConvergenceWarning  # type: ignore[import-untyped] # noqa: PLC0415
    from sklearn.mixture import GaussianMixture  # type: ignore[import-untyped] # noqa: PLC0415

    mean, log_var = posterior
    each = -(-FEWEST_DRAWS // len(mean))
    noise = torch.randn(each, *mean.shape, generator=stream(seed, "fitting", 0))
    draws = reparameterize(mean, log_var, noise).flatten(0, 1).double().numpy()
    fit = GaussianMixture(components, covariance_type="diag", random_state=seed)
    with warnings.catch_warnings():
        # A hundred rounds are enough here, whether or not the last digit still moves.
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit.fit(draws)
    found = (
        torch.from_numpy(part).float() for part in (fit.weights_, fit.means_, fit.covariances_)
    )
    weights, means, variances = found
    return Mixture(weights / weights.sum(), means, variances.log())


def _flow(posterior: tuple[Tensor, Tensor], _components: int, seed: int) -> Prior:
    """By maximum likelihood, with fresh draws of the posteriors at every step."""
    mean, log_var = posterior
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        flow = CouplingFlow(mean.shape[1])
    optimizer = torch.optim.Adam(flow.parameters(), lr=RATE)
    steps = max(FEWEST_STEPS, PASSES * len(mean) // BATCH)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for step in range(steps):
        generator = stream(seed, "fitting", step)
        chosen = torch.randint(len(mean), (BATCH,), generator=generator)
        noise = torch.randn(BATCH, mean.shape[1], generator=generator)
        optimizer.zero_grad()
        loss = -flow.log_density(reparameterize(mean[chosen], log_var[chosen], noise)).mean()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
        optimizer.step()
        decay.step()
    return flow


Fit = Callable[[tuple[Tensor, Tensor], int, int], Prior]
FITTED: dict[str, Fit] = {"gaussian_mixture": _gaussian_mixture, "flow": _flow}
