"""No null, NaN or infinity is ever written, whatever numbers an endpoint is given."""

import io
import json
import math
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import orjson
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from app.errors import NotFinite
from app.formats import FORMATS, Answer, Head
from app.formats.json import dump
from app.paths import EASINGS, METHODS, evenly
from app.routes.exchange import USUAL
from tests.app.conftest import problem
from tests.factories import GREY, NAMED, GreyDigits, Kind, Rows, draft_of, publish_module
from tests.serving import running

SIZE, LATENT = 6, 2


class Measured(Rows):
    """Rows whose density is known, under N(0, I)."""

    @torch.jit.export
    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return -0.5 * (x - self.decode(z)).square().sum(1)


class Steep(Measured):
    """Its posterior is finite everywhere, and no float32 can hold a draw of it."""

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = x[:, :2]
        return mean, mean * 0 + 1000


class SteepImages(GreyDigits):
    """The same of images."""

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = self.mean(torch.relu(self.hidden(x.flatten(1))))
        return mean, mean * 0 + 1000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    store = tmp_path_factory.mktemp("finite") / "store"
    store.mkdir()

    kinds: dict[str, tuple[type[nn.Module], Any, tuple[int, ...]]] = {
        "measured": (Measured, NAMED, (LATENT,)),
        "steep": (Steep, NAMED, (LATENT,)),
        "steepimages": (SteepImages, GREY, (5,)),
    }
    for name, (kind, data, latent) in kinds.items():
        with torch.random.fork_rng():
            torch.manual_seed(0)
            module = kind().eval()
        draft = draft_of(name, Kind(kind, data, latent, ("log_likelihood",)), module)
        publish_module(store, draft, module)
    with running(store, models="measured,steep,steepimages") as client:
        yield client


EDGES = [
    *(0.0, -0.0, 1e-45, 1e-38, 1.0, -1.0, 7.5, -99.0, 300.0, -1e4, 1e10, 1e18, -1e19, 1e25),
    *(1e30, -1e30),
]
numbers = st.sampled_from(EDGES) | st.floats(-1e30, 1e30)
usual = st.floats(-USUAL, USUAL, width=32)
seeds = st.integers(0, 2**53 - 1)


def some(part: st.SearchStrategy[float], size: int, most: int = 3) -> st.SearchStrategy[Any]:
    row = st.lists(part, min_size=size, max_size=size)
    return st.lists(row, min_size=1, max_size=most)


@st.composite
def requests(draw: st.DrawFn, part: st.SearchStrategy[float]) -> tuple[str, dict[str, Any]]:
    """A path with its query, and a body: of every endpoint that takes or gives numbers."""
    point = st.one_of(
        st.builds(lambda row: {"row": row[0]}, some(part, SIZE, 1)),
        st.builds(lambda z: {"latent": z[0]}, some(part, LATENT, 1)),
        st.builds(
            lambda seed, temperature: {"seed": seed, "temperature": temperature},
            seeds,
            st.sampled_from([0.0, 1e-45, 1.0, 10.0]),
        ),
    )
    points: dict[str, list[dict[str, Any]]] = {
        "points": draw(st.lists(point, min_size=2, max_size=4))
    }
    seed = draw(seeds)
    walk = {
        **points,
        "steps": draw(st.integers(4, 9)),
        "method": draw(st.sampled_from(sorted(METHODS))),
        "easing": draw(st.sampled_from(sorted(EASINGS))),
        "spacing": draw(st.sampled_from(["even", "pixel"])),
        "loop": draw(st.booleans()),
    }
    weights = st.sampled_from([-100.0, 100.0, 0.0, 1e-40, 1.0])
    terms = [{**term, "weight": draw(weights)} for term in points["points"]]
    rows = {"rows": draw(some(part, SIZE))}
    form = draw(st.sampled_from(["json", "npy", "safetensors"]))
    encode = f"/encode?seed={seed}" if draw(st.booleans()) else "/encode"
    asked: tuple[str, dict[str, Any]] = draw(
        st.sampled_from(
            [
                (encode, rows),
                (f"/score?k=3&seed={seed}", points),
                (f"/decode?format={form}", {"latents": draw(some(part, LATENT))}),
                ("/locate", points),
                (f"/reconstruct?format={form}&rounds={draw(st.integers(1, 5))}", points),
                (f"/interpolate?format={form}", walk),
                (f"/arithmetic?format={form}", {"terms": terms}),
                (f"/traverse?format={form}", {"point": points["points"][0], "dimensions": [0]}),
                (f"/map?format={form}", {"point": points["points"][0], "x": 0, "y": 1}),
                (f"/sample?format={form}", {"seed": seed, "n": 3, "temperature": 10.0}),
            ]
        )
    )
    return asked


def check_numbers(answer: httpx.Response) -> None:
    """A 200 must hold finite numbers alone."""
    kind = answer.headers["Content-Type"]
    if kind == "application/json":
        facts = answer.json(parse_constant=pytest.fail)
        facts.pop("percentile", None)
        assert "null" not in json.dumps(facts)
    elif kind == "application/x-npy":
        assert np.isfinite(np.load(io.BytesIO(answer.content))).all()
    else:
        assert kind == "application/x-safetensors"
        start = 8 + int.from_bytes(answer.content[:8], "little")
        assert np.isfinite(np.frombuffer(answer.content[start:], "<f4")).all()


MANY = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@MANY
@given(requests(numbers), st.sampled_from(["measured", "steep"]))
def test_numbers_at_the_edges_are_answered_in_numbers_or_refused(
    client: httpx.Client, asked: tuple[str, dict[str, Any]], model: str
) -> None:
    path, body = asked
    answer = client.post(f"/models/{model}{path}", json=body)
    if answer.status_code == 200:
        check_numbers(answer)
    else:
        said = answer.json()
        assert (answer.status_code, said["title"]) in [
            (422, "Unusable value"),
            (500, "Answer not finite"),
        ], answer.text


@MANY
@given(requests(usual))
def test_a_sound_model_answers_usual_numbers(
    client: httpx.Client, asked: tuple[str, dict[str, Any]]
) -> None:
    path, body = asked
    answer = client.post(f"/models/measured{path}", json=body)
    assert answer.status_code == 200, answer.text
    check_numbers(answer)


@pytest.mark.parametrize("path", ["/encode?seed=1", "/score?k=2"])
def test_whose_fault_it_is(client: httpx.Client, path: str) -> None:
    """The sender's, where numbers are far out; else the model's."""
    name = "rows" if path.startswith("/encode") else "points"

    def ask(number: float) -> httpx.Response:
        row = [number] * SIZE
        body = {name: [row] if name == "rows" else [{"row": row}]}
        return client.post(f"/models/steep{path}", json=body)

    assert "nearer to 0" in problem(ask(1e9), 422)
    problem(ask(1.0), 500)
    image = np.zeros((1, 1, 8, 8), np.float32)
    file = io.BytesIO()
    np.save(file, image)
    headers = {"Content-Type": "application/x-npy"}
    problem(
        client.post(f"/models/steepimages{path}", content=file.getvalue(), headers=headers), 500
    )


BAD = pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])


@BAD
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_json_is_not_written_of_what_is_no_number(bad: float, dtype: type[np.floating]) -> None:
    array = np.zeros((3, 4), dtype)
    array[1, 2] = bad
    for value in (bad, array, array.T, [1.0, [bad]], {"deep": (bad,)}, array[1]):
        with pytest.raises(NotFinite):
            dump({"fine": 1.0, "null": "null", "found": value})
    fine = {"percentile": None, "text": "null", "rows": np.full((2, 2), 3.4e38, dtype)}
    assert orjson.loads(dump(fine))["percentile"] is None


@BAD
@pytest.mark.parametrize("name", [name for name, form in FORMATS.items() if not form.draws])
def test_no_format_writes_what_is_no_number(name: str, bad: float) -> None:
    form = FORMATS[name]
    rows = np.full((3, 5), 3e38, np.float32)
    head = Head("m@1", (), 3, (5,), None)
    form.write(Answer(head, rows))
    rows[2, 4] = bad
    with pytest.raises(NotFinite):
        form.write(Answer(head, rows))
    if form.in_parts is not None:
        writer = form.in_parts(head)
        writer.begin()
        with pytest.raises(NotFinite):
            writer.part(rows)


def test_even_steps_are_found_between_rows_as_far_apart_as_can_be() -> None:
    looks = np.array([[-3e38], [0], [3e38]], np.float32)
    assert np.allclose(evenly(looks, np.linspace(0, 1, 5)), np.linspace(0, 1, 5), atol=1e-3)
