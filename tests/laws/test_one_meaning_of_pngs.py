"""A PNG means the same to training and to the service, and to both what its specification says."""

import os
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.laws import pngs
from tests.laws.pngs import HEIGHT, WIDTH, Kind, chunk
from tests.laws.rooms import by_both, refused_by_both

Levels = NDArray[np.uint8]
KINDS = [*pngs.kinds()]
GROUNDS = {"black": 0, "white": 255}


def luma(colours: Levels) -> NDArray[np.int64]:
    """ITU-R 601-2, as Pillow rounds it."""
    weighed = colours.astype(np.int64) @ np.array([19595, 38470, 7471]) + 0x8000
    grey: NDArray[np.int64] = (weighed >> 16)[..., None]
    return grey


def laid_on(rgba: Levels, level: int) -> NDArray[np.float64]:
    alpha = rgba[..., 3:].astype(float) / 255
    return alpha * rgba[..., :3] + (1 - alpha) * level


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_kind_means_what_the_specification_says(kind: Kind) -> None:
    values = pngs.samples(kind)
    file, rgba = pngs.write(kind, values), pngs.meant(kind, values)
    shape = (HEIGHT, WIDTH)
    assert np.array_equal(by_both(file, (3, *shape))[0], rgba[..., :3])
    assert np.array_equal(by_both(file, (1, *shape))[0], luma(rgba[..., :3]))
    opaque = rgba[..., 3] == 255
    for ground, level in GROUNDS.items():
        laid = by_both(file, (3, *shape), ground)[0]  # type: ignore[arg-type]
        assert np.array_equal(laid[opaque], rgba[opaque][:, :3])
        assert np.abs(laid - laid_on(rgba, level)).max() <= 1
        hidden = rgba[..., 3] == 0
        assert (laid[hidden] == level).all()
        assert np.array_equal(by_both(file, (1, *shape), ground)[0], luma(laid))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_is_no_picture_changes_nothing(kind: Kind) -> None:
    values = pngs.samples(kind)
    noise = os.urandom(1 << 12)
    for extra in (
        chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(noise * 512)),
        chunk(b"iCCP", b"no profile"),
        chunk(b"gAMA", struct.pack(">I", 220000)) + chunk(b"cHRM", bytes(32)),
        chunk(b"sRGB", b"\3") + chunk(b"cICP", bytes((9, 16, 0, 1))),
        chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(1 << 18))) * 300,
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0<x:xmpmeta tiff:Orientation='6'/>"),
        chunk(b"sBIT", b"\1\1\1") + chunk(b"bKGD", bytes(6)) + chunk(b"hIST", bytes(2)),
        chunk(b"pHYs", b"") + chunk(b"tEXt", b"") + chunk(b"acTL", bytes(8)),
        chunk(b"prVt", noise),
    ):
        for shape in ((1, HEIGHT, WIDTH), (3, HEIGHT, WIDTH)):
            plain = by_both(pngs.write(kind, values), shape)
            assert np.array_equal(by_both(pngs.write(kind, values, extra), shape), plain)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_cut_or_short_file_is_refused_and_what_follows_the_end_is_not_seen(kind: Kind) -> None:
    shape = (3, HEIGHT, WIDTH)
    values = pngs.samples(kind)
    file = pngs.write(kind, values)
    plain = by_both(file, shape)
    assert np.array_equal(by_both(file + b"PK\3\4 garbage", shape), plain)
    for length in range(0, len(file), 7):
        assert refused_by_both(file[:length], shape)
    lines = pngs.lines(kind, values)
    start = file.index(b"IDAT") - 4
    for data in (lines[:-1], lines[: len(lines) // 2], b""):
        short = file[:start] + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
        assert refused_by_both(short, shape)
    # Far more lines than the picture has: they are never unpacked.
    much = zlib.compress(lines + bytes(1 << 22))
    long = file[:start] + chunk(b"IDAT", much) + chunk(b"IEND", b"")
    assert np.array_equal(by_both(long, shape), plain)
    broken = bytearray(zlib.compress(lines))
    broken[len(broken) // 2] ^= 0xFF
    wrong = file[:start] + chunk(b"IDAT", bytes(broken)) + chunk(b"IEND", b"")
    refused_by_both(wrong, shape)


@pytest.mark.parametrize(
    "header",
    [
        (0, 5, 8, 0, 0, 0, 0),
        (5, 0, 8, 0, 0, 0, 0),
        (1 << 31, 5, 8, 0, 0, 0, 0),
        (5, 5, 3, 0, 0, 0, 0),
        (5, 5, 16, 3, 0, 0, 0),
        (5, 5, 8, 5, 0, 0, 0),
        (5, 5, 8, 0, 1, 0, 0),
        (5, 5, 8, 0, 0, 1, 0),
        (5, 5, 8, 0, 0, 0, 2),
    ],
)
def test_a_header_that_no_png_has_is_refused(header: tuple[int, ...]) -> None:
    head = pngs.SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
    file = head + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    assert refused_by_both(file, (1, 5, 5))


def test_chunks_in_no_order_are_refused() -> None:
    kind = Kind(3, 8, interlaced=False, key=False)
    file = pngs.write(kind, pngs.samples(kind))
    table, data = file.index(b"PLTE") - 4, file.index(b"IDAT") - 4
    start, end = file[:table], file[-12:]
    palette, picture = file[table:data], file[data:-12]
    shape = (3, HEIGHT, WIDTH)
    assert not refused_by_both(start + palette + picture + end, shape)
    for parts in ((picture, palette), (palette, palette, picture), (picture,), (palette,)):
        assert refused_by_both(start + b"".join(parts) + end, shape)
    unknown = chunk(b"CgBI", b"\x50\0\x20\2")
    assert refused_by_both(start + unknown + palette + picture + end, shape)
    assert refused_by_both(file[:8] + unknown + file[8:], shape)


@pytest.mark.parametrize("colour_type", [2, 4, 6])
def test_palettes_and_transparency_where_they_have_no_meaning_are_ignored(colour_type: int) -> None:
    kind = Kind(colour_type, 8, interlaced=False, key=False)
    values = pngs.samples(kind)
    extra = chunk(b"PLTE", bytes(range(9)))
    extra += chunk(b"tRNS", bytes(6)) if colour_type != 2 else b""
    for ground in GROUNDS:
        plain = by_both(pngs.write(kind, values), (3, HEIGHT, WIDTH), ground)  # type: ignore[arg-type]
        file = pngs.write(kind, values, extra)
        assert np.array_equal(by_both(file, (3, HEIGHT, WIDTH), ground), plain)  # type: ignore[arg-type]


def test_only_the_low_bits_of_a_transparent_colour_count() -> None:
    for kind in KINDS:
        if kind.key and kind.colour_type != 3 and kind.depth < 16:
            values = pngs.samples(kind)
            plain = pngs.write(kind, values)
            key = pngs.key_of(kind)
            high = chunk(
                b"tRNS", (key + (0xFF00 & ~((1 << kind.depth) - 1))).astype(">u2").tobytes()
            )
            file = plain.replace(chunk(b"tRNS", key.astype(">u2").tobytes()), high)
            shape = (3, HEIGHT, WIDTH)
            assert file != plain
            assert np.array_equal(by_both(file, shape, "white"), by_both(plain, shape, "white"))


def test_a_palette_may_have_fewer_or_more_alphas_than_colours() -> None:
    kind = Kind(3, 2, interlaced=False, key=True)
    values = pngs.samples(kind)
    plain, table = pngs.write(kind, values), pngs.palette(kind)
    for count in (0, 1, 3, 4, 9, 174):
        alphas = np.zeros(count, np.uint8)
        alphas[: min(count, 4)] = table[:count, 3]
        old = chunk(b"tRNS", table[:, 3].tobytes())
        file = plain.replace(old, chunk(b"tRNS", alphas.tobytes()) if count else b"")
        colours = table.copy()
        colours[count:, 3] = 255
        expected = laid_on(colours[values[..., 0]], 255)
        laid = by_both(file, (3, HEIGHT, WIDTH), "white")[0]
        assert np.abs(laid - expected).max() <= 1
