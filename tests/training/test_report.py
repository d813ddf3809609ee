"""The report is one file that needs nothing else, whatever the run was of."""

import base64
import io
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import torch
from PIL import Image
from torch import Tensor

from model_store import Figure
from training import charts, report
from training.config import RunConfig
from training.datasets import Dataset
from training.pictures import contact_sheet
from training.posteriors import Posteriors
from training.report import Told, plane
from training.run_state import Record

ROWS = 60
EPOCH: Record = {
    "event": "epoch",
    "loss": 9.0,
    "rate": 2.0,
    "distortion": 7.0,
    "learning_rate": 1e-3,
}
# As they were before active units were logged.
OLD_HISTORY: list[Record] = [
    EPOCH | {"epoch": 1},
    {"event": "evaluation", "epoch": 1, "rate": 2.0, "distortion": 7.0},
    EPOCH | {"epoch": 2},
]
WITHOUT_END = {"meta", "img"}
LOADING = {"script", "link", "iframe", "object", "embed", "audio", "video", "base", "source"}


class _Reader(HTMLParser):
    """Notes pictures and whatever could load something; fails where tags do not match."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.pictures: list[dict[str, str]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        given = {name: value or "" for name, value in attrs}
        assert not {name for name in given if name.startswith("on") or name == "href"}
        if tag == "img":
            self.pictures.append(given)
        if tag not in WITHOUT_END:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def told(dimensions: int = 4, labels: Tensor | None = None, **more: Any) -> Told:  # noqa: ANN401
    rows = torch.rand(ROWS, 1, 4, 4)
    mean = torch.randn(ROWS, dimensions, generator=torch.Generator().manual_seed(0)).double()
    given: dict[str, Any] = {
        "recipe": "digits",
        "revision": None,
        "command": "python -m training run digits 'data=my <files> & more'",
        "config": RunConfig(name="mine", latent_dim=dimensions),
        "dataset": Dataset("<b>rows</b>", "image", rows, rows, labels),
        "history": OLD_HISTORY,
        "seconds": 3725.0,
        "figures": [Figure(name="nll", value=81.25, unit="nats", estimator="100 samples a row")],
        "posteriors": Posteriors(mean, torch.full_like(mean, -2.0), prior_learned=False),
        "sheets": {"samples": contact_sheet(rows), "reconstructions": contact_sheet(rows)},
    }
    return Told(**(given | more))


def read(folder: Path, what: Told) -> _Reader:
    report.write(what, folder)
    reader = _Reader()
    reader.feed((folder / "report.html").read_text(encoding="utf-8"))
    reader.close()
    assert not reader.open
    return reader


def test_it_loads_nothing_and_every_picture_lies_within_it(tmp_path: Path) -> None:
    reader = read(tmp_path, told())
    assert not reader.tags & LOADING
    assert "url(" not in (tmp_path / "report.html").read_text()
    assert len(reader.pictures) == 8
    for picture in reader.pictures:
        media, _, content = picture["src"].partition(";base64,")
        decoded = base64.b64decode(content, validate=True)
        if media == "data:image/png":
            with Image.open(io.BytesIO(decoded)) as image:
                assert min(image.size) > 100
        else:
            assert media == "data:image/svg+xml"
            assert ET.fromstring(decoded).tag.endswith("svg")


def test_every_picture_says_what_it_shows(tmp_path: Path) -> None:
    texts = [picture["alt"] for picture in read(tmp_path, told()).pictures]
    assert all(texts)
    assert len(set(texts)) == len(texts)


def test_it_tells_the_figures_with_their_estimators_and_how_the_run_was_made(
    tmp_path: Path,
) -> None:
    what = told()
    text = read(tmp_path, what).text
    for part in (
        *("81.25", "100 samples a row", what.command, what.dataset.digest(), torch.__version__),
        *("1 h 2 min", "latent_dim", "60 to train on", "<b>rows</b>"),
    ):
        assert part in text


def test_vectors_have_all_but_sheets(tmp_path: Path) -> None:
    rows = torch.rand(ROWS, 5)
    what = told(dataset=Dataset("table", "vectors", rows, rows), sheets={})
    reader = read(tmp_path, what)
    assert len(reader.pictures) == 6
    assert "Draws of the prior" not in reader.text


def test_the_map_is_coloured_where_there_are_labels(tmp_path: Path) -> None:
    plain, coloured = (read(tmp_path, told(labels=given)) for given in (None, torch.arange(ROWS)))
    assert "coloured by class" in coloured.text
    assert "coloured by class" not in plain.text
    assert plain.pictures[-1]["src"] != coloured.pictures[-1]["src"]


@pytest.mark.parametrize("classes", [1, 10, 15, 20])
def test_each_class_has_a_colour_of_its_own(classes: int) -> None:
    points, labels = torch.rand(ROWS, 2), torch.arange(ROWS) % classes
    clouds = charts.plane(points, ("x", "y"), labels).axes[0].collections
    assert len({str(cloud.get_facecolor()) for cloud in clouds}) == classes


def test_more_classes_than_colours_are_shown_on_a_scale() -> None:
    chart = charts.plane(torch.rand(ROWS, 2), ("x", "y"), torch.arange(ROWS))
    assert len(chart.axes) == 2  # the map, and the bar of its colours


def test_a_latent_of_one_number_has_no_map(tmp_path: Path) -> None:
    assert len(read(tmp_path, told(dimensions=1)).pictures) == 7


def test_rows_that_all_lie_in_one_place_can_still_be_drawn(tmp_path: Path) -> None:
    same = torch.zeros(ROWS, 3).double()
    reader = read(tmp_path, told(posteriors=Posteriors(same, same, prior_learned=True)))
    assert "Warning: the posterior collapsed" in reader.text


def test_a_latent_of_two_is_drawn_as_it_is() -> None:
    mean = torch.randn(ROWS, 2).double()
    points, names = plane(mean)
    assert points.equal(mean)
    assert names == ("z₀", "z₁")


def test_a_larger_latent_is_seen_from_where_it_is_widest() -> None:
    spread = torch.tensor([0.1, 3.0, 0.1, 2.0]).double()
    mean = spread * torch.randn(5000, 4, generator=torch.Generator().manual_seed(0)).double() + 7
    points, names = plane(mean)
    torch.testing.assert_close(
        points.std(0), torch.tensor([3.0, 2.0]).double(), rtol=0.05, atol=0.0
    )
    assert names == ("first component (70 %)", "second component (30 %)")
