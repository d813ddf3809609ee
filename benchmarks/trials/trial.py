"""What every trial is, and the options that all of them have."""

import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.environments import DEFAULT_HOME
from benchmarks.trials.goals import Goal

Say = Callable[[str], None]


class Trial(NamedTuple):
    """`run` is given the options that `add_options` declared, and whom to tell how far it is."""

    about: str
    add_options: Callable[[ArgumentParser], None]
    run: Callable[[Namespace, Say], list[Goal]]


def add_place(parser: ArgumentParser) -> None:
    """Where the models are."""
    parser.add_argument(
        "--home", type=Path, default=DEFAULT_HOME, help="folder for models and logs"
    )
    parser.add_argument(
        "--store", type=Path, help="with models to serve; the benchmarks' own two where absent"
    )


def store_of(given: Namespace) -> Path:
    """The store to serve from; the benchmarks' models are published where none is given."""
    given.home.mkdir(parents=True, exist_ok=True)
    if given.store is not None:
        store: Path = given.store
        return store
    from benchmarks.models import publish_models  # noqa: PLC0415 - torch takes a second

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "`torch.jit", DeprecationWarning)
        publish_models(given.home / "store")
    folder: Path = given.home / "store"
    return folder


def names(text: str) -> list[str]:
    """`a,b` as a list."""
    return [part.strip() for part in text.split(",") if part.strip()]
