"""Ways through latent space, as mathematics; laws over every method and easing there is."""

import numpy as np
import pytest

from app.arrays import Doubles, Floats
from app.latent_math import row_noise
from app.paths import EASINGS, METHODS, across, along, between, evenly, parts

EVERY_METHOD = pytest.mark.parametrize("method", METHODS)
EVERY_EASING = pytest.mark.parametrize("easing", EASINGS)
X, Y, NOTHING = (
    np.eye(3, dtype=np.float32)[0],
    np.eye(3, dtype=np.float32)[1],
    np.zeros(3, np.float32),
)


def path(points: Floats, steps: int, method: str, easing: str = "linear") -> Floats:
    return along(points, (len(points) - 1) * parts(steps, easing), method)


def pair(start: Floats, end: Floats, steps: int, method: str) -> Floats:
    return path(np.stack([start, end]), steps, method)


@EVERY_EASING
@EVERY_METHOD
@pytest.mark.parametrize("steps", [2, 3, 7, 50, 64])
def test_a_way_starts_and_ends_exactly_at_its_points(method: str, easing: str, steps: int) -> None:
    points = row_noise(3, 2, (5,))
    frames = path(points, steps, method, easing)
    assert frames.shape == (steps, 5)
    assert frames.dtype == np.float32
    assert np.array_equal(frames[[0, -1]], points)


@EVERY_METHOD
@pytest.mark.parametrize("each", [3, 49, 98])
def test_a_way_meets_every_point_that_a_step_falls_on(method: str, each: int) -> None:
    points = row_noise(3, 4, (2, 2, 2))
    assert np.array_equal(path(points, 3 * each + 1, method)[::each], points)


@EVERY_METHOD
def test_the_way_back_is_the_way_reversed(method: str) -> None:
    points = row_noise(4, 3, (6,))
    there, back = path(points, 11, method), path(points[::-1], 11, method)
    assert np.allclose(there, back[::-1], atol=1e-6)


@EVERY_EASING
def test_an_easing_rises_from_0_to_1(easing: str) -> None:
    found = parts(33, easing)
    assert found[0] == 0
    assert found[-1] == 1
    assert (np.diff(found) > 0).all()


def test_easings_are_slow_where_they_say() -> None:
    steps = {easing: np.diff(parts(33, easing)) for easing in EASINGS}
    assert np.allclose(steps["linear"], 1 / 32)
    assert steps["in"][0] < 1 / 320
    assert steps["out"][-1] < 1 / 320
    assert max(steps["in_out"][[0, -1]]) < 1 / 320


def test_slerp_divides_the_angle_evenly_and_keeps_the_norm() -> None:
    frames = pair(2 * X, 2 * Y, 4, "slerp")
    assert np.allclose(np.linalg.norm(frames, axis=1), 2)
    angles = np.rad2deg(np.arctan2(frames[:, 1], frames[:, 0]))
    assert np.allclose(angles, [0, 30, 60, 90], atol=1e-4)


def test_slerp_divides_the_norm_evenly_too() -> None:
    frames = pair(X, 4 * Y, 4, "slerp")
    assert np.allclose(np.linalg.norm(frames, axis=1), [1, 2, 3, 4])


@pytest.mark.parametrize("end", [2 * X, 0.5 * X, X + 1e-6 * Y, X * np.float32(1 + 1e-7)])
def test_slerp_between_parallels_is_linear(end: Floats) -> None:
    assert np.allclose(pair(X, end, 5, "slerp"), pair(X, end, 5, "linear"), atol=1e-6)


def test_slerp_from_nothing_keeps_the_direction() -> None:
    assert np.allclose(pair(NOTHING, Y, 5, "slerp"), pair(NOTHING, Y, 5, "linear"))
    assert np.array_equal(pair(NOTHING, NOTHING, 5, "slerp"), np.zeros((5, 3)))


@pytest.mark.parametrize("aside", [0.0, 1e-9, 1e-7, 1e-5, 1e-3])
@pytest.mark.parametrize("start", [X, row_noise(1, 1, (3,))[0], row_noise(2, 1, (40,))[0]])
def test_slerp_between_opposites_turns_and_never_vanishes(start: Floats, aside: float) -> None:
    end = -start + np.float32(aside) * np.roll(start, 1)
    frames = pair(start, end, 9, "slerp").astype(np.float64)
    norms = np.linalg.norm(frames, axis=1)
    assert np.allclose(norms, np.linspace(norms[0], norms[-1], 9), rtol=1e-5)
    cosines = (frames[1:] * frames[:-1]).sum(1) / (norms[1:] * norms[:-1])
    assert np.allclose(np.rad2deg(np.arccos(cosines)), 180 / 8, atol=0.2)


def test_one_number_has_no_way_round() -> None:
    opposites = np.array([[2.0], [-2.0]], np.float32)
    assert np.isfinite(path(opposites, 5, "slerp")).all()


def test_cog_keeps_the_variance_of_samples() -> None:
    starts, ends = row_noise(1, 20_000, (3,)), row_noise(2, 20_000, (3,))
    for part in (0.2, 0.5, 0.9):
        at = np.full(len(starts), part)
        assert abs(between(starts, ends, at, "cog").var() - 1) < 0.02
        assert between(starts, ends, at, "linear").var() < 0.85


@EVERY_METHOD
def test_a_sheet_has_its_corners_and_its_edges_are_ways(method: str) -> None:
    corners = row_noise(5, 4, (2, 3))
    sheet = across(corners, parts(4, "linear"), parts(7, "linear"), method).reshape(4, 7, 2, 3)
    assert np.array_equal(sheet[[0, 0, -1, -1], [0, -1, 0, -1]], corners)
    assert np.allclose(sheet[0], path(corners[:2], 7, method), atol=1e-6)
    assert np.allclose(sheet[:, -1], path(corners[[1, 3]], 4, method), atol=1e-6)


def test_even_steps_begin_after_a_standstill() -> None:
    # Nothing happens in the first half of this way, and all of it in the second.
    looks = np.array([0, 0, 0, 1, 2], np.float32).reshape(5, 1, 1, 1)
    assert np.allclose(evenly(looks, parts(5, "linear")), [0, 0.625, 0.75, 0.875, 1])
    still = np.ones((5, 1, 2, 2), np.float32)
    assert np.allclose(evenly(still, parts(3, "linear")), [0, 0.5, 1])


def distances(corners: list[tuple[float, float]], steps: int, easing: str = "linear") -> Doubles:
    """Between frames on straight lines through points of a plane, stepped evenly."""
    points = np.array(corners, np.float32)
    positions = np.linspace(0, len(points) - 1, 40 * (len(points) - 1) + 1)
    where = evenly(along(points, positions, "linear"), parts(steps, easing))
    assert where[0] == 0
    assert where[-1] == 1
    assert (np.diff(where) > 0).all()
    frames = along(points, where * (len(points) - 1), "linear").astype(np.float64)
    found: Doubles = np.linalg.norm(np.diff(frames, axis=0), axis=1)
    return found


@pytest.mark.parametrize("steps", [4, 5, 8, 33])
@pytest.mark.parametrize("angle", [15, 60, 90, 179])
def test_even_steps_are_even_round_a_corner(angle: float, steps: int) -> None:
    far = np.deg2rad(angle)
    seen = distances([(1, 0), (0, 0), (2 * np.cos(far), 2 * np.sin(far))], steps)
    assert seen.max() < 1.01 * seen.min()


def test_even_steps_pass_where_they_have_been() -> None:
    # The way crosses itself halfway along its first leg, and ends where it began.
    seen = distances([(0, 0), (4, 0), (2, 2), (2, -2), (0, 0)], 14)
    assert seen.max() < 1.01 * seen.min()
    # Of 13.7, of which corners are cut: no leg, the shortest being 2.8 long, is left out.
    assert seen.sum() > 13.7 - 2.8


@EVERY_EASING
def test_even_steps_are_eased(easing: str) -> None:
    seen = distances([(0, 0), (1, 0), (1, 1)], 9, easing)
    assert np.allclose(seen / seen.sum(), np.diff(parts(9, easing)), rtol=0.01)


def test_a_way_that_turns_back_is_as_even_as_it_can_be() -> None:
    # Of seven steps there and back four go one way: none is longer than twice what is fair.
    seen = distances([(0, 0), (1, 0), (0, 0)], 8)
    assert seen.max() < 2 * 2 / 7
