"""Which format a file has, by its first bytes and by nothing else."""

from collections.abc import Callable, Collection

from image_files import gif, jpeg, png, webp
from image_files.container import Container
from image_files.decoding import pillow_container
from image_files.errors import UnknownFormat


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda file: file.startswith(signatures)


FORMATS: dict[str, tuple[Callable[[bytes], bool], Callable[[bytes], Container]]] = {
    "PNG": (_starts(png.SIGNATURE), png.read),
    "JPEG": (_starts(jpeg.SIGNATURE), jpeg.read),
    "WEBP": (webp.fits, webp.read),
    "GIF": (_starts(*gif.SIGNATURES), gif.read),
    # Only ever of one's own disk.
    "BMP": (_starts(b"BM"), lambda file: pillow_container(file, "BMP")),
    "TIFF": (
        _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        lambda file: pillow_container(file, "TIFF"),
    ),
}


def open_image(file: bytes, formats: Collection[str]) -> Container:
    """What there is to know of a file in one of `formats`; UnknownFormat or DamagedImage."""
    for name in formats:
        fits, read = FORMATS[name]
        if fits(file):
            return read(file)
    raise UnknownFormat(f"not a file that can be read as {', '.join(formats)}")
