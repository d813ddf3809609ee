"""JPEG, WebP, GIF, APNG and TIFF files mean the same to training and to the service."""

import io
import itertools
import os
import struct

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from app.errors import BadBody
from app.formats import FORMATS
from app.formats.answer import Answer, Head
from tests.laws.rooms import by_both, by_service, by_training, refused_by_both

Levels = NDArray[np.uint8]
HEIGHT, WIDTH = 19, 34
SHAPES = [(1, HEIGHT, WIDTH), (3, HEIGHT, WIDTH)]


def picture(mode: str, seed: int = 0) -> Image.Image:
    """Smooth colours, as JPEG likes them."""
    waves = np.sin(np.linspace(0, 3, HEIGHT))[:, None] * np.cos(np.linspace(0, 4, WIDTH) + seed)
    channels = len(mode) if mode != "P" else 3
    levels = np.stack([waves * (60 + 9 * place) + 120 for place in range(channels)], -1)
    image = Image.fromarray(levels.astype(np.uint8).squeeze(), mode if mode != "P" else "RGB")
    return image.quantize(32) if mode == "P" else image


def saved(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def by_pillow(file: bytes, channels: int) -> Levels:
    """What Pillow makes of the whole file: upright, and of no alpha."""
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(file)))
    pixels = np.asarray(image.convert("RGB").convert("L" if channels == 1 else "RGB"))
    return pixels.reshape(image.height, image.width, channels)


def exif(orientation: int, order: str = "<") -> bytes:
    start = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0)
    body = struct.pack(f"{order}IH", 8, 1) + entry + bytes(4)
    return b"Exif\0\0" + start + body


OPTIONS: list[tuple[str, tuple[str, ...], list[dict[str, object]]]] = [
    (
        "JPEG",
        ("L", "RGB", "CMYK"),
        [{}, {"progressive": True}, {"quality": 100}, {"optimize": True}],
    ),
    ("WEBP", ("L", "RGB"), [{"lossless": True}, {"quality": 60}]),
    ("GIF", ("L", "P"), [{}, {"interlace": True}, {"comment": b"x" * 70000}]),
]
STILLS = {
    f"{form} {mode} {options}"[:60]: saved(picture(mode), form, **options)
    for form, modes, many in OPTIONS
    for mode, options in itertools.product(modes, many)
} | {
    "JPEG with restarts": saved(picture("RGB"), "JPEG", restart_marker_blocks=1),
    "JPEG of RGB": saved(picture("RGB"), "JPEG", keep_rgb=True),
    "JPEG 4:1:1": saved(picture("RGB"), "JPEG", subsampling=2),
}


@pytest.mark.parametrize("name", STILLS)
def test_stills_are_what_pillow_reads_and_ballast_changes_nothing(name: str) -> None:
    file = STILLS[name]
    for shape in SHAPES:
        assert np.array_equal(by_both(file, shape)[0], by_pillow(file, shape[0]))
        assert np.array_equal(by_both(file + b"PK\3\4 and more", shape), by_both(file, shape))
        for length in range(0, len(file), max(1, len(file) // 40)):
            assert refused_by_both(file[:length], shape)


@pytest.mark.parametrize("form", ["JPEG", "WEBP"])
def test_profiles_and_texts_are_dropped_unread(form: str) -> None:
    noise = os.urandom(3 << 20)
    ballast = {"icc_profile": noise, "xmp": noise[:9999]}
    options = {"lossless": True} if form == "WEBP" else {"comment": noise[:9999]}
    plain = saved(picture("RGB"), form, **({"lossless": True} if form == "WEBP" else {}))
    full = saved(picture("RGB"), form, **options, **ballast)
    assert len(full) > len(plain) + (3 << 20)
    for shape in SHAPES:
        assert np.array_equal(by_both(full, shape), by_both(plain, shape))


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(10))
def test_pictures_are_turned_upright(form: str, orientation: int) -> None:
    options: dict[str, object] = {"lossless": True} if form == "WEBP" else {}
    if form == "TIFF":
        options["tiffinfo"] = {0x0112: orientation}
    files = [saved(picture("RGB"), form, **options)]
    if form != "TIFF":
        files = [saved(picture("RGB"), form, exif=exif(orientation, o), **options) for o in "<>"]
    for file in files:
        want = by_pillow(file, 3)
        height, width = want.shape[:2]
        assert (height > width) == (orientation in {5, 6, 7, 8})
        read = by_training if form == "TIFF" else by_both
        assert np.array_equal(read(file, (3, height, width))[0], want)


@pytest.mark.parametrize(
    "broken", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"MM\0*\0\0\0\x08\xff\xff"]
)
def test_broken_exif_is_no_reason_to_refuse_a_picture(broken: bytes) -> None:
    file = saved(picture("RGB"), "JPEG", exif=b"Exif\0\0" + broken)
    plain = saved(picture("RGB"), "JPEG")
    assert np.array_equal(by_both(file, SHAPES[1]), by_both(plain, SHAPES[1]))


@pytest.mark.parametrize("form", ["webp-animation", "gif", "apng"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_what_the_service_writes_as_an_animation_both_read_frame_by_frame(
    form: str, channels: int
) -> None:
    draw = np.random.default_rng(channels)
    images = draw.integers(0, 4, (5, HEIGHT, WIDTH, channels)).astype(np.uint8) * 85
    images[3] = images[2]  # equal frames stay frames
    if channels == 4:
        images[..., 3] = 255
    shape = (channels, HEIGHT, WIDTH)
    answer = Answer(Head("m@1", (), len(images), shape, None), images)
    file = b"".join(FORMATS[form].write(answer))
    read = by_both(file, (min(channels, 3), HEIGHT, WIDTH))
    assert np.array_equal(read, images[..., :3] if channels == 4 else images)


@pytest.mark.parametrize("form", ["WEBP", "GIF", "PNG"])
def test_frames_that_change_a_part_are_whole_pictures(form: str) -> None:
    frames = [picture("RGB", seed).quantize(16).convert("RGB") for seed in range(4)]
    box = frames[1].copy()
    box.paste((255, 0, 0), (3, 4, 9, 12))
    frames = [frames[0], frames[1], box, frames[1]]
    options = {"lossless": True} if form == "WEBP" else {}
    file = saved(
        frames[0],
        form,
        save_all=True,
        append_images=frames[1:],
        duration=[50, 60, 70, 80],
        **options,
    )
    read = by_both(file, SHAPES[1])
    assert len(read) == 4
    for got, frame in zip(read, frames, strict=True):
        assert np.array_equal(got, np.asarray(frame))


def test_the_picture_for_readers_without_animations_is_no_frame() -> None:
    frames = [picture("RGB", seed) for seed in range(3)]
    file = saved(frames[0], "PNG", save_all=True, append_images=frames[1:], default_image=True)
    read = by_both(file, SHAPES[1])
    assert np.array_equal(read, np.stack([np.asarray(frame) for frame in frames[1:]]))


def test_a_jpeg_of_more_scans_than_any_encoder_writes_is_refused() -> None:
    file = saved(picture("L"), "JPEG", progressive=True)
    start = file.rindex(b"\xff\xda")
    scan = file[start:-2]
    with pytest.raises(BadBody):
        by_service(file[:start] + scan * 2000 + b"\xff\xd9", SHAPES[0])
