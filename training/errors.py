"""What can go wrong in training, one class for each party that can put it right.

    key=value ──► ConfigError      what was asked for is not possible
    data=PATH ──► DataError        the data is missing, malformed or out of range
    steps     ──► TrainingDiverged the loss or a parameter stopped being a number
    runs/NAME ──► RunStateError    a saved run is in the way, absent, another's or not saved
    export    ──► ExportError      the trained model cannot become a checkpoint

Every message names the value, the limit and the remedy.
"""


class TrainingError(Exception):
    """The parent of all of them; the command line prints its text and nothing else."""


class ConfigError(TrainingError):
    """A key, a value or a combination of values that the run cannot use."""


class DataError(TrainingError):
    """A data set that cannot be read, or whose values are not what they should be."""


class TrainingDiverged(TrainingError):
    """The loss or a parameter became NaN or infinite; the last saved state is untouched."""


class RunStateError(TrainingError):
    """A saved run that stands in the way, is missing, of another model, or cannot be written."""


class ExportError(TrainingError):
    """A model that TorchScript cannot express, that answers differently then, or has no room."""


class Interrupted(TrainingError):
    """The run was asked to stop and did, at a step boundary, saved; the text says how to go on."""
