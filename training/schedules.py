"""How the learning rate and the objective move over a run: functions of how far it is, so that
there is nothing to save.

Each schedule maps progress in [0, 1] to a factor of the configured (highest) learning rate.
"""

import math
from collections.abc import Callable

RISE = 0.1  # the part of a one-cycle run in which the rate rises
FIRST = 0.04  # where it rises from
STEPS = 8


def constant(_progress: float) -> float:
    """The configured rate throughout."""
    return 1.0


def cosine(progress: float) -> float:
    """Down to zero along half a cosine (Loshchilov & Hutter, "SGDR", 2017, equation 5)."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def one_cycle(progress: float) -> float:
    """A short linear rise, then `cosine`: after Smith & Topin, "Super-Convergence" (2019)."""
    if progress < RISE:
        return FIRST + (1.0 - FIRST) * progress / RISE
    return cosine((progress - RISE) / (1.0 - RISE))


def step(progress: float) -> float:
    """Eight steps down to a tenth, each three times as long as the one before: 10^(−i/7) for 3^i
    parts of the run (Burda et al. 2016, section 5).
    """
    passed = progress * (3**STEPS - 1) / 2
    number = min(STEPS - 1, int(math.log(2 * passed + 1, 3)))
    return float(10 ** (-number / (STEPS - 1)))


SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": constant,
    "cosine": cosine,
    "one_cycle": one_cycle,
    "step": step,
}


def warmth(epoch: float, epochs: int, warmup: float, cycles: int) -> float:
    """How warm the objective is at a moment of the run (in epochs, with its fraction): from 0 to 1
    within `warmup` epochs, at the beginning of each of `cycles` equal parts of the run.

    Once: Sønderby et al., "Ladder Variational Autoencoders" (NIPS 2016), section 2.3. In cycles: Fu
    et al., "Cyclical Annealing Schedule" (NAACL 2019).
    """
    within = epoch % (epochs / cycles)
    return min(1.0, within / warmup) if warmup else 1.0
