"""What the endpoints take, as types: the one declaration that validates and documents them.

Bounds that an operator sets (rows, steps, pixels) are not here: the service checks them, but for
the lengths of lists of models. A latent or a row is `list[Any]` because pydantic would spend longer
on a thousand floats than the model does; `numbers` checks them as an array.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.formats import FORMATS
from app.layout import STILL
from app.operations.interpolate import Spacing
from app.paths import EASINGS, METHODS
from app.routes.constraints import NUMBER, ImageText, Real, Whole, at_most, one_of

# JSON's numbers are exact up to here in every client, and a signed 64-bit column holds it.
MAX_SEED = 2**53 - 1

# A GIF counts hundredths of a second, and browsers take a single one for ten.
MAX_FPS = 50
# A WebP counts in 16 bits how often it is played.
MAX_REPEATS = 2**16 - 1

Seed = Annotated[
    int,
    Field(ge=0, le=MAX_SEED, description="any number; the same one, the same answer"),
    NUMBER,
]
# Which of them a model can answer in is not known here: `choose_format` refuses the others.
FormatName = Annotated[
    str,
    Field(
        description="form of the answer; goes before Accept",
        json_schema_extra={"enum": [*FORMATS]},
    ),
]
MethodName = Annotated[str, *one_of("methods", METHODS)]
EasingName = Annotated[str, *one_of("easings", EASINGS)]
Dimension = Annotated[
    int, Field(ge=0, description="a number of the latent, counted from 0"), NUMBER
]


class Strict(BaseModel):
    """Takes what it declares and nothing else, so that a misspelt parameter is not ignored."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)


class Form(Strict):
    """The form of an answer in rows; always in the query."""

    format: FormatName | None = None
    layout: Literal["grid", "strip"] | None = Field(
        None, description="images of a picture in a grid or in one row"
    )
    columns: Annotated[int, Field(ge=1), NUMBER] | None = Field(
        None, description="columns of the grid; as square as can be where absent"
    )
    scale: Whole = Field(1, ge=1, le=64, description="every pixel is drawn scale × scale")
    fps: Whole = Field(
        STILL.fps, ge=1, le=MAX_FPS, description="frames that an animation shows in a second"
    )
    repeats: Whole = Field(
        STILL.repeats,
        ge=0,
        le=MAX_REPEATS,
        description="how many times an animation is played; 0: for ever",
    )
    pingpong: bool = Field(
        STILL.pingpong, description="an animation goes there and back, its ends not doubled"
    )


class SampleRequest(Strict):
    """How many samples of the prior, which, and how far from its centre."""

    n: Whole = Field(1, ge=1, description="number of samples", examples=[16])
    seed: Seed | None = Field(None, examples=[1])
    temperature: Real = Field(1.0, ge=0, le=10, description="scales the prior's standard deviation")


class SampleQuery(Form, SampleRequest):
    """Both in a query."""


class EncodeQuery(Strict):
    """Whether `latents` is the posterior's mean or a draw."""

    seed: Seed | None = Field(None, description="draw `latents` with this seed; else the mean")


class Point(Strict):
    """A point of latent space: a sample's seed, a latent, or an image's (or row's) mean."""

    seed: Seed | None = None
    index: Whole = Field(0, ge=0, description="which sample of the seed")
    temperature: Real = Field(1.0, ge=0, le=10, description="of the sample of the seed")
    latent: list[Any] | None = None
    image: ImageText | None = Field(None, description="base64 of a PNG, JPEG or WebP file")
    row: list[Any] | None = Field(None, description="a row, for vector models")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        self._require_one("seed", "latent", "image", "row")
        if self.seed is None and {"index", "temperature"} & self.model_fields_set:
            raise ValueError("index and temperature are of a seed's sample, and no seed is given")
        return self

    def _require_one(self, *names: str) -> None:
        if sum(getattr(self, name) is not None for name in names) != 1:
            *others, last = names
            raise ValueError(f"give exactly one of {', '.join(others)} and {last}")


class Way(Strict):
    """How to go through the points."""

    steps: Whole = Field(16, ge=2, description="number of frames, the ends included")
    method: MethodName = Field("slerp", description="along the sphere, or straight")
    easing: EasingName = Field("linear", description="slow at the start, at the end, at both")
    spacing: Spacing = Field(
        "even", description="pixel: each frame differs as much from the last as any other does"
    )
    loop: bool = Field(default=False, description="back to the first point, which comes once")
    rows: Annotated[int, Field(ge=2), NUMBER] | None = Field(
        None, description="four points are the corners of a sheet of so many rows"
    )


class InterpolateRequest(Way):
    """A way through two or more points."""

    points: Annotated[list[Point], Field(min_length=2), *at_most("max_points", "points")]


class InterpolateQuery(Form, Way):
    """A way through the samples of two or more seeds."""

    seed: tuple[Seed, ...] = Field(
        min_length=2, description="two or more: seed=1&seed=2", examples=[[1, 2]]
    )


class TraverseRequest(Strict):
    """A point, and the dimensions along which to leave it."""

    point: Point
    dimensions: Annotated[
        list[Dimension] | None, Field(min_length=1), *at_most("max_rows", "dimensions")
    ] = None
    strongest: Whole = Field(
        8, ge=1, description="where no dimensions are named: so many that tell most about a row"
    )
    steps: Whole = Field(11, ge=2, description="images of one dimension")

    @model_validator(mode="after")
    def _named_or_strongest(self) -> Self:
        if self.dimensions is not None and "strongest" in self.model_fields_set:
            raise ValueError(
                "dimensions names where to go, strongest says how many to choose: give one of them"
            )
        return self


class Axes(Strict):
    """Two dimensions of the latent; the two that tell most about a row where they are absent."""

    x: Dimension | None = Field(None, examples=[0])
    y: Dimension | None = Field(None, examples=[1])
    steps: Whole = Field(12, ge=2, description="images in each direction")
    projection: bool = Field(
        default=False, description="samples, laid out by how the encoder sees them"
    )

    @model_validator(mode="after")
    def _no_axes_of_a_projection(self) -> Self:
        if self.projection and {"x", "y", "seed", "point"} & self.model_fields_set:
            raise ValueError(
                "a projection has axes of its own: give no x, y, seed or point with it"
            )
        return self


class MapRequest(Axes):
    """Those, and the point that the other dimensions are of; else their prior's median."""

    point: Point | None = None


class MapQuery(Form, Axes):
    """The same with a sample for the point."""

    seed: Seed | None = Field(
        None, description="the sample that the other dimensions are of; else their prior's median"
    )


class Term(Point):
    """A point or a named direction, and how much of it."""

    direction: str | None = Field(None, description="one that was published with the model")
    weight: Real = Field(1.0, ge=-100, le=100)

    def _require_one(self, *names: str) -> None:
        super()._require_one("direction", *names)


class ArithmeticRequest(Strict):
    """A sum of points and directions."""

    terms: Annotated[list[Term], Field(min_length=1), *at_most("max_points", "terms")]


class RestoreRequest(Strict):
    """An image of which something is not known."""

    point: Point
    mask: ImageText | None = Field(
        None, description="base64 of an image of the model's size; white is to be restored"
    )
    noise: Real = Field(
        0.0, ge=0, le=1, description="standard deviation of the noise on what is not masked"
    )
    seed: Seed = 0
    chains: Whole = Field(16, ge=1, le=256, description="searches, each from another sample")
    steps: Whole = Field(16, ge=1, le=256, description="rounds of each of them")
    samples: Annotated[int, Field(ge=1), NUMBER] | None = Field(
        None, description="so many of the searches' images instead of their mean"
    )


class ReconstructQuery(Form):
    """How often to encode and decode."""

    rounds: Whole = Field(1, ge=1, le=64, description="reconstructions of reconstructions")


class NeighboursRequest(Strict):
    """Points, and how many training rows to find for each."""

    points: Annotated[list[Point], Field(min_length=1), *at_most("max_points", "points")]
    count: Whole = Field(8, ge=1, description="training rows for each point")


class ScoreQuery(Strict):
    """How well to estimate a score."""

    k: Whole = Field(100, ge=1, description="posterior draws a row")
    seed: Seed = 0


class CompressQuery(Strict):
    """What is black and what is white."""

    threshold: Annotated[float, Field(gt=0, le=1), NUMBER] | None = Field(
        None,
        description="makes what is as bright or brighter white, the rest black",
        examples=[0.5],
    )


class PointsRequest(Strict):
    """Several points."""

    points: Annotated[list[Point], Field(min_length=1), *at_most("max_rows", "points")]


class DecodeRequest(Strict):
    """Latents, one a row. What else an answer of `/encode` holds may stay in it, unread."""

    latents: list[Any] = Field(min_length=1)
    model: Any = None
    mean: Any = None
    log_var: Any = None


class EncodeRequest(Strict):
    """Images as base64, or rows of a vector model."""

    images: Annotated[
        list[ImageText] | None, Field(min_length=1), *at_most("max_rows", "images")
    ] = None
    rows: list[Any] | None = Field(None, min_length=1)

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.images is None) == (self.rows is None):
            raise ValueError("give exactly one of images (base64 files) and rows (numbers)")
        return self
