"""The settings of this room, and its only view of the environment."""

import os
import sys
from collections.abc import Callable
from math import isfinite
from pathlib import Path
from typing import TypeVar

from model_store.errors import BadSetting

Number = TypeVar("Number", int, float)


def store_path() -> Path:
    """The folder that holds the published models: $LATENTD_STORE, else the one beside this file."""
    configured = os.environ.get("LATENTD_STORE", "")
    return Path(configured).expanduser() if configured else Path(__file__).parent / "published"


def extra_operators() -> frozenset[str]:
    """Operators allowed beyond the list, from $LATENTD_EXTRA_OPERATORS (`aten::sinc,aten::i0`)."""
    configured = os.environ.get("LATENTD_EXTRA_OPERATORS", "")
    return frozenset(name.strip() for name in configured.split(",") if name.strip())


def allow_operators(names: list[str]) -> None:
    """Let `extra_operators` give these, in a process that acts for another."""
    os.environ["LATENTD_EXTRA_OPERATORS"] = ",".join(names)


def verify_timeout_s() -> float:
    """Seconds that the verification of one model may take, from $LATENTD_VERIFY_TIMEOUT_S."""
    return _positive("LATENTD_VERIFY_TIMEOUT_S", 120.0, float)


def verify_memory_bytes() -> int:
    """Bytes that it may take beyond torch and copies of the file: $LATENTD_VERIFY_MEMORY_BYTES."""
    return _positive("LATENTD_VERIFY_MEMORY_BYTES", 4 << 30, int)


def receipts_folder() -> Path | None:
    """The folder that says what was verified here, from $LATENTD_RECEIPTS; None keeps nothing.

    Else in the cache folder of the user, where there is one.
    """
    configured = os.environ.get("LATENTD_RECEIPTS", "")
    if configured == "none":
        return None
    if configured:
        return Path(configured).expanduser()
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():
        home = Path("~").expanduser() if "HOME" in os.environ else Path()
        if not home.is_absolute() or not home.is_dir():
            return None
        cache = home / ".cache"
    return cache / "latentd" / "receipts"


def verifier_environment() -> dict[str, str]:
    """The environment of the process that verifies: this one's modules, and one thread each."""
    package = str(Path(__file__).parents[1])
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    places = os.pathsep.join([package, *filter(None, sys.path)])
    return {**os.environ, **one, "PYTHONPATH": places}


def _positive(name: str, default: Number, kind: Callable[[str], Number]) -> Number:
    configured = os.environ.get(name, "").strip()
    try:
        number = kind(configured) if configured else default
    except ValueError:
        number = kind("0")
    if not (isfinite(number) and number > 0):
        raise BadSetting(f"{name}={configured[:80]}: it takes a number above 0; default {default}")
    return number
