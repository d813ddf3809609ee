"""How an answer in rows looks: what was asked for, and what the format makes of it."""

from math import ceil, prod
from typing import NamedTuple

from app.arrays import FLOAT_BYTES, Rows
from app.errors import BadValue
from app.formats import ANIMATIONS, FORMATS, Format, choose_format
from app.layout import (
    STILL,
    LayoutName,
    Motion,
    Sheet,
    check_drawable,
    check_sides,
    columns_for,
    num_drawn,
)
from app.routes.reply import headers_of
from app.service import ServedModel
from app.settings import Settings

# Of a byte of pixels while it is written: as it is arranged, enlarged and filtered, compressed to
# no less, and copied into the file.
COPIES = 6
# Of a number as text, while it is put together.
NUMBER_TEXT_BYTES = 28


class Look(NamedTuple):
    """All that was asked for and decides on how an answer looks."""

    model: ServedModel
    num_rows: int
    accept: bytes
    format: str | None
    layout: LayoutName
    columns: int | None
    scale: int
    fps: int
    repeats: int
    pingpong: bool


class Plan(NamedTuple):
    """How an answer of that look is made; found out once."""

    name: str  # the format's
    format: Format
    sheet: Sheet | None
    motion: Motion
    levels: bool  # whether the format takes images as levels
    headers: tuple[tuple[bytes, bytes], ...]  # shared by all answers of the look
    num_bytes: int  # that the rows and all that is made of them take in memory at most
    effort: int  # bytes that are written, in PNG's time, which decides where it is done

    def effort_of(self, rows: Rows) -> int:
        """The same of a part of the rows."""
        scale = self.sheet.scale if self.sheet else 1
        return rows.nbytes * scale**2 * self.format.effort


def make_plan(look: Look, settings: Settings) -> Plan:
    """An answer's plan; raises NotAcceptable, BadValue or LimitExceeded where there is none."""
    data = look.model.manifest.data
    images = data.kind == "image"
    name = choose_format(look.format, look.accept.decode("latin-1"), images=images)
    chosen = FORMATS[name]
    motion = Motion(look.fps, look.repeats, look.pingpong)
    if motion != STILL and name not in ANIMATIONS:
        raise BadValue(
            f"fps, repeats and pingpong are of animations, which {name} is none of: leave them "
            f"out, or ask for images as one of ?format={'|'.join(ANIMATIONS)}"
        )
    sheet = _sheet(look, chosen, motion, settings) if images else None
    # The service refuses too many rows in its own words.
    cost = _cost(look, chosen, sheet) if look.num_rows <= settings.max_rows else (0, 0)
    headers = (*headers_of(chosen.media_type, look.model), (b"vary", b"Accept"))
    return Plan(name, chosen, sheet, motion, chosen.levels and images, headers, *cost)


def _cost(look: Look, chosen: Format, sheet: Sheet | None) -> tuple[int, int]:
    """Bytes of memory that a response takes at most, and its effort."""
    shape = look.model.manifest.data.shape
    numbers = look.num_rows * prod(shape)
    if sheet is None or not chosen.levels:
        text_bytes = 0 if chosen.draws or not chosen.effort else NUMBER_TEXT_BYTES
        return numbers * (FLOAT_BYTES + text_bytes), FLOAT_BYTES * numbers * chosen.effort
    layout = chosen.layout or look.layout
    drawn = num_drawn(look.num_rows, layout, Motion(look.fps, look.repeats, look.pingpong))
    one_by_one = layout == "frames" or not chosen.one_picture
    places = drawn if one_by_one else ceil(drawn / sheet.columns) * sheet.columns
    pixel_bytes = places * prod(shape) * sheet.scale**2
    together = pixel_bytes // places if one_by_one else pixel_bytes
    encoder_bytes = together // shape[0] * chosen.encoder_bytes
    return numbers + COPIES * pixel_bytes + encoder_bytes, pixel_bytes * chosen.effort


def _sheet(look: Look, chosen: Format, motion: Motion, settings: Settings) -> Sheet:
    shape, max_pixels = look.model.manifest.data.shape, settings.max_pixels
    layout = chosen.layout or look.layout
    sheet = Sheet(columns_for(look.num_rows, layout, look.columns), look.scale)
    if chosen.levels and look.num_rows <= settings.max_rows:
        drawn = num_drawn(look.num_rows, layout, motion)
        check_drawable(drawn, shape, sheet, max_pixels)
        check_sides(1 if layout == "frames" else drawn, shape, sheet, chosen.max_side)
    elif chosen.draws:
        check_drawable(1, shape, Sheet(1, look.scale), max_pixels)
    return sheet
