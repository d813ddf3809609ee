"""A strong entity tag names bytes: services that give one tag give one body."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import torch
from torch import Tensor

from app.engine import fingerprint
from app.engine.buckets import Buckets
from app.engine.execution import OnCpu
from app.engine.model_pool import ModelPool
from app.formats import FORMATS
from app.formats import fingerprint as formats
from app.main import create_app
from app.metrics import Metrics
from app.operations import fingerprint as operations
from app.render_queue import RenderQueue
from app.routes.rows import RowAnswers
from app.settings import Settings
from tests.factories import publish_kind
from tests.serving import running

QUESTIONS = [
    *("/sample?seed=5&n=70", "/sample?seed=5&n=3&temperature=0.3", "/map?x=0&y=1&steps=5"),
    *("/map?projection=true&steps=4", "/interpolate?seed=1&seed=2&spacing=pixel"),
]
FORMS = ["png", "json", "npy", "safetensors", "zip", "webp", "gif", "apng", "sprite"]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("tags") / "store"
    store.mkdir()
    for kind in ("grey", "bent", "colour"):
        publish_kind(store, kind)
    return store


Given = dict[str, tuple[str, bytes]]


def given(client: httpx.Client) -> Given:
    """The tag and the body of each question in each form."""
    found = {}
    for model in ("grey", "bent", "colour"):
        for question in QUESTIONS:
            for form in FORMS:
                path = f"/models/{model}@1{question}&format={form}"
                answer = client.get(path)
                assert answer.status_code == 200, answer.text
                found[path] = answer.headers["ETag"], answer.content
    return found


@pytest.fixture(scope="module")
def usual(store: Path) -> Iterator[Given]:
    with running(store) as client:
        yield given(client)


@pytest.mark.parametrize(
    "settings",
    [
        {"max_batch_rows": 3, "loop_batch_ms": 0},
        {"torch_threads": 2},
        pytest.param({"precision": "bfloat16"}, marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_two_services_that_give_one_tag_give_one_body(
    store: Path, usual: Given, settings: dict[str, object]
) -> None:
    with running(store, **settings) as client:
        other = given(client)
    for path, (tag, body) in other.items():
        assert tag != usual[path][0] or body == usual[path][1], path
    differ = [path for path in other if other[path][1] != usual[path][1]]
    assert all(not other[path][0].startswith("W/") for path in other), differ


def test_a_restart_and_every_worker_give_the_same_tags(store: Path) -> None:
    paths = [f"models/{model}/sample?seed=1" for model in ("grey", "bent", "colour")]
    tags: dict[str, set[str]] = {path: set() for path in paths}
    for workers in (1, 2):
        with running(store, workers=workers) as client:
            for _ in range(8):
                for path in paths:
                    # Over a connection of its own, so that any worker may give it.
                    answer = httpx.get(str(client.base_url.join(path)), timeout=30)
                    tags[path].add(answer.headers["ETag"])
    assert all(len(found) == 1 for found in tags.values()), tags


def test_a_tag_holds_what_else_decides_on_the_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The formats, what the operations compute, and the release."""
    settings = Settings.read()

    def here() -> str:
        metrics = Metrics()
        return RowAnswers(settings, metrics, RenderQueue(metrics, 1))._here

    first = here()
    assert here() == first
    others = {
        "app.formats.fingerprint.fingerprint": lambda: "other",
        "app.operations.fingerprint.fingerprint": lambda: "other",
        "app.routes.rows.__version__": "0",
    }
    for name, other in others.items():
        with monkeypatch.context() as changed:
            changed.setattr(name, other)
            assert here() != first, name


@pytest.mark.parametrize("name", FORMATS)
def test_the_formats_fingerprint_sees_every_format(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = formats.fingerprint.__wrapped__()
    assert formats.fingerprint.__wrapped__() == before

    other = FORMATS[name]._replace(write=lambda _: (b"by another release",))
    monkeypatch.setitem(FORMATS, name, other)
    assert formats.fingerprint.__wrapped__() != before


def test_the_operations_fingerprint_is_the_same_each_time() -> None:
    assert operations.fingerprint.__wrapped__() == operations.fingerprint()


def of(compute: object, buckets: Buckets | None = None, **facts: bool) -> str:
    execution = OnCpu(compute, (5,), 16)  # type: ignore[arg-type] # a function of tensors
    told = {"images_in": False, "images_out": False} | facts
    return fingerprint.fingerprint(
        execution, buckets or Buckets((1, 2, 4, 8, 16)), model_bytes=1, **told
    )


def test_an_operations_fingerprint_is_of_its_answers_not_of_the_batch_that_gave_them() -> None:
    def double(rows: Tensor) -> Tensor:
        return 2 * rows

    def last_bit(rows: Tensor) -> Tensor:
        # In one row of a hundred.
        off = torch.where(rows[:, :1] > 2.3, 1e-7, 0.0)
        return 2 * rows * (1 + off)

    assert of(double) == of(double) == of(double, Buckets((16,)))
    assert of(double) != of(last_bit)
    assert of(double) != of(double, images_in=True)


def test_a_large_model_is_looked_at_in_few_rows() -> None:
    taken: list[int] = []

    def count(rows: Tensor) -> Tensor:
        taken.append(len(rows))
        return rows

    execution = OnCpu(count, (5,), 64)
    for model_bytes, most in ((1, 256), (2**31, 4)):
        taken.clear()
        fingerprint.fingerprint(
            execution,
            Buckets((1, 2, 4, 64)),
            model_bytes=model_bytes,
            images_in=False,
            images_out=False,
        )
        assert sum(taken) == most


def test_where_answers_may_differ_the_tag_is_weak_and_nothing_is_immutable(store: Path) -> None:
    """As on a device that does not repeat its own results."""
    app = create_app(Settings.read(store=store, models="grey"))
    path = "/models/grey@1/sample?seed=1"

    async def ask() -> None:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://test") as client,
        ):
            exact = await client.get(path)
            assert exact.headers["ETag"].startswith('"')
            assert "immutable" in exact.headers["Cache-Control"]
            model = app.state.service.find("grey")
            restless = model.decode.buckets._replace(tolerance=1e-7)
            decode = replace(model.decode, buckets=restless)
            app.state.service._pool = ModelPool([replace(model, decode=decode)])
            tag, loose = exact.headers["ETag"], await client.get(f"{path}&n=1")
            assert loose.headers["ETag"] == f"W/{tag}"
            assert loose.headers["Cache-Control"] == "public, max-age=60"
            for known in (tag, f"W/{tag}", f'"other", W/{tag}'):
                again = await client.get(f"{path}&n=1", headers={"If-None-Match": known})
                assert again.status_code == 304
                assert again.headers["ETag"] == f"W/{tag}"

    asyncio.run(ask())
