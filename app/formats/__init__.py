"""The forms an answer can take. A new one is a file beside this and a line in FORMATS."""

from collections.abc import Callable
from typing import NamedTuple

from app.errors import NotAcceptable
from app.formats import json, npy, png, raw, safetensors, zip  # noqa: A004 - named by its form
from app.formats.answer import Answer, Buffer, Head, PartWriter, Write

__all__ = [
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
    in_parts: Callable[[Head], PartWriter] | None = (
        None  # where it can begin before all rows are there
    )


FORMATS = {
    "png": Format("image/png", draws=True, levels=True, write=png.write),
    "json": Format("application/json", draws=False, levels=True, write=json.write),
    "npy": Format(
        "application/x-npy",
        draws=False,
        levels=False,
        write=raw.whole(npy.header),
        in_parts=raw.in_parts(npy.header),
    ),
    "safetensors": Format(
        "application/x-safetensors",
        draws=False,
        levels=False,
        write=raw.whole(safetensors.header),
        in_parts=raw.in_parts(safetensors.header),
    ),
    "zip": Format(
        "application/zip", draws=True, levels=True, write=zip.write, in_parts=zip.Pictures
    ),
}
# What else than the question an answer's bytes depend on.
RENDERER = png.COMPRESSOR


def choose_format(asked: str | None, accept: str | None, *, images: bool) -> str:
    """The name of the form to answer in: the one asked for, else the first that `accept` takes.

    Without a wish, images answer as PNG and vectors as JSON. Raises NotAcceptable where the model
    has no such form; quality values in `accept` order the wishes (RFC 9110, section 12.5.1).
    """
    if asked is not None:
        return _possible(asked, images=images)
    usual = "png" if images else "json"
    wishes = _wishes(accept or "*/*")
    for wish in wishes:
        for name in (usual, *FORMATS):
            if _matches(wish, FORMATS[name].media_type) and (images or not FORMATS[name].draws):
                return name
    return _refuse(f"Accept names {', '.join(wishes)[:80]}", images=images)


def _possible(asked: str, *, images: bool) -> str:
    if asked not in FORMATS:
        return _refuse(f"there is no format {asked[:40]!r}", images=images)
    if FORMATS[asked].draws and not images:
        return _refuse("this model's data are vectors, which have no picture", images=images)
    return asked


def _refuse(why: str, *, images: bool) -> str:
    forms = [name for name, form in FORMATS.items() if images or not form.draws]
    raise NotAcceptable(f"{why}; ask for one of ?format={'|'.join(forms)}")


def _wishes(accept: str) -> list[str]:
    """The media ranges of an Accept header, the most wanted first; those of quality 0 left out."""
    ranges = []
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            ranges.append((float(quality), name.lower()))
        except ValueError:
            continue
    ranges.sort(key=lambda item: -item[0])
    return [name for quality, name in ranges if quality > 0]


def _matches(wish: str, media_type: str) -> bool:
    if wish.endswith("/*"):
        return wish == "*/*" or media_type.startswith(wish[:-1])
    return wish == media_type
