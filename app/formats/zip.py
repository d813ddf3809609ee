"""zip: one PNG a row, `000000.png` and on; the pictures are stored, being compressed already."""

from collections.abc import AsyncGenerator, Sequence
from zipfile import ZipFile, ZipInfo

from app.arrays import Levels, Rows
from app.formats import png
from app.formats.answer import Answer, Buffer, Head
from app.layout import Sheet, arrange

# Entries carry a date; one that does not change keeps equal answers equal.
DATE = (1980, 1, 1, 0, 0, 0)


class Outlet:
    """A file that can only be written to: what was written is taken from it."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """What was written since the last time."""
        taken = b"".join(self._written)
        self._written.clear()
        return taken


def write(answer: Answer) -> Sequence[Buffer]:
    """The rows of an answer that is all there."""
    outlet = Outlet()
    with ZipFile(outlet, "w") as archive:
        _add(archive, answer.images, 0, answer.head.sheet)
    return (outlet.take(),)


async def stream(head: Head, parts: AsyncGenerator[Rows, None]) -> AsyncGenerator[Buffer, None]:
    """The rows as they come."""
    outlet = Outlet()
    count = 0
    with ZipFile(outlet, "w") as archive:
        async for rows in parts:
            _add(archive, Answer(head, rows).images, count, head.sheet)
            count += len(rows)
            yield outlet.take()
    yield outlet.take()


def _add(archive: ZipFile, images: Levels, first: int, sheet: Sheet | None) -> None:
    alone = Sheet(columns=1, scale=sheet.scale if sheet else 1)
    for row in range(len(images)):
        picture = png.encode(arrange(images[row : row + 1], alone))
        archive.writestr(ZipInfo(f"{first + row:06}.png", DATE), picture)
