"""Which batch sizes may be used: those whose rows agree bit for bit, found by trying."""

import numpy as np
import pytest
import torch
from torch import nn

from app.arrays import Floats
from app.engine.buckets import Buckets, candidates, find_buckets
from app.engine.execution import OnCpu


def test_candidates_rise_to_the_largest_and_leave_little_to_be_filled_up() -> None:
    assert candidates(1) == [1]
    assert candidates(64) == [1, 2, 4, 8, 16, 24, 32, 48, 64]
    for largest in range(1, 200):
        sizes = candidates(largest)
        assert sizes == sorted(set(sizes))
        assert sizes[-1] == largest
        for num_rows in range(1, largest + 1):
            filled_up = Buckets(tuple(sizes)).fit(num_rows) / num_rows
            assert filled_up < (1.5 if num_rows > 16 else 2)


def test_sizes_that_round_differently_are_left_out() -> None:
    def run(rows: Floats) -> Floats:
        return rows * np.float32(1 + 1e-6) if len(rows) < 4 else rows

    buckets = find_buckets(run, (5,), 16)
    assert buckets.sizes == (4, 8, 16)
    assert buckets.exact


@pytest.mark.parametrize("share", [1.0, 0.1, 0.01])
def test_a_size_that_rounds_differently_now_and_then_is_left_out(share: float) -> None:
    def run(rows: Floats) -> Floats:
        rounded = rows[:, :1] < share if len(rows) < 16 else False
        return rows + np.float32(1e-6) * rounded

    assert find_buckets(run, (3,), 64).sizes == (16, 24, 32, 48, 64)


def test_a_size_whose_rows_depend_on_their_place_is_not_used() -> None:
    def run(rows: Floats) -> Floats:
        if len(rows) < 8:
            return rows
        return rows + np.float32(1e-6) * np.arange(len(rows), dtype=np.float32)[:, None]

    buckets = find_buckets(run, (3,), 48)
    assert buckets.sizes == (1, 2, 4)
    assert buckets.exact


def test_sizes_that_there_is_no_memory_for_are_left_out() -> None:
    def run(rows: Floats) -> Floats:
        if len(rows) > 20:
            raise torch.OutOfMemoryError
        return rows

    assert find_buckets(run, (5,), 64).sizes == (1, 2, 4, 8, 16)


def test_a_device_without_memory_for_one_row_is_an_error() -> None:
    def run(_rows: Floats) -> Floats:
        raise MemoryError

    with pytest.raises(MemoryError):
        find_buckets(run, (5,), 64)


def test_a_device_that_does_not_repeat_itself_is_reported_with_how_far_it_strays() -> None:
    noise = np.random.default_rng(0)

    def run(rows: Floats) -> Floats:
        return rows + np.float32(0.01) * noise.random(rows.shape, dtype=np.float32)

    buckets = find_buckets(run, (3,), 8)
    assert buckets.sizes == (1, 2, 4, 8)
    assert not buckets.exact
    assert 0.001 < buckets.tolerance < 0.01


def test_a_real_layer_agrees_in_the_sizes_that_were_chosen() -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 40)).eval()
    execution = OnCpu(layer, (20,), 64)

    def run(rows: Floats) -> Floats:
        execution.stage[: len(rows)] = rows
        answer = execution.run(len(rows), values=True, levels=False).values
        assert answer is not None
        return answer.copy()

    buckets = find_buckets(run, (20,), 64)
    rows = np.random.default_rng(1).standard_normal((64, 20), dtype=np.float32)
    whole = run(rows[: buckets.sizes[-1]])
    for count in range(1, len(whole) + 1):
        # Shorter than its bucket: the rest is left over from the batch before.
        execution.stage[:count] = rows[:count]
        part = execution.run(buckets.fit(count), values=True, levels=False).values
        assert part is not None
        assert np.array_equal(part[:count], whole[:count])


def test_fit_is_the_smallest_size_that_holds_the_rows() -> None:
    buckets = find_buckets(lambda rows: rows, (1,), 8)
    assert [buckets.fit(n) for n in (1, 2, 3, 5, 8)] == [1, 2, 4, 8, 8]
