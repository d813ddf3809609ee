"""One datum of a model: its kind, its shape, and how images are to be read.

Knows shapes and ranges, not the data.
"""

import math
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from model_store.probe import Record

MAX_ROW = 1 << 24  # numbers in one row: an image of 3 x 2048 x 2048 fits
NUM_LEVELS = 256  # of an 8-bit pixel


def check_row_size(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Give the shape back, or raise ValueError where a row of it has too many numbers."""
    if math.prod(shape) > MAX_ROW:
        raise ValueError(f"a row of shape {list(shape)} exceeds {MAX_ROW} numbers")
    return shape


Size = Annotated[int, Field(ge=1)]
Shape = Annotated[
    tuple[Size, ...], Field(min_length=1, max_length=8), AfterValidator(check_row_size)
]


class DataSpec(Record):
    """One datum: an image `[C, H, W]` in [0, 1], or a vector `[D]` of any real numbers."""

    kind: Literal["image", "vectors"]
    shape: Shape
    value_range: tuple[float, float] | None
    columns: tuple[Annotated[str, Field(min_length=1)], ...] | None = None
    """The names of a vector's numbers, where they have names."""
    ground: Literal["black", "white"] | None = None
    """What transparent images were laid on in training; absent: their alpha is dropped."""

    @model_validator(mode="after")
    def _kind_shape_and_range_agree(self) -> Self:
        dimensions, value_range = (3, (0.0, 1.0)) if self.kind == "image" else (1, None)
        if len(self.shape) != dimensions:
            raise ValueError(f"{self.kind} has {dimensions} dimension(s), not {list(self.shape)}")
        if self.value_range != value_range:
            raise ValueError(f"{self.kind} has value_range {value_range}, not {self.value_range}")
        return self

    @model_validator(mode="after")
    def _columns_name_the_numbers(self) -> Self:
        if self.columns is None:
            return self
        if self.kind != "vectors" or len(self.columns) != self.shape[0]:
            raise ValueError(f"{len(self.columns)} columns name {self.kind} of {list(self.shape)}")
        if len(set(self.columns)) != len(self.columns):
            raise ValueError("columns repeat a name")
        return self

    @model_validator(mode="after")
    def _ground_is_of_images_without_alpha(self) -> Self:
        if self.ground is not None and (self.kind != "image" or self.shape[0] not in {1, 3}):
            raise ValueError(f"{self.kind} of {list(self.shape)} lie on no ground")
        return self

    @model_serializer(mode="wrap")
    def _without_absent_facts(self, written: SerializerFunctionWrapHandler) -> dict[str, object]:
        """A release that knows none of them reads the manifests of rows that have none."""
        fields: dict[str, object] = written(self)
        return {
            name: value
            for name, value in fields.items()
            if value is not None or name not in {"columns", "ground"}
        }
