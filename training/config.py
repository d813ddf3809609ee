"""The one object that decides a training run, and how `key=value` words become it.

Knows the names in the registries; reads no file and no data.
"""

import difflib
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from training.datasets import DATASETS
from training.errors import ConfigError
from training.families import ACTIVATIONS, FAMILIES
from training.likelihoods import LIKELIHOODS
from training.objectives import OBJECTIVES
from training.precision import PRECISIONS
from training.prior_fitting import FITTED
from training.priors import PRIORS
from training.schedules import SCHEDULES


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)


def _one_of(names: Collection[str]) -> BeforeValidator:
    def check(value: object) -> object:
        if value not in names:
            raise ValueError(f"not one of {_listed(names)}")
        return value

    return BeforeValidator(check)


def _numbers(value: object) -> object:
    """`256,128` as two words; nothing between the commas is no word."""
    return [word for word in value.split(",") if word] if isinstance(value, str) else value


def _maybe_none(value: object) -> object:
    return None if isinstance(value, str) and value.lower() in {"", "none"} else value


def _maybe_number(value: object) -> object:
    value = _maybe_none(value)
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def _height_and_width(value: object) -> object:
    """`64` stands for 64 × 64."""
    words = _numbers(_maybe_none(value))
    return [*words, *words] if isinstance(words, list) and len(words) == 1 else words


Positive = Annotated[int, Field(ge=1)]
Widths = Annotated[tuple[Positive, ...], BeforeValidator(_numbers)]
Size = Annotated[tuple[Positive, Positive] | None, BeforeValidator(_height_and_width)]
Rate = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class RunConfig(BaseModel):
    """Every key of a run. What is not given to `python -m training run` comes from its recipe."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Data
    source: Annotated[str, _one_of(DATASETS)] = Field(
        "digits", description=f"where rows come from: {_listed(DATASETS)}"
    )
    data: Annotated[Path | None, BeforeValidator(_maybe_none)] = Field(
        None, description="file or folder that the source reads; the embedded ones need none"
    )
    size: Size = Field(
        None,
        description="HEIGHT,WIDTH (or one number) for image_folder; none: by what is there",
    )
    channels: Annotated[Literal[1, 3] | None, BeforeValidator(_maybe_number)] = Field(
        1, description="1 grey or 3 colour, for image_folder; none: by what is there"
    )
    ground: Literal["black", "white"] = Field(
        "white",
        description="what transparent images of an image_folder are laid on, black or white",
    )
    columns: Annotated[tuple[str, ...], BeforeValidator(_numbers)] = Field(
        (), description="columns of a table to take, comma-separated; empty: all"
    )
    unreadable: float = Field(
        0.01,
        ge=0,
        le=1,
        description="fraction of a folder's images that may be left out as unreadable, rounded up",
    )
    held_out: float = Field(
        0.1, gt=0, lt=1, description="fraction kept for testing where the source has no test rows"
    )

    # Model
    family: Annotated[str, _one_of(FAMILIES)] = Field(
        "mlp", description=f"kind of networks: {_listed(FAMILIES)}"
    )
    encoder: Widths = Field(
        (400,), description="hidden widths (or channels) from data to latent, comma-separated"
    )
    decoder: Widths = Field((400,), description="the same from latent to data")
    latent_dim: Positive = Field(20, description="numbers in a latent")
    activation: Annotated[str, _one_of(ACTIVATIONS)] = Field(
        "relu", description=f"nonlinearity: {_listed(ACTIVATIONS)}"
    )
    likelihood: Annotated[str, _one_of(LIKELIHOODS)] = Field(
        "bernoulli", description=f"p(x given z): {_listed(LIKELIHOODS)}"
    )
    sigma: Rate = Field(1.0, description="standard deviation of the Gaussians, or its start")
    prior: Annotated[str, _one_of(PRIORS)] = Field("normal", description=f"p(z): {_listed(PRIORS)}")
    prior_after: Annotated[str | None, BeforeValidator(_maybe_none), _one_of((None, *FITTED))] = (
        Field(
            None,
            description=f"p(z) fitted to the posteriors after training: none, {_listed(FITTED)}",
        )
    )
    components: Positive = Field(
        100, description="of prior=vamp and of prior_after=gaussian_mixture"
    )

    # Objective and optimization
    objective: Annotated[str, _one_of(OBJECTIVES)] = Field(
        "elbo", description=f"what is minimized: {_listed(OBJECTIVES)}"
    )
    draws: Positive = Field(1, description="posterior draws a row and step, the K of iwae and dreg")
    beta: NonNegative = Field(1.0, description="weight of the rate in the loss")
    beta_warmup: NonNegative = Field(
        0.0,
        description="epochs in which beta rises from 0, or with objective=capacity the capacity",
    )
    beta_cycles: Positive = Field(
        1, description="parts of the run that each begin with such a rise"
    )
    free_bits: NonNegative = Field(
        0.0, description="nats of rate a dimension that cost nothing, with objective=free_bits"
    )
    capacity: NonNegative = Field(
        0.0, description="nats that the rate is held at, with objective=capacity"
    )
    epochs: Positive = Field(20, description="passes over the training rows")
    batch_size: Positive = Field(128, description="rows of a step")
    learning_rate: Rate = Field(1e-3, description="Adam's step size, at its highest")
    schedule: Annotated[str, _one_of(SCHEDULES)] = Field(
        "constant", description=f"learning rate over the run: {_listed(SCHEDULES)}"
    )
    weight_decay: NonNegative = Field(0.0, description="AdamW's decoupled weight decay")
    gradient_clip: Annotated[Rate | None, BeforeValidator(_maybe_none)] = Field(
        None, description="largest norm of the gradient; none: not clipped"
    )
    averaging: float = Field(
        0.0, ge=0, lt=1, description="decay of the averaged weights that are evaluated; 0: none"
    )
    precision: Annotated[str, _one_of(PRECISIONS)] = Field(
        "float32",
        description=f"of the products within the networks in training: {_listed(PRECISIONS)}",
    )
    seed: int = Field(0, ge=0, description="decides initial weights, order, noise and binarization")

    # Evaluation
    patience: Annotated[Positive | None, BeforeValidator(_maybe_none)] = Field(
        None,
        description="evaluations without a better -ELBO, after the warm-up, that end the run",
    )
    evaluate_every: Positive = Field(5, description="epochs between evaluations and picture sheets")
    nll_samples: Positive = Field(
        100, description="importance samples of the NLL estimate at the end"
    )

    # Where and how
    name: str = Field("", description="model name in the store; empty: the recipe's name")
    out: Annotated[Path | None, BeforeValidator(_maybe_none)] = Field(
        None, description="folder of logs, pictures and the run state; none: runs/<name>"
    )
    store: Annotated[Path | None, BeforeValidator(_maybe_none)] = Field(
        None, description="store to publish to; none: $LATENTD_STORE or the one in the checkout"
    )
    publish: bool = Field(default=True, description="publish the trained model")
    resume: bool = Field(default=False, description="go on with the run saved in the output folder")
    device: str = Field(
        "auto", pattern="^(auto|cpu|cuda(:[0-9]+)?)$", description="auto, cpu, cuda or cuda:N"
    )
    memory: Rate = Field(
        4.0, description="GiB of rows, as float32, held in memory; more are read batch by batch"
    )
    # Two threads on a busy two-core machine made an epoch seven times slower than one thread.
    threads: Positive = Field(1, description="CPU threads of tensor operations")
    tensorboard: bool = Field(default=False, description="also write TensorBoard events")


# What says where and how a run happens, not what it computes.
PLACES = frozenset(
    {
        *("data", "out", "store", "publish", "resume", "device", "memory", "threads"),
        *("tensorboard", "name"),
    }
)
# What may change when a run goes on; anything else would make it another run.
MAY_CHANGE = PLACES | {"epochs", "evaluate_every", "nll_samples"}


def with_changes(config: RunConfig, words: Iterable[str]) -> RunConfig:
    """The configuration with `key=value` words laid over it; ConfigError names what is wrong."""
    changes: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise ConfigError(f"{word!r} is not of the form key=value")
        if key not in RunConfig.model_fields:
            raise ConfigError(unknown("key", key, RunConfig.model_fields))
        if key in changes:
            raise ConfigError(f"{key} is given twice: as {changes[key]!r} and as {value!r}")
        changes[key] = value
    try:
        return RunConfig.model_validate(config.model_dump(exclude_unset=True) | changes)
    except ValidationError as error:
        lines = [_one_line(details, changes) for details in error.errors()]
        raise ConfigError("\n".join(dict.fromkeys(lines))) from error


def as_word(value: object) -> str:
    """A key's value as one would write it on the command line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return str(value)


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """A sentence that says what is not known, what is nearest, and what there is."""
    names = sorted(known)
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    guess = f"did you mean {nearest[0]}? " if nearest else ""
    return f"there is no {what} {name!r}: {guess}Known: {', '.join(names)}"


def _one_line(details: ErrorDetails, changes: dict[str, str]) -> str:
    key = str(details["loc"][0])
    message = details["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    return f"{key}={changes.get(key, details['input'])}: should be {message}".replace(
        "should be not one of", "not one of"
    )
