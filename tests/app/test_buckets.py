"""Which batch sizes may be used: those whose rows agree bit for bit, found by trying."""

import torch
from torch import Tensor, nn

from app.engine.buckets import candidates, find_buckets, pad


def test_candidates_are_powers_of_two_up_to_the_largest() -> None:
    assert candidates(1) == [1]
    assert candidates(64) == [1, 2, 4, 8, 16, 32, 64]
    assert candidates(48) == [1, 2, 4, 8, 16, 32, 48]


def test_sizes_that_round_differently_are_left_out() -> None:
    def run(rows: Tensor) -> Tensor:
        return rows * (1 + 1e-7) if len(rows) < 4 else rows

    buckets = find_buckets(run, (5,), 16)
    assert buckets.sizes == (4, 8, 16)
    assert buckets.exact


def test_a_size_whose_rows_depend_on_their_place_is_not_used() -> None:
    def run(rows: Tensor) -> Tensor:
        if len(rows) < 8:
            return rows
        return rows + 1e-6 * torch.arange(len(rows))[:, None]

    buckets = find_buckets(run, (3,), 32)
    assert buckets.sizes == (1, 2, 4)
    assert buckets.exact


def test_a_device_that_does_not_repeat_itself_is_reported() -> None:
    def run(rows: Tensor) -> Tensor:
        return rows + torch.rand_like(rows)

    buckets = find_buckets(run, (3,), 8)
    assert buckets.sizes == (1, 2, 4, 8)
    assert not buckets.exact


def test_a_real_layer_agrees_in_the_sizes_that_were_chosen() -> None:
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 40)).eval()
    rows = torch.randn(64, 20)
    with torch.inference_mode():
        buckets = find_buckets(layer, (20,), 64)
        whole = layer(pad(rows, buckets.sizes[-1]))
        for count in (1, 3, 10, 40):
            part = layer(pad(rows[:count], buckets.fit(count)))[:count]
            assert torch.equal(part, whole[:count])


def test_fit_is_the_smallest_size_that_holds_the_rows() -> None:
    buckets = find_buckets(lambda rows: rows, (1,), 8)
    assert [buckets.fit(n) for n in (1, 2, 3, 5, 8)] == [1, 2, 4, 8, 8]


def test_padding_is_zeros_below() -> None:
    assert torch.equal(pad(torch.ones(2, 3), 4), torch.tensor([[1.0] * 3] * 2 + [[0.0] * 3] * 2))
