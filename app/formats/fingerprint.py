"""A digest of what the formats write here of fixed rows: equal ones, equal files.

The same pixels come to other bytes by another release of a compressor, and by the same one on
another processor.
"""

import hashlib
from functools import cache

import numpy as np

from app.arrays import NUM_LEVELS, Levels
from app.formats import FORMATS, RENDERER, Answer, Head
from app.layout import DRAWABLE_CHANNELS, Sheet

ROWS, SIDE = 3, 40


@cache
def fingerprint() -> str:
    """In hexadecimal digits; takes some tens of milliseconds, once a process."""
    seen = hashlib.sha256(RENDERER.encode())
    for channels in DRAWABLE_CHANNELS:
        images = _images(channels)
        numbers = (images.transpose(0, 3, 1, 2) / np.float32(255)).astype(np.float32)
        drawn = Head("fixed@1", (1, 2), ROWS, (channels, SIDE, SIDE), Sheet(2, 1))
        plain = drawn._replace(sheet=None)
        for name, form in FORMATS.items():
            seen.update(name.encode())
            for part in form.write(Answer(drawn, images if form.levels else numbers)):
                seen.update(part)
            if not form.draws:
                for part in form.write(Answer(plain, numbers)):
                    seen.update(part)
    return seen.hexdigest()


def _images(channels: int) -> Levels:
    """Black grounds, slopes and noise: [ROWS, SIDE, SIDE, channels]."""
    draws = np.random.Generator(np.random.Philox(key=channels))
    images = draws.integers(0, NUM_LEVELS, (ROWS, SIDE, SIDE, channels), np.uint8)
    images[0, :, : SIDE // 2] = 0
    images[1] = np.arange(SIDE, dtype=np.uint8)[:, None, None] * 4
    images[1, 9:20, 7:20] += np.uint8(40)
    return images
