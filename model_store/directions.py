"""Named directions of a latent space: what may be named, and how many there may be.

Knows names and tensors, not what they were averaged from.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BeforeValidator

from model_store.probe import TensorRecord

MAX_DIRECTIONS = 256
MAX_DIRECTION_NAME = 64


def _bounded(given: object) -> object:
    """Look at the names before the tensors are: they end in URLs and in messages."""
    if not isinstance(given, Mapping):
        return given  # pydantic says what it should be
    if len(given) > MAX_DIRECTIONS:
        raise ValueError(f"{len(given)} directions are more than {MAX_DIRECTIONS}: leave some out")
    for name in map(str, given):
        legal_direction(name)
    return given


def legal_direction(name: str) -> str:
    """Give the name back, or raise ValueError."""
    fits = 1 <= len(name) <= MAX_DIRECTION_NAME
    if not (fits and name.isprintable() and name == name.strip()):
        raise ValueError(
            f"{name[:80]!r} cannot name a direction: use 1 to {MAX_DIRECTION_NAME} printable "
            "characters, with no space at an end"
        )
    return name


Directions = Annotated[Mapping[str, TensorRecord], BeforeValidator(_bounded)]
