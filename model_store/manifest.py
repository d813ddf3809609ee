"""What a checkpoint says about itself, as pydantic models, and how that is read from its file.

Knows shapes and numbers, not what the scripted module does with them.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    Field,
    JsonValue,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from model_store.data_spec import NUM_LEVELS, DataSpec, Shape, check_row_size
from model_store.directions import Directions
from model_store.errors import CheckpointRejected, Fault
from model_store.location import MANIFEST_FILE, MAX_VERSION, ModelId, published_folder
from model_store.probe import Probe, Record
from model_store.scores import Scores
from model_store.version_files import VersionFolder

FORMAT: Final = "latentd-torchscript-1"
MAX_DETAIL = 1000  # characters of what is said about a manifest, which may quote it
MAX_BYTES = 64 << 20  # a probe of a few large images fits; an endless file does not

_LONG = ("scores", "directions", "probe")

Capability = Literal["log_likelihood", "prior", "prior_log_density", "level_probabilities"]
Support = Literal["binary", "levels", "unit", "real"]
# What the likelihoods give probability to that were published before a manifest said it.
_SUPPORTS: Final[Mapping[str, Support]] = {
    "bernoulli": "binary",
    "bernoulli_grey": "binary",
    "beta_binomial": "levels",
    "continuous_bernoulli": "unit",
    "gaussian": "real",
    "gaussian_learned": "real",
    "gaussian_per_dimension": "real",
    "logistic_mixture": "levels",
}
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Figure(Record):
    """A number the model reached, its unit, and how it was estimated."""

    name: str
    value: float
    unit: str
    estimator: str


class TrainingFacts(Record):
    """Where the weights come from, in enough detail to train them again."""

    dataset: str
    dataset_sha256: Sha256
    recipe: str
    seed: int
    epochs: int
    git_revision: str | None
    config: dict[str, JsonValue]


class FileRecord(Record):
    """Digest and size in bytes of a file of the version."""

    sha256: Sha256
    size: Annotated[int, Field(ge=1)]


class Facts(Record):
    """What is said of a model, without what it must compute."""

    name: str
    family: str
    likelihood: str
    support: Support | None = None
    """The values that the likelihood gives probability to: 0 and 1, the 256 levels k / 255, all of
    [0, 1], or all real numbers."""
    data: DataSpec
    latent_shape: Shape
    capabilities: tuple[Capability, ...] = ()
    training: TrainingFacts
    figures: tuple[Figure, ...] = ()
    scores: Scores | None = None
    directions: Directions = Field(default_factory=dict)  # each of latent_shape

    @property
    def known_support(self) -> Support | None:
        """The support, where need be by the likelihood's name; None for a name of others."""
        usual = _SUPPORTS.get(self.likelihood) if self.data.kind == "image" else "real"
        return self.support or usual

    @model_validator(mode="after")
    def _vectors_are_real(self) -> Self:
        if self.data.kind == "vectors" and self.support not in (None, "real"):
            raise ValueError(f"vectors have the support real, not {self.support}")
        return self

    @model_validator(mode="after")
    def _capabilities_are_distinct_and_possible(self) -> Self:
        if len(set(self.capabilities)) != len(self.capabilities):
            raise ValueError(f"capabilities {list(self.capabilities)} repeat a name")
        if "level_probabilities" in self.capabilities:
            check_row_size((*self.data.shape, NUM_LEVELS))
        return self

    @model_validator(mode="after")
    def _directions_are_of_the_latent_space(self) -> Self:
        for name, direction in self.directions.items():
            if direction.shape != self.latent_shape:
                raise ValueError(
                    f"direction {name!r} has shape {list(direction.shape)}, expected that of a "
                    f"latent, {list(self.latent_shape)}"
                )
        return self

    @model_serializer(mode="wrap")
    def _without_absent_facts(self, written: SerializerFunctionWrapHandler) -> dict[str, object]:
        """A release that knows none of them reads the manifests of models that have none."""
        fields: dict[str, object] = written(self)
        for name in ("support", "scores", "directions", "attachments"):
            if not fields.get(name):
                fields.pop(name, None)
        return fields


class Draft(Facts):
    """All that the publisher knows of a model before it has a version."""

    probe: Probe

    @model_validator(mode="after")
    def _probe_fits_the_shapes(self) -> Self:
        data, latent, rows = self.data.shape, self.latent_shape, self.probe.x.shape[:1]
        if not rows or rows[0] < 1:
            raise ValueError("the probe holds no row; record at least one")
        expected = {"x": data, "z": latent, "mean": latent, "log_var": latent, "decoded": data}
        for part, row in expected.items():
            shape = getattr(self.probe, part).shape
            if shape != (*rows, *row):
                raise ValueError(f"probe.{part} has shape {list(shape)}, expected {[*rows, *row]}")
        return self


def legal_attachment(name: str) -> str:
    """Give the name back, or raise ValueError."""
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,63}\.npy", name):
        raise ValueError(
            f"{name[:80]!r} cannot name an attachment: use a-z, 0-9, _ and end in .npy"
        )
    return name


# Training rows and their latents, of which the service finds the nearest to a point.
NEIGHBOUR_LATENTS, NEIGHBOUR_ROWS = "neighbour_latents.npy", "neighbour_rows.npy"
AttachmentName = Annotated[str, AfterValidator(legal_attachment)]


class Publication(Record):
    """What publishing adds."""

    name: str
    format: Literal["latentd-torchscript-1"] = FORMAT
    version: Annotated[int, Field(ge=1, le=MAX_VERSION)]
    created: AwareDatetime
    file: FileRecord
    attachments: Mapping[AttachmentName, FileRecord] = Field(default_factory=dict)
    """Arrays that lie beside the module, which few ask for; checked by who does."""
    torch: str

    @property
    def model(self) -> ModelId:
        """The name and version under which it is published."""
        return ModelId(self.name, self.version)


class Summary(Publication, Facts):
    """A manifest without its probe, whose arrays are most of its text."""


class Manifest(Publication, Draft):
    """A draft that became a version."""

    @property
    def exports(self) -> tuple[str, ...]:
        """The methods that the scripted module must have."""
        return ("encode", "decode", *self.capabilities)

    def as_json(self) -> str:
        """The text of the manifest's file, what is long last, as people read the rest."""
        rest = self.model_dump(mode="json")
        first = {field: rest.pop(field) for field in ("format", "name", "version", "created")}
        last = {field: rest.pop(field) for field in _LONG if field in rest}
        return json.dumps(first | rest | last, indent=2) + "\n"


class _Header(BaseModel):
    """The one field of a manifest that every format has."""

    format: str


def read_manifest(store: Path, model: ModelId) -> Manifest:
    """Read a published version's manifest; ModelNotFound, or CheckpointRejected("manifest")."""
    return parse_manifest(manifest_text(published_folder(store, model), model), model)


def manifest_text(folder: VersionFolder, model: ModelId) -> bytes:
    """The bytes of a version's manifest; CheckpointRejected("manifest") where it does not read."""
    try:
        return folder.read(MANIFEST_FILE, MAX_BYTES)
    except OSError as error:
        detail = f"{MANIFEST_FILE} cannot be read: {error.strerror}"
        raise CheckpointRejected("manifest", model, detail) from error
    except Fault as fault:
        raise CheckpointRejected("manifest", model, str(fault)) from fault


def parse_manifest(text: bytes, model: ModelId) -> Manifest:
    """Read a manifest that must be the one of `model`; CheckpointRejected("manifest") otherwise."""
    return _parsed(Manifest, text, model)


def parse_summary(text: bytes, model: ModelId) -> Summary:
    """Read the same of a manifest's text whose probe was cut off; CheckpointRejected likewise."""
    return _parsed(Summary, text, model)


AnyManifest = TypeVar("AnyManifest", Summary, Manifest)


def _parsed(kind: type[AnyManifest], text: bytes, model: ModelId) -> AnyManifest:
    try:
        header = _Header.model_validate_json(text)
        if header.format != FORMAT:
            raise ValueError(
                f"format {header.format[:80]!r} is unknown; this release reads {FORMAT!r}: publish "
                "the model again with this release, or read it with the release that wrote it"
            )
        manifest = kind.model_validate_json(text)
    except ValidationError as error:
        raise CheckpointRejected("manifest", model, _in_one_line(error)) from error
    except ValueError as error:
        raise CheckpointRejected("manifest", model, str(error)) from error
    if manifest.model != model:
        detail = f"it calls itself {manifest.model}; move it to the folder of that name and version"
        raise CheckpointRejected("manifest", model, detail)
    return manifest


def _in_one_line(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(str(part)[:80] for part in fault['loc']) or MANIFEST_FILE}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_input=False)[:5]
    ]
    return " ".join("; ".join(faults).split())[:MAX_DETAIL]
