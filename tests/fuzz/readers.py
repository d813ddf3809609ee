"""The readers of what comes from outside, each behind one function of bytes.

A reader may refuse with its own errors, and nothing else may come of it; what it takes is as it is
to be. Where a reader moves, its function here is the line to change.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError

from app.compressed_file import unpack
from app.errors import LatentdError
from app.formats import npy
from app.images import read_images
from app.routes.numbers import images_from_array, rows_from_lists
from app.routes.wire_types import DecodeRequest
from model_store.canonical_archive import canonical_archive
from model_store.errors import Fault, StoreError
from tests.fuzz import seeds


class Reader(NamedTuple):
    """A reader, what it says no with, and files that it takes."""

    read: Callable[[bytes], None]
    refusals: tuple[type[Exception], ...]
    seeds: Callable[[], tuple[bytes, ...]]


def read_image(data: bytes) -> None:
    """An image file as `/encode` takes it."""
    found = read_images([data], seeds.SHAPE)
    assert found.shape[1:] == seeds.SHAPE
    assert found.dtype == np.float32
    assert ((found >= 0) & (found <= 1)).all()


def read_array(data: bytes) -> None:
    """A `.npy` file as `/encode` takes it."""
    found = images_from_array(npy.read(data), seeds.SHAPE)
    assert found.shape[1:] == seeds.SHAPE
    assert ((found >= 0) & (found <= 1)).all()


def read_numbers(data: bytes) -> None:
    """JSON of numbers as `/decode` takes it."""
    found = rows_from_lists(
        DecodeRequest.model_validate_json(data).latents, seeds.LATENT, "latents"
    )
    assert found.shape[1:] == seeds.LATENT
    assert np.isfinite(found).all()


def read_archive(data: bytes) -> None:
    """A checkpoint's file as far as it is looked at before torch is given anything."""
    canonical_archive(data)


def read_compressed(data: bytes) -> None:
    """A file of `/compress` as `/decompress` takes it apart."""
    found = unpack(data)
    assert found.words.dtype == np.uint32
    assert found.head.count >= 1


READERS = {
    "images": Reader(read_image, (LatentdError,), seeds.images),
    "arrays": Reader(read_array, (LatentdError,), seeds.arrays),
    "numbers": Reader(read_numbers, (LatentdError, ValidationError), seeds.latents),
    "archives": Reader(read_archive, (Fault, StoreError), seeds.archives),
    "compressed": Reader(read_compressed, (LatentdError,), seeds.compressed),
}


def attempt(reader: Reader, data: bytes) -> bool:
    """Whether the reader took it; what is neither an answer nor a refusal is raised."""
    try:
        reader.read(data)
    except reader.refusals:
        return False
    return True
