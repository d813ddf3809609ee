"""The objectives by name. A new one is a file beside this one and a line in `OBJECTIVES`."""

from collections.abc import Callable

from training.objectives.capacity import Capacity
from training.objectives.elbo import Elbo
from training.objectives.free_bits import FreeBits
from training.objectives.importance_weighted import DoublyReparameterized, ImportanceWeighted
from training.objectives.objective import Objective, Options, Terms, draw

OBJECTIVES: dict[str, Callable[[Options], Objective]] = {
    "elbo": Elbo,
    "free_bits": FreeBits,
    "capacity": Capacity,
    "iwae": ImportanceWeighted,
    "dreg": DoublyReparameterized,
}

__all__ = ["OBJECTIVES", "Objective", "Options", "Terms", "draw"]
