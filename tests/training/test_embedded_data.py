"""The two sources that need no download."""

import pytest
import torch

from training.datasets import DATASETS, Request


def test_the_digits_are_small_grey_images_with_test_rows_of_their_own() -> None:
    data = DATASETS["digits"](Request(held_out=0.1))
    assert (len(data.train), len(data.test)) == (1617, 180)
    assert (data.kind, data.shape) == ("image", (1, 8, 8))
    assert (float(data.train[:].min()), float(data.train[:].max())) == (0.0, 1.0)


def test_every_digit_is_named() -> None:
    data = DATASETS["digits"](Request())
    for rows, labels in ((data.train, data.train_labels), (data.test, data.test_labels)):
        assert labels is not None
        # Each is closest, on average, to the others of its name.
        averages = torch.stack([rows[labels == digit].mean(0) for digit in range(10)])
        nearest = torch.cdist(rows[:].flatten(1), averages.flatten(1)).argmin(1)
        assert float((nearest == labels).float().mean()) > 0.8


def test_the_curved_surface_is_always_the_same_rows() -> None:
    first, again = (DATASETS["curved_surface"](Request(seed=seed)) for seed in (0, 1))
    assert first.digest() == again.digest()
    assert (first.kind, first.shape) == ("vectors", (100,))


def test_the_curved_surface_has_few_directions_and_spread_of_about_one() -> None:
    train = DATASETS["curved_surface"](Request()).train[:]
    assert 0.5 < float(train.std()) < 2.0
    # Sixteen features span it; the noise of 0.1 is all there is in the other directions.
    spread = torch.linalg.svdvals(train - train.mean(0)) / len(train) ** 0.5
    assert float(spread[20]) == pytest.approx(0.1, abs=0.02)
    assert float(spread[1]) > 1.0


@pytest.mark.parametrize("source", ["digits", "curved_surface"])
def test_training_and_test_rows_are_different_rows(source: str) -> None:
    data = DATASETS[source](Request())
    train = {row.numpy().tobytes() for row in data.train[:]}
    shared = sum(row.numpy().tobytes() in train for row in data.test[:])
    assert shared <= 1  # of the scanned digits two may be alike
