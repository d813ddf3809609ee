"""Ways through latent space as pure functions: between points, through them, and across a sheet.

S stands for the latent's shape; positions along a way are in points: 1.5 is halfway from the second
to the third.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from app.arrays import Doubles, Floats

Method = Callable[[Doubles, Doubles, Doubles], Doubles]
"""`start` and `end` [n, D], `part` [n, 1] in [0, 1] → [n, D]."""

# Below it a vector of length 1 is rounding: what was float32 knows no smaller angle.
NO_ARC = 1e-7
# Even steps: how far apart the largest and the smallest may be, in mean steps, and how many times
# they are corrected; most ways need ten.
EVEN = 0.002
FAR = 1e15  # squares of larger numbers, summed up, may be no float32
# Frames whose distances are measured at a time, and how many copies that makes of them.
BLOCK_BYTES = 2**24
BLOCK_COPIES = 6
ROUNDS = 64


def linear(start: Doubles, end: Doubles, part: Doubles) -> Doubles:
    """The straight line, (1 - part)·start + part·end."""
    return (1 - part) * start + part * end


def slerp(start: Doubles, end: Doubles, part: Doubles) -> Doubles:
    """The direction turns evenly (Shoemake 1985), the norm goes straight from one to the other.

    Under a Gaussian prior the straight line runs through norms that samples never have (White
    2016). Opposite vectors turn through one fixed direction across; a zero vector has the direction
    of the other end.
    """
    a, b = _direction(start, end), _direction(end, start)
    cosine = (a * b).sum(1, keepdims=True)
    across = b - cosine * a
    sine = _norm(across)
    across = np.where(sine > NO_ARC, _unit(across), _aside(a))
    angle = part * np.arctan2(sine, cosine)
    norm = linear(_norm(start), _norm(end), part)
    turned: Doubles = norm * (np.cos(angle) * a + np.sin(angle) * across)
    return turned


def cog(start: Doubles, end: Doubles, part: Doubles) -> Doubles:
    """The straight line, scaled to the variance that samples of N(0, I) have.

    Bodin et al., "Linear combinations of Gaussian latents in generative models" (arXiv:2408.08558):
    a sum of independent samples with weights w has variance Σw². Between vectors that are alike it
    scales too far: by √2 halfway between equal ones.
    """
    scale: Doubles = np.sqrt((1 - part) ** 2 + part**2)
    return linear(start, end, part) / scale


# A new method is one function and one line; so is a new easing.
METHODS: dict[str, Method] = {"slerp": slerp, "linear": linear, "cog": cog}

# From [0, 1] to [0, 1], ends kept: how far one is after a part of the frames.
EASINGS: dict[str, Callable[[Doubles], Doubles]] = {
    "linear": lambda part: part,
    "in": lambda part: part**2,
    "out": lambda part: 1 - (1 - part) ** 2,
    "in_out": lambda part: part**2 * (3 - 2 * part),
}


def parts(steps: int, easing: str) -> Doubles:
    """How much of a way lies behind each of its frames, [steps]: 0 first, 1 last; steps ≥ 2."""
    return EASINGS[easing](np.linspace(0.0, 1.0, steps))


def along(points: Floats, positions: Doubles, method: str) -> Floats:
    """The latents [n, *S] at `positions` [n] in [0, P - 1] on the way through `points` [P, *S].

    A whole position is met exactly. P ≥ 2.
    """
    near = np.rint(positions)
    # A third of three is one.
    positions = np.where(np.abs(positions - near) < 1e-9, near, positions)
    leg = positions.astype(np.int64).clip(max=len(points) - 2)
    return between(points[leg], points[leg + 1], positions - leg, method)


def between(start: Floats, end: Floats, part: Doubles, method: str) -> Floats:
    """The latents [n, *S] a `part` [n] of the way from `start` to `end`, both [n, *S].

    Parts of 0 and 1 are exactly the ends.
    """
    flat = len(start), -1
    a, b = start.reshape(flat).astype(np.float64), end.reshape(flat).astype(np.float64)
    found = METHODS[method](a, b, part[:, None]).astype(np.float32).reshape(start.shape)
    part = part.reshape(-1, *[1] * (start.ndim - 1))
    return np.where(part == 0, start, np.where(part == 1, end, found))


def across(corners: Floats, rows: Doubles, columns: Doubles, method: str) -> Floats:
    """A sheet [R·C, *S], row by row, at parts `rows` [R] and `columns` [C] of the way.

    `corners` [4, *S] are top left, top right, bottom left and bottom right.
    """

    def edge(top: Floats, bottom: Floats) -> Floats:
        many = len(rows), *[1] * top.ndim
        return between(np.tile(top, many), np.tile(bottom, many), rows, method)

    left, right = edge(corners[0], corners[2]), edge(corners[1], corners[3])
    wide = len(columns)
    return between(
        left.repeat(wide, axis=0), right.repeat(wide, axis=0), np.tile(columns, len(rows)), method
    )


def evenly(looks: Floats, parts: Doubles) -> Doubles:
    """Where on a way [0, 1] frames stand that differ, each from the last, as `parts` [n] do.

    `looks` [L, …] were taken evenly along the way and are joined by straight lines; a difference is
    the Euclidean distance between two frames, which cuts the corners that the way has between them.
    Gaps between frames begin as lengths of the way, and widen or narrow until the distances are as
    wanted, which leaves them in order also where the way comes back to where it was. A way that
    turns back on itself may allow no such frames: then the most even ones found are given, and on
    one where nothing changes, `parts`.
    """
    looks = looks.reshape(len(looks), -1)
    largest = np.abs(looks).max()
    if largest > FAR:
        looks = looks / largest  # which changes no part of the way
    lengths = np.cumsum([0.0, *(np.linalg.norm(after - at) for at, after in pairwise(looks))])
    wanted = np.diff(parts)
    gaps, best, least = wanted, parts, np.inf
    for _ in range(ROUNDS):
        ends = gaps.cumsum()
        behind = np.concatenate([[0.0], ends / ends[-1] * lengths[-1]])
        where = np.interp(behind, lengths, np.linspace(0.0, 1.0, len(looks)))
        # A way that begins with a standstill begins before it.
        where[[0, -1]] = 0.0, 1.0
        steps = _distances(looks, where) / wanted
        mean = steps.mean()
        if mean == 0:  # as on a way where nothing changes
            break
        uneven = np.ptp(steps) / mean
        if uneven < least:
            best, least = where, uneven
        if least < EVEN:
            break
        # The root damps: at a sharp corner whole corrections swing.
        gaps = gaps * np.sqrt(mean / steps.clip(mean / 4, 4 * mean))
    return best


def _distances(looks: Floats, where: Doubles) -> Doubles:
    """From each frame, `where` [n] in [0, 1] says in `looks` [L, D], to the next: [n - 1]."""
    positions = where * (len(looks) - 1)
    before = positions.astype(np.int64).clip(max=len(looks) - 2)
    part = (positions - before).astype(np.float32)[:, None]
    # A few frames at a time, each block beginning with the last one of that before.
    most = max(1, BLOCK_BYTES // (BLOCK_COPIES * looks[0].nbytes))
    distances: Doubles = np.empty(len(where) - 1)
    for start in range(0, len(distances), most):
        block = slice(start, start + most + 1)
        at, on = before[block], part[block]
        frames = (1 - on) * looks[at] + on * looks[at + 1]
        distances[start : start + most] = np.linalg.norm(np.diff(frames, axis=0), axis=1)
    return distances


def _norm(vectors: Doubles) -> Doubles:
    norm: Doubles = np.linalg.norm(vectors, axis=1, keepdims=True)
    return norm


def _unit(vectors: Doubles) -> Doubles:
    """Each vector at length 1; a zero vector stays."""
    norm = _norm(vectors)
    units: Doubles = np.divide(vectors, norm, out=np.zeros_like(vectors), where=norm > 0)
    return units


def _direction(vectors: Doubles, others: Doubles) -> Doubles:
    """Of each vector, or where it is zero, of the other."""
    return _unit(np.where(_norm(vectors) > 0, vectors, others))


def _aside(units: Doubles) -> Doubles:
    """Unit vectors across `units` [n, D], the same for a vector and its opposite.

    Of the axes the one that is least along the vector, without its part along it.
    """
    axis = np.eye(units.shape[1])[np.abs(units).argmin(1)]
    return _unit(axis - (axis * units).sum(1, keepdims=True) * units)
