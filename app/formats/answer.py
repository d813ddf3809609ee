"""What a format is given to write, and what it gives back."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, TypeAlias, cast

from app.arrays import Doubles, Floats, Levels, Rows, all_finite
from app.errors import NotFinite
from app.layout import STILL, Motion, Sheet, enlarge

Buffer: TypeAlias = bytes | memoryview


class Head(NamedTuple):
    """What is known of an answer before its rows are there."""

    model: str
    seeds: tuple[int, ...]
    num_rows: int
    row_shape: tuple[int, ...]  # the model's data shape
    sheet: Sheet | None  # how rows are drawn; None where they are not images
    motion: Motion = STILL  # how they follow each other where they are frames
    temperature: float = 1.0  # of the seeds' samples

    @property
    def origin(self) -> dict[str, object]:
        """What a file says of its rows: `model`, `seeds`, `temperature` if it is not 1."""
        tempered = {"temperature": self.temperature} if self.temperature != 1 else {}
        return {"model": self.model, "seeds": self.seeds, **tempered}


class Answer(NamedTuple):
    """An answer whose rows are all there: float32 [N, *row_shape], or levels [N, H, W, C]."""

    head: Head
    rows: Rows
    check: Callable[[], None] = lambda: None
    """Raises where nobody waits for the answer any more; to be called now and then."""

    @property
    def images(self) -> Levels:
        """The rows of a format that asked for levels."""
        return cast(Levels, self.rows)

    @property
    def one_by_one(self) -> Iterator[Levels]:
        """The images [H, W, C], as long as somebody waits."""
        for image in self.images:
            self.check()
            yield image

    @property
    def pictures(self) -> Iterator[Levels]:
        """The same, each as a picture of its own [H', W', C], scaled."""
        scale = self.head.sheet.scale if self.head.sheet else 1
        return (enlarge(image, scale) for image in self.one_by_one)

    @property
    def picture_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of each of them."""
        scale = self.head.sheet.scale if self.head.sheet else 1
        _, height, width, channels = self.images.shape
        return height * scale, width * scale, channels


class PartWriter(Protocol):
    """Writes one answer whose rows come in parts."""

    length: int | None  # in bytes, where it is known beforehand

    def begin(self) -> Buffer:
        """What stands before the rows."""

    def part(self, rows: Rows) -> Buffer:
        """The next rows."""

    def end(self) -> Buffer:
        """What stands behind them."""


Write: TypeAlias = Callable[[Answer], Sequence[Buffer]]


def check_finite(numbers: Floats | Doubles) -> None:
    """Raise NotFinite where one is NaN or infinite: no form of an answer may hold it."""
    if not all_finite(numbers):
        raise NotFinite("the answer holds NaN or infinity, which is never written")
