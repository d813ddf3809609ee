"""Noise from seeds and draws of a posterior, as mathematics."""

import numpy as np
import pytest

from app.latent_math import Noise, binarize, draw_posterior, row_noise


def test_noise_is_pinned_for_ever() -> None:
    # A seed that somebody wrote down must mean the same samples after every upgrade.
    expected = [[1.0916891, 0.4558267, 0.70178974], [0.28494337, -0.45888755, 0.386613]]
    assert np.array_equal(row_noise(1, 2, (3,)), np.array(expected, np.float32))


def test_noise_in_parts_is_the_noise_at_once() -> None:
    whole = row_noise(5, 100, (3, 2))
    noise = Noise(5, (3, 2))
    parts = [noise.rows(n) for n in (1, 7, 64, 28)]
    assert np.array_equal(np.concatenate(parts), whole)


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 4, 4)])
@pytest.mark.parametrize("seed", [0, 1, 2**53 - 1])
def test_a_longer_draw_begins_with_the_shorter(seed: int, shape: tuple[int, ...]) -> None:
    long = row_noise(seed, 200, shape)
    for n in (1, 3, 64, 199):
        assert np.array_equal(row_noise(seed, n, shape), long[:n])


def test_noise_is_standard_normal_and_seeds_are_independent() -> None:
    noise = row_noise(7, 20_000, (4,))
    assert noise.dtype == np.float32
    assert abs(noise.mean()) < 0.02
    assert abs(noise.var() - 1) < 0.03
    first = np.stack([row_noise(seed, 1, (4,))[0] for seed in range(5000)])
    assert np.abs(first.T @ first / 5000 - np.eye(4)).max() < 0.08


def test_binarizing_keeps_the_mean_and_no_other_draw() -> None:
    x = np.full((20_000, 3), 0.25, np.float32)
    white = binarize(x, 5)
    assert set(np.unique(white)) == {0, 1}
    assert abs(white.mean() - 0.25) < 0.01
    assert np.array_equal(binarize(x[:7], 5), white[:7])
    assert abs(np.corrcoef(white[:, 0], row_noise(5, 20_000, (3,))[:, 0])[0, 1]) < 0.03


def test_a_posterior_draw_has_its_mean_and_deviation() -> None:
    noise = row_noise(1, 50_000, (1,))
    drawn = draw_posterior(np.full_like(noise, 3.0), np.full_like(noise, np.log(4)), noise)
    assert abs(drawn.mean().item() - 3) < 0.05
    assert abs(drawn.std().item() - 2) < 0.05
