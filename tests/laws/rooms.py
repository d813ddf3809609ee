"""What each room makes of an image file, as levels [frames, H, W, C]."""

import numpy as np
from numpy.typing import NDArray

from app.errors import LatentdError
from app.images import read_images
from image_files import Ground
from training.datasets.image_file import pixels
from training.errors import TrainingError

Levels = NDArray[np.uint8]
REFUSALS = (LatentdError, TrainingError)


def by_service(file: bytes, shape: tuple[int, int, int], ground: Ground | None = None) -> Levels:
    images = read_images([file], shape, ground=ground)
    levels: Levels = np.rint(images * 255).astype(np.uint8).transpose(0, 2, 3, 1)
    return levels


def by_training(file: bytes, shape: tuple[int, int, int], ground: Ground | None = None) -> Levels:
    channels, *size = shape
    return pixels(file, (size[0], size[1]), channels, ground).transpose(0, 2, 3, 1)


def by_both(file: bytes, shape: tuple[int, int, int], ground: Ground | None = None) -> Levels:
    """The levels, which are to be the same."""
    service, training = by_service(file, shape, ground), by_training(file, shape, ground)
    assert service.shape == training.shape
    assert np.array_equal(service, training)
    return service


def refused_by_both(file: bytes, shape: tuple[int, int, int]) -> bool:
    """Whether the file is refused; the rooms are to agree on that."""
    found = []
    for room in (by_service, by_training):
        try:
            room(file, shape)
        except REFUSALS:
            found.append(True)
        else:
            found.append(False)
    assert len(set(found)) == 1, f"the service refuses: {found[0]}, training: {found[1]}"
    return found[0]
