"""The forms an answer can take. A new one is a file beside this and a line in FORMATS."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from app.errors import NotAcceptable
from app.formats import (
    apng,
    gif,
    json,
    npy,
    pillow,
    png,
    raw,
    safetensors,
    sprite,
    webp,
    zip,  # noqa: A004 - named by its form
)
from app.formats.answer import Answer, Buffer, Head, PartWriter, Write
from app.layout import Layout

__all__ = [
    "ANIMATIONS",
    "FORMATS",
    "RENDERER",
    "Answer",
    "Buffer",
    "Format",
    "Head",
    "PartWriter",
    "choose_format",
]


class Format(NamedTuple):
    """One form of an answer in rows."""

    media_type: str
    draws: bool  # pictures only, so the rows have to be images
    levels: bool  # takes images as uint8 [N, H, W, C], not as numbers
    write: Write
    layout: Layout | None = None  # goes before the one asked for
    max_side: int = 2**31 - 1  # pixels that a picture may be wide or high; PNG's own limit
    effort: int = 1  # how many times PNG's time a byte of pixels, or of numbers, takes
    encoder_bytes: int = 0  # of memory that a pixel takes in the encoder itself
    one_picture: bool = True  # whether all rows are drawn together; else one after the other
    in_parts: Callable[[Head], PartWriter] | None = (
        None  # where it can begin before all rows are there
    )


FORMATS = {
    "png": Format("image/png", draws=True, levels=True, write=png.write),
    "json": Format(
        "application/json",
        draws=False,
        levels=True,
        write=json.write,
        effort=2,
        one_picture=False,
    ),
    "npy": Format(
        "application/x-npy",
        draws=False,
        levels=False,
        write=raw.whole(npy.header),
        effort=0,
        in_parts=raw.in_parts(npy.header),
    ),
    "safetensors": Format(
        "application/x-safetensors",
        draws=False,
        levels=False,
        write=raw.whole(safetensors.header),
        effort=0,
        in_parts=raw.in_parts(safetensors.header),
    ),
    "zip": Format(
        "application/zip",
        draws=True,
        levels=True,
        write=zip.write,
        in_parts=zip.Pictures,
        one_picture=False,
    ),
    "webp": Format(
        "image/webp",
        draws=True,
        levels=True,
        write=webp.write,
        max_side=webp.MAX_SIDE,
        effort=16,
        encoder_bytes=pillow.WEBP_BYTES,
    ),
    "gif": Format(
        "image/gif",
        draws=True,
        levels=True,
        write=gif.write,
        layout="frames",
        max_side=gif.MAX_SIDE,
        effort=32,
    ),
    "apng": Format("image/apng", draws=True, levels=True, write=apng.write, layout="frames"),
    "webp-animation": Format(
        "image/webp",
        draws=True,
        levels=True,
        write=webp.write_animation,
        layout="frames",
        max_side=webp.MAX_SIDE,
        effort=32,
        encoder_bytes=pillow.WEBP_BYTES,
    ),
    "sprite": Format(
        "application/zip",
        draws=True,
        levels=True,
        write=sprite.write,
        layout="square",
        max_side=sprite.MAX_SIDE,
    ),
}
ANIMATIONS = [name for name, form in FORMATS.items() if form.layout == "frames"]
# What writes them, of which other releases may give other bytes; see app.formats.fingerprint.
RENDERER = f"{png.COMPRESSOR} {pillow.VERSION} {json.VERSION}"


def choose_format(asked: str | None, accept: str | None, *, images: bool) -> str:
    """The name of the form to answer in: the one asked for, else the one that `accept` wants most.

    Without a wish, images answer as PNG and vectors as JSON. Quality values order the wishes, the
    most specific range counts (RFC 9110, section 12.5.1), and of equal wishes the first. Of formats
    of one media type it is the first. Raises NotAcceptable where the model has no such form.
    """
    if asked is not None:
        return _possible(asked, images=images)
    usual = "png" if images else "json"
    wishes = _wishes(accept or "*/*")
    names = [usual, *(name for name, form in FORMATS.items() if images or not form.draws)]
    wanted = {name: _wish(FORMATS[name].media_type, wishes) for name in names}
    best = max(names, key=wanted.__getitem__)
    if wanted[best][0] == 0:
        return _refuse(f"Accept names {', '.join(wishes)[:80]}", images=images)
    # Browsers name WebP and APNG wherever they go, and take any picture: theirs is the usual one,
    # which is made in a twentieth of the time.
    anything = "*/*" in wishes or "image/*" in wishes
    if anything and wanted[usual][0] > 0 and FORMATS[best].media_type.startswith("image/"):
        return usual
    return best


def _possible(asked: str, *, images: bool) -> str:
    if asked not in FORMATS:
        return _refuse(f"there is no format {asked[:40]!r}", images=images)
    if FORMATS[asked].draws and not images:
        return _refuse("this model's data are vectors, which have no picture", images=images)
    return asked


def _refuse(why: str, *, images: bool) -> str:
    forms = [name for name, form in FORMATS.items() if images or not form.draws]
    raise NotAcceptable(f"{why}; ask for one of ?format={'|'.join(forms)}")


# How much something is wanted, and the number of wishes before it, negative: the largest counts.
Wish = tuple[float, int]


def _wishes(accept: str) -> dict[str, Wish]:
    """The media ranges of an Accept header."""
    ranges: dict[str, Wish] = {}
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            ranges.setdefault(name.lower(), (max(0.0, float(quality)), -len(ranges)))
        except ValueError:
            continue
    return ranges


def _wish(media_type: str, wishes: Mapping[str, Wish]) -> Wish:
    kind = media_type.partition("/")[0]
    ranges = (media_type, f"{kind}/*", "*/*")
    return next((wishes[name] for name in ranges if name in wishes), (0, 0))
