"""How an answer in rows looks: what was asked for, and what the format makes of it."""

from typing import NamedTuple

from app.arrays import Rows
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

    def num_bytes(self, rows: Rows) -> int:
        """What writing these rows handles, in PNG's time, which decides where it is done."""
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
    headers = (*headers_of(chosen.media_type, look.model), (b"vary", b"Accept"))
    return Plan(name, chosen, sheet, motion, chosen.levels and images, headers)


def _sheet(look: Look, chosen: Format, motion: Motion, settings: Settings) -> Sheet:
    shape, max_pixels = look.model.manifest.data.shape, settings.max_pixels
    layout = chosen.layout or look.layout
    sheet = Sheet(columns_for(look.num_rows, layout, look.columns), look.scale)
    # The service refuses too many rows in its own words.
    if chosen.levels and look.num_rows <= settings.max_rows:
        drawn = num_drawn(look.num_rows, layout, motion)
        check_drawable(drawn, shape, sheet, max_pixels)
        check_sides(1 if layout == "frames" else drawn, shape, sheet, chosen.max_side)
    elif chosen.draws:
        check_drawable(1, shape, Sheet(1, look.scale), max_pixels)
    return sheet
