"""The settings of this room, and its only view of the environment."""

import os
from pathlib import Path


def store_path() -> Path:
    """The folder that holds the published models: $LATENTD_STORE, else the one beside this file."""
    configured = os.environ.get("LATENTD_STORE", "")
    return Path(configured).expanduser() if configured else Path(__file__).parent / "published"


def extra_operators() -> frozenset[str]:
    """Operators allowed beyond the list, from $LATENTD_EXTRA_OPERATORS (`aten::sinc,aten::i0`)."""
    configured = os.environ.get("LATENTD_EXTRA_OPERATORS", "")
    return frozenset(name.strip() for name in configured.split(",") if name.strip())
