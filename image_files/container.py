"""What is known of an image file before one pixel is unpacked, and the bytes to unpack."""

from typing import NamedTuple

from image_files.errors import DamagedImage

MAX_CHUNKS = 1 << 16
"""Chunks, segments or blocks of one file: each is a step in Python, whatever its length."""


class Container(NamedTuple):
    """An image file by its structure."""

    format: str
    """Pillow's name of it."""
    stored_size: tuple[int, int]
    """Width and height as they are stored."""
    data: bytes
    """The file again, with nothing but what makes the picture."""
    num_frames: int = 1
    orientation: int = 1
    """EXIF's, 1 to 8: how the stored picture is to be turned."""
    plain_channels: int = 0
    """Of a PNG that holds pixels [H, W, C] of 8 bits as they are: C; else 0."""

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the picture when it is upright."""
        width, height = self.stored_size
        return (height, width) if self.orientation > 4 else (width, height)

    @property
    def num_pixels(self) -> int:
        """Pixels of all frames."""
        return self.stored_size[0] * self.stored_size[1] * self.num_frames


def check_count(count: int) -> None:
    """DamagedImage where a file is made of more pieces than any picture needs."""
    if count > MAX_CHUNKS:
        raise DamagedImage(f"it has more than {MAX_CHUNKS} chunks")


def check_frame(size: tuple[int, int], place: tuple[int, int, int, int]) -> None:
    """DamagedImage unless a frame at `place`, x, y, width, height, has pixels inside `size`."""
    x, y, width, height = place
    if width < 1 or height < 1 or x + width > size[0] or y + height > size[1]:
        raise DamagedImage(f"a frame of {width} × {height} lies outside of {size[0]} × {size[1]}")
