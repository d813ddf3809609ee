"""Laws of the ways through latent space, for every method and easing that there is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from app import paths
from app.arrays import LARGEST, Doubles, Floats

SIZE = 3
methods = st.sampled_from([*paths.METHODS])
easings = st.sampled_from([*paths.EASINGS])
# As far as latents may lie from the origin (app.arrays.LARGEST), and nothing between 0 and what
# float32 can square.
FAR = float(np.float32(LARGEST))
far = st.floats(-FAR, FAR, width=32).filter(lambda value: value == 0 or abs(value) > 1e-18)
near = st.floats(-8, 8, width=32).filter(lambda value: value == 0 or abs(value) > 1e-3)


def points(count: int, values: st.SearchStrategy[float] = near) -> st.SearchStrategy[Floats]:
    return arrays(np.float32, (count, SIZE), elements=values)


@given(ends=points(2, far), method=methods)
def test_the_ends_of_a_way_are_its_points(ends: Floats, method: str) -> None:
    way = paths.along(ends, np.linspace(0, 1, 5), method)
    assert np.array_equal(way[[0, -1]], ends)
    assert np.isfinite(way).all()
    assert way.dtype == np.float32


@given(places=st.integers(2, 6).flatmap(points), method=methods)
def test_a_way_meets_every_point(places: Floats, method: str) -> None:
    steps = 4 * (len(places) - 1) + 1
    way = paths.along(places, np.linspace(0, len(places) - 1, steps), method)
    assert np.array_equal(way[::4], places)


@given(ends=points(2), method=methods, part=st.floats(0, 1))
def test_a_way_back_is_the_way_there_reversed(ends: Floats, method: str, part: float) -> None:
    there = paths.between(ends[:1], ends[1:], np.array([part]), method)
    back = paths.between(ends[1:], ends[:1], np.array([1 - part]), method)
    tolerance = 1e-4 * max(1.0, float(np.abs(ends).max()))
    turns = method == "slerp" and _opposite(ends)  # they turn through a side of the first one's
    assert turns or np.allclose(there, back, atol=tolerance)


@given(ends=points(2), part=st.floats(0, 1))
def test_slerp_goes_evenly_from_one_norm_to_the_other(ends: Floats, part: float) -> None:
    found = paths.between(ends[:1], ends[1:], np.array([part]), "slerp")
    start, end = (float(np.linalg.norm(point.astype(np.float64))) for point in ends)
    expected = (1 - part) * start + part * end
    assert abs(float(np.linalg.norm(found.astype(np.float64))) - expected) <= 1e-4 * max(
        1, expected
    )


@given(ends=points(2), method=methods, part=st.floats(0, 1), scale=st.sampled_from([0.5, 2.0, 4.0]))
def test_a_larger_way_is_the_same_way(ends: Floats, method: str, part: float, scale: float) -> None:
    where = np.array([part])
    small = paths.between(ends[:1], ends[1:], where, method)
    large_ends = np.float32(scale) * ends
    large = paths.between(large_ends[:1], large_ends[1:], where, method)
    assert np.allclose(
        large, np.float32(scale) * small, atol=1e-4 * max(1, float(abs(large).max()))
    )


@given(corners=points(4), method=methods, rows=st.integers(2, 4), columns=st.integers(2, 4))
def test_a_sheet_has_its_corners(corners: Floats, method: str, rows: int, columns: int) -> None:
    sheet = paths.across(corners, np.linspace(0, 1, rows), np.linspace(0, 1, columns), method)
    sheet = sheet.reshape(rows, columns, SIZE)
    assert np.array_equal(sheet[[0, 0, -1, -1], [0, -1, 0, -1]], corners)


@given(steps=st.integers(2, 200), easing=easings)
def test_an_easing_goes_forward_from_nothing_to_all(steps: int, easing: str) -> None:
    parts = paths.parts(steps, easing)
    assert parts.shape == (steps,)
    assert parts[0] == 0
    assert parts[-1] == 1
    assert (np.diff(parts) >= 0).all()


@given(
    looks=st.integers(2, 9).flatmap(lambda count: points(count, near)),
    steps=st.integers(2, 12),
    easing=easings,
)
def test_even_frames_stay_in_their_order(looks: Floats, steps: int, easing: str) -> None:
    where: Doubles = paths.evenly(looks, paths.parts(steps, easing))
    assert where.shape == (steps,)
    assert (where[[0, -1]] == (0, 1)).all()
    assert (np.diff(where) >= 0).all()


def _opposite(ends: Floats) -> bool:
    a, b = ends.astype(np.float64)
    length = np.linalg.norm(a) * np.linalg.norm(b)
    return bool(length == 0 or a @ b / length < -1 + 1e-6)
