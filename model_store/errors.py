"""What can go wrong with the store, as one tree; each front end turns these into its own answers.

StoreError
├── IllegalName          a model name that cannot be a folder or part of a URL
├── ModelNotFound        a reference that points at nothing published
├── VersionTaken         a version number that was given out before, be it removed since
├── StoreNotWritable     a store that is missing or read-only
├── BadSetting           a setting of the store that cannot be used
├── CannotVerify         the process that verifies checkpoints did not run
└── CheckpointRejected   a checkpoint that failed one of the checks, named
"""

from typing import Literal

Check = Literal[
    "manifest", "digest", "limits", "archive", "operators", "contract", "probe", "precision"
]


class StoreError(Exception):
    """Any failure of the store; its message is fit to be shown to whoever asked."""


class IllegalName(StoreError):
    """The name or reference does not follow the rule for model names."""


class ModelNotFound(StoreError):
    """Nothing is published under the reference; the message names what there is."""


class VersionTaken(StoreError):
    """The version was published before; versions are written once, and never again."""


class StoreNotWritable(StoreError):
    """The store cannot be written to; the message names the path and the remedy."""


class BadSetting(StoreError):
    """A setting of the store cannot be used; the message names it and what it takes."""


class CannotVerify(StoreError):
    """The process that verifies checkpoints did not run, which is no fault of a checkpoint."""


class CheckpointRejected(StoreError):
    """A checkpoint failed the check named `check`; `model` is its name@version.

    Its message holds no path of the machine.
    """

    def __init__(self, check: Check, model: object, detail: str) -> None:
        super().__init__(f"{model} is rejected by the {check} check: {detail}")
        self.check = check
        self.model = str(model)
        self.detail = detail


class Fault(Exception):
    """What a check found, inside of this room; loading adds which check and which model it was."""
