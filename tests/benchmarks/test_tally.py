"""What a tally says of its arrays."""

import math
from collections import Counter

import numpy as np
import pytest

from benchmarks.tally import Tally


def test_rates_and_percentiles_are_of_the_chosen_answers() -> None:
    latencies = np.arange(1, 102) / 1000
    codes = np.where(np.arange(101) < 100, 200, 503)
    tally = Tally(2.0, latencies, latencies, codes, Counter(), 101)
    assert tally.statuses == {200: 100, 503: 1}
    assert tally.rate == 50.5
    assert tally.percentile(50) == pytest.approx(0.051)
    assert tally.percentile(99) == pytest.approx(0.1)
    assert tally.of(200).rate == 50
    assert tally.of(503).percentile(0) == pytest.approx(0.101)
    assert math.isnan(tally.of(404).percentile(50))
