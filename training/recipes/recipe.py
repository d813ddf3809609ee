"""What a recipe is: a named configuration and the figures it should reach."""

from typing import NamedTuple

from training.config import RunConfig


class Target(NamedTuple):
    """A figure that the unchanged recipe reaches, as `figure` ≤ `at_most`."""

    figure: str
    at_most: float


class Recipe(NamedTuple):
    """A run that somebody tried, and what came of it."""

    summary: str
    """One line for the list of recipes."""
    config: RunConfig
    targets: tuple[Target, ...] = ()
    cost: str = ""
    """What it takes, measured."""
