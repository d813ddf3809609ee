"""zip: one PNG a row, `000000.png` and on; the pictures are stored, being compressed already."""

from collections.abc import Sequence
from zipfile import ZipFile, ZipInfo

from app.arrays import Rows
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


class Pictures:
    """The archive of one answer.

    Its memory grows by some 400 bytes a row: the list at the end of a zip names every file.
    """

    length: int | None = None

    def __init__(self, head: Head) -> None:
        self._head = head
        self._alone = Sheet(columns=1, scale=head.sheet.scale if head.sheet else 1)
        self._outlet = Outlet()
        self._archive = ZipFile(self._outlet, "w")
        self._count = 0

    def begin(self) -> Buffer:
        """Nothing stands before the first file."""
        return b""

    def part(self, rows: Rows) -> Buffer:
        """The next pictures."""
        images = Answer(self._head, rows).images
        for row in range(len(images)):
            picture = png.encode(arrange(images[row : row + 1], self._alone))
            self._archive.writestr(ZipInfo(f"{self._count:06}.png", DATE), picture)
            self._count += 1
        return self._outlet.take()

    def end(self) -> Buffer:
        """The list of all of them."""
        self._archive.close()
        return self._outlet.take()


def write(answer: Answer) -> Sequence[Buffer]:
    """The rows of an answer that is all there."""
    pictures = Pictures(answer.head)
    return (pictures.part(answer.rows), pictures.end())
