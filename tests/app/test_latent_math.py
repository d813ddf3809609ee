"""Noise from seeds and paths between points, as mathematics."""

import numpy as np
import pytest
import torch

from app.latent_math import METHODS, draw_posterior, path, row_noise, slerp


def test_noise_is_pinned_for_ever() -> None:
    # A seed that somebody wrote down must mean the same samples after every upgrade.
    expected = [[1.0916891, 0.4558267, 0.70178974], [0.28494337, -0.45888755, 0.386613]]
    assert torch.equal(row_noise(1, 2, (3,)), torch.tensor(expected))


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 4, 4)])
@pytest.mark.parametrize("seed", [0, 1, 2**53 - 1])
def test_a_longer_draw_begins_with_the_shorter(seed: int, shape: tuple[int, ...]) -> None:
    long = row_noise(seed, 200, shape)
    for n in (1, 3, 64, 199):
        assert torch.equal(row_noise(seed, n, shape), long[:n])


def test_noise_is_standard_normal_and_seeds_are_independent() -> None:
    noise = row_noise(7, 20_000, (4,))
    assert noise.dtype == torch.float32
    assert noise.mean().abs() < 0.02
    assert (noise.var() - 1).abs() < 0.03
    first = torch.stack([row_noise(seed, 1, (4,))[0] for seed in range(5000)])
    assert (first.T @ first / 5000 - torch.eye(4)).abs().max() < 0.08


def test_a_posterior_draw_has_its_mean_and_deviation() -> None:
    noise = row_noise(1, 50_000, (1,))
    drawn = draw_posterior(torch.full_like(noise, 3.0), torch.full_like(noise, np.log(4)), noise)
    assert abs(drawn.mean().item() - 3) < 0.05
    assert abs(drawn.std().item() - 2) < 0.05


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("steps", [2, 3, 7, 64])
def test_a_path_starts_and_ends_exactly_at_its_points(method: str, steps: int) -> None:
    points = row_noise(3, 2, (5,))
    frames = path(points, steps, method)
    assert frames.shape == (steps, 5)
    assert torch.equal(frames[[0, -1]], points)


@pytest.mark.parametrize("method", METHODS)
def test_a_path_meets_every_point_that_a_step_falls_on(method: str) -> None:
    points = row_noise(3, 4, (2, 2, 2))
    assert torch.equal(path(points, 10, method)[[0, 3, 6, 9]], points)


@pytest.mark.parametrize("method", METHODS)
def test_the_way_back_is_the_way_reversed(method: str) -> None:
    points = row_noise(4, 3, (6,))
    there, back = path(points, 11, method), path(points.flip(0), 11, method)
    assert torch.allclose(there, back.flip(0), atol=1e-6)


def test_slerp_divides_the_angle_evenly_and_keeps_the_norm() -> None:
    points = torch.tensor([[2.0, 0, 0], [0, 2.0, 0]])
    frames = path(points, 4, "slerp")
    assert torch.allclose(frames.norm(dim=1), torch.tensor(2.0))
    angles = torch.rad2deg(torch.atan2(frames[:, 1], frames[:, 0]))
    assert torch.allclose(angles, torch.tensor([0.0, 30, 60, 90]), atol=1e-4)


@pytest.mark.parametrize("end", [[1.0, 2, 3], [2.0, 4, 6], [-1.0, -2, -3], [0.0, 0, 0]])
def test_slerp_without_an_arc_is_linear(end: list[float]) -> None:
    start, stop = torch.tensor([[1.0, 2, 3]]), torch.tensor([end])
    half = torch.full((1, 1), 0.5)
    assert torch.allclose(slerp(start, stop, half), (start + stop) / 2, atol=1e-6)
