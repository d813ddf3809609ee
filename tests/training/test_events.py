"""What TensorBoard's own reader finds after a run."""

import io
from typing import Any

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import (  # type: ignore[import-untyped]
    EventAccumulator,
)

from training.run import run


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Any:  # noqa: ANN401 (untyped there)
    out = tmp_path_factory.mktemp("events")
    small = ["encoder=16", "decoder=16", "latent_dim=3", "publish=false", "nll_samples=2"]
    run("digits", [*small, "epochs=4", "evaluate_every=2", "tensorboard=true", f"out={out}"])
    return EventAccumulator(str(out / "tensorboard")).Reload()


def test_the_numbers_of_the_log_stand_at_their_epochs(events: Any) -> None:  # noqa: ANN401
    assert [event.step for event in events.Scalars("epoch/loss")] == [1, 2, 3, 4]
    for name in ("rate", "distortion", "active_units"):
        assert [event.step for event in events.Scalars(f"evaluation/{name}")] == [2, 4]


def test_the_rates_of_the_dimensions_sum_to_the_rate(events: Any) -> None:  # noqa: ANN401
    for number, event in enumerate(events.Scalars("evaluation/rate")):
        rates = [events.Scalars(f"rates/{dimension}")[number].value for dimension in range(3)]
        assert sum(rates) == pytest.approx(event.value, rel=1e-4)


def test_the_sheets_are_pictures(events: Any) -> None:  # noqa: ANN401
    for name in ("samples", "reconstructions"):
        shown = events.Images(name)
        assert [event.step for event in shown] == [2, 4]
        with Image.open(io.BytesIO(shown[1].encoded_image_string)) as sheet:
            assert min(sheet.size) > 300


def test_the_histograms_hold_a_number_of_each_dimension_of_each_row(events: Any) -> None:  # noqa: ANN401
    means, draws = (events.Histograms(f"latents/{name}")[-1] for name in ("means", "draws"))
    count = 3 * 180
    assert (means.histogram_value.num, draws.histogram_value.num) == (count, count)
    # A draw is spread by the posterior's own width on top of the means'.
    assert draws.histogram_value.sum_squares > means.histogram_value.sum_squares
