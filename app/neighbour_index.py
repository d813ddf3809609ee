"""Training rows that were published beside a model, and which of them lie nearest to a latent.

The only module that knows the library which searches; it is there where it was asked for.
"""

from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.arrays import Floats, Rows, all_finite, read_only
from app.errors import BadValue, NotFinite, NotInstalled, StoreUnreadable
from model_store import NEIGHBOUR_LATENTS, NEIGHBOUR_ROWS, Manifest, StoreError, read_verified

# Beyond it squares of float32 tell no two rows apart, and from 1e19 on they are infinite.
FARTHEST = 1e6
# Below so many questions at once distances are summed one by one, which no other question changes.
ONE_BY_ONE = 2**31 - 1


class Neighbours(NamedTuple):
    """Of n points the nearest k training rows."""

    places: NDArray[np.int64]
    """[n, k], counted from 0 in the order in which the rows were published."""
    distances: NDArray[np.float32]
    """[n, k]: Euclidean, in latent space; rising."""
    rows: Rows
    """[n · k, *data_shape]: images as uint8, 0 to 255, else numbers."""


class NeighbourIndex:
    """The rows and their latents, in memory: their digests are of these very bytes."""

    def __init__(self, latents: Floats, rows: NDArray[Any]) -> None:
        try:
            import faiss  # noqa: PLC0415 - takes long, and few ask for it
        except ImportError:
            raise NotInstalled(
                "this service was installed without what finds neighbours: have the operator "
                "install latentd[neighbours]"
            ) from None
        faiss.cvar.distance_compute_blas_threshold = ONE_BY_ONE
        flat = np.ascontiguousarray(latents.reshape(len(latents), -1))
        self._index = faiss.IndexFlatL2(flat.shape[1])
        self._index.add(flat)
        self._rows = read_only(rows)

    def nearest(self, z: Floats, count: int) -> Neighbours:
        """The `count` rows nearest to each of `z` [n, *latent_shape], or all that there are.

        BadValue for a point that is so far out that float32 finds no row nearer than another.
        """
        if (farthest := float(np.abs(z).max())) > FARTHEST:
            raise BadValue(
                f"a point's latent has a number of size {farthest:.3g}, and there no row is nearer "
                f"than another: give numbers within ±{FARTHEST:g}"
            )
        flat = np.ascontiguousarray(z.reshape(len(z), -1))
        squares, places = self._index.search(flat, min(count, len(self._rows)))
        if not all_finite(squares):
            raise NotFinite("a row that was published to be found has a latent that is not finite")
        return Neighbours(places, np.sqrt(squares), self._rows[places.reshape(-1)])


def open_index(store: Path, manifest: Manifest) -> NeighbourIndex:
    """The index of a published model; BadValue where it has none, StoreUnreadable if it is not
    as it was published, or not what a model's rows are.
    """
    if not {NEIGHBOUR_LATENTS, NEIGHBOUR_ROWS} <= manifest.attachments.keys():
        raise BadValue(
            f"{manifest.model} was published without training rows: `python -m training neighbours "
            f"{manifest.name} --data …` publishes its next version with them"
        )
    latents = _array(store, manifest, NEIGHBOUR_LATENTS)
    rows = _array(store, manifest, NEIGHBOUR_ROWS)
    count = latents.shape[:1]
    sound = count > (0,) and latents.dtype == np.float32 and rows.dtype in (np.uint8, np.float32)
    if not sound or latents.shape[1:] != manifest.latent_shape:
        raise _unreadable(manifest, NEIGHBOUR_LATENTS)
    if rows.shape != (*count, *manifest.data.shape):
        raise _unreadable(manifest, NEIGHBOUR_ROWS)
    return NeighbourIndex(latents, rows)


def _array(store: Path, manifest: Manifest, name: str) -> NDArray[Any]:
    try:
        file = BytesIO(read_verified(store, manifest, name))
        array: NDArray[Any] = np.load(file, allow_pickle=False)
    # A header may also claim more rows than there is memory for.
    except (StoreError, OSError, ValueError, EOFError, MemoryError) as error:
        raise _unreadable(manifest, name) from error
    return array


def _unreadable(manifest: Manifest, name: str) -> StoreUnreadable:
    return StoreUnreadable(
        f"{manifest.model} was published with {name}, which is missing from the store now or is "
        "damaged: have the operator put it back, or publish the model again"
    )
