"""An operation on its device: numbers, levels, and which rows are finite."""

import numpy as np
import torch
from torch import Tensor

from app.engine.execution import OnCpu


def test_levels_are_the_nearest_of_256_and_lie_as_pictures_do() -> None:
    execution = OnCpu(lambda x: x, (3, 2, 4), 5)
    execution.stage[:] = np.random.default_rng(0).random((5, 3, 2, 4), dtype=np.float32)
    answers = execution.run(5, values=True, levels=True)
    assert answers.values is not None
    assert answers.levels is not None
    expected = np.floor(answers.values * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    assert np.array_equal(answers.levels, expected.transpose(0, 2, 3, 1))


def test_levels_stay_within_their_range() -> None:
    execution = OnCpu(lambda x: x, (1, 1, 4), 1)
    execution.stage[0, 0, 0] = [-3, 0, 1, 7]
    assert execution.run(1, values=False, levels=True).levels.tolist() == [  # type: ignore[union-attr]
        [[[0], [0], [255], [255]]]
    ]


def test_rows_that_are_no_numbers_are_told_apart() -> None:
    def decode(z: Tensor) -> Tensor:
        return torch.log(z)

    execution = OnCpu(decode, (2,), 3)
    execution.stage[:] = [[1, 2], [-1, 1], [0, 1]]
    finite = execution.run(3, values=True, levels=False).finite
    assert finite is not None
    assert finite.tolist() == [True, False, False]
    execution.stage[:] = 1
    assert execution.run(3, values=True, levels=False).finite is None


def test_a_sum_that_overflows_is_no_fault_of_its_rows() -> None:
    execution = OnCpu(lambda x: x, (2,), 2)
    execution.stage[:] = 3e38
    assert execution.run(2, values=True, levels=False).finite is None


def test_an_answer_outlives_the_next_batch() -> None:
    # An operation may hand back what it was given; the stage is written again at once.
    execution = OnCpu(lambda x: x, (1,), 1)
    execution.stage[:] = 5
    first = execution.run(1, values=True, levels=False).values
    execution.stage[:] = 6
    assert first is not None
    assert first.item() == 5
