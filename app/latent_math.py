"""The mathematics of latent space as pure functions: noise from a seed, and paths between points.

All arrays are float32 tensors on the CPU; S stands for the latent's shape.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor


def row_noise(seed: int, num_rows: int, shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise [num_rows, *shape] in which row i depends on (seed, i) alone.

    The rows are drawn one after another from one stream (Philox4x64, keyed by the seed, NumPy's
    ziggurat), so a longer draw starts with the shorter one: row 3 of 4 is row 3 of 64. (A seeded
    `torch.randn` has no such property.) `0 <= seed < 2**63`.
    """
    generator = np.random.Generator(np.random.Philox(key=seed))
    return torch.from_numpy(generator.standard_normal((num_rows, *shape), dtype=np.float32))


def draw_posterior(mean: Tensor, log_var: Tensor, noise: Tensor) -> Tensor:
    """z = mean + σ·noise with σ = exp(log_var / 2) (Kingma & Welling 2014, section 2.4)."""
    return mean + torch.exp(0.5 * log_var) * noise


def linear(start: Tensor, end: Tensor, part: Tensor) -> Tensor:
    """(1 - part)·start + part·end; `start`, `end` are [n, *S], `part` is [n, 1, …] in [0, 1]."""
    return (1 - part) * start + part * end


def slerp(start: Tensor, end: Tensor, part: Tensor) -> Tensor:
    """Spherical interpolation (Shoemake 1985): the angle, not the chord, is divided evenly.

    Under a Gaussian prior the straight line runs through norms that samples never have; slerp keeps
    to norms between those of its ends (White 2016). Where the angle leaves the arc undefined
    (parallel, opposite or zero vectors) it is `linear`.
    """
    a, b = start.double().flatten(1), end.double().flatten(1)
    norms = a.norm(dim=1) * b.norm(dim=1)
    # A zero vector has no direction; a cosine of 1 stands for it, which has no arc either.
    cosine = torch.where(norms > 0, (a * b).sum(1) / norms, 1.0).clamp(-1, 1)
    angle = torch.acos(cosine).reshape(-1, *[1] * (start.dim() - 1))
    sine = torch.sin(angle)
    weight_start = torch.sin((1 - part) * angle) / sine
    weight_end = torch.sin(part * angle) / sine
    curved = (weight_start * start + weight_end * end).float()
    return torch.where(sine.abs() > 1e-4, curved, linear(start, end, part))


# A new method is one function and one line.
METHODS: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {"linear": linear, "slerp": slerp}


def path(points: Tensor, steps: int, method: str) -> Tensor:
    """`steps` latents [steps, *S], evenly spaced along the way through `points` [P, *S].

    P ≥ 2, steps ≥ 2. The first and the last are exactly the first and the last point, and a point
    that a step falls on is met exactly.
    """
    segments, intervals = len(points) - 1, steps - 1
    # Integers, so that a step which falls on a point has a part of exactly 0.
    position = torch.arange(steps) * segments
    segment = (position // intervals).clamp_max(segments - 1)
    part = (position - segment * intervals) / intervals  # [steps] in [0, 1]
    part = part.reshape(-1, *[1] * (points.dim() - 1))
    start, end = points[segment], points[segment + 1]
    between = METHODS[method](start, end, part)
    return torch.where(part == 0, start, torch.where(part == 1, end, between))
