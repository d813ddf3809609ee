"""Files that are damaged anywhere: both rooms read them alike, or both refuse them in words."""

import warnings

import numpy as np
import pytest

from tests.laws import pngs
from tests.laws.rooms import REFUSALS, Levels, by_service, by_training
from tests.laws.test_one_meaning_of_other_formats import HEIGHT, STILLS, WIDTH, picture, saved

MOVING = {
    form: saved(
        picture("RGB"), form, save_all=True, append_images=[picture("RGB", 1), picture("RGB", 2)]
    )
    for form in ("PNG", "GIF", "WEBP")
}
PNGS = {f"PNG of {kind}": pngs.write(kind, pngs.samples(kind)) for kind in pngs.kinds()}
FILES = STILLS | {f"moving {name}": file for name, file in MOVING.items()} | PNGS
TRIES = 30


@pytest.mark.parametrize("name", FILES)
def test_damage_is_refused_or_read_alike(name: str) -> None:
    file = FILES[name]
    size = (pngs.HEIGHT, pngs.WIDTH) if name in PNGS else (HEIGHT, WIDTH)
    draw = np.random.default_rng(len(file))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(TRIES):
            damaged = bytearray(file)
            for place in draw.integers(0, len(file), 1 + number % 4):
                damaged[place] = draw.integers(0, 256)
            if number % 5 == 0:
                at, length = draw.integers(0, len(file)), draw.integers(1, 64)
                del damaged[at : at + length]
            found: list[Levels | None] = []
            for room in (by_service, by_training):
                try:
                    found.append(room(bytes(damaged), (3, *size)))
                except REFUSALS:
                    found.append(None)
            # Training takes any size, and scales.
            service, training = found
            assert service is None or (training is not None and np.array_equal(service, training))
