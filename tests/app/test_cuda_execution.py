"""An operation on a CUDA device; every test here needs one."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from torch import Tensor

from app.arrays import Floats
from app.engine.batcher import Batcher, QueueLimits
from app.engine.buckets import Buckets
from app.engine.cuda_execution import Graph, OnCuda, Results
from app.engine.device import execution_on, prepare
from app.engine.entry import Ticket
from app.engine.execution import Execution, Work
from app.engine.loaded_model import LoadedModel, Operation, Precision, load_model
from app.metrics import Metrics
from model_store import ModelId
from tests.app.conftest import picture
from tests.factories import KINDS, eager
from tests.serving import running

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

CPU = torch.device("cpu")
CUDA = torch.device("cuda", 0)
MIB = 2**20


@pytest.fixture(scope="module", autouse=True)
def _prepared() -> Iterator[None]:
    prepare(CUDA, 1)
    yield
    torch.set_grad_enabled(True)


def on_cuda(
    compute: Callable[[Tensor], Tensor], *row_shape: int, max_rows: int = 8, images: bool = False
) -> OnCuda:
    execution = execution_on(CUDA, Work("test", compute, row_shape, images), max_rows)
    assert isinstance(execution, OnCuda)
    return execution


def values_of(execution: Execution, rows: Floats) -> Floats:
    execution.stage[: len(rows)] = rows
    values = execution.run(len(rows), values=True, levels=False).values
    assert values is not None
    return values


def random_rows(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).random(shape, dtype=np.float32)


def decoder(kind: str) -> Callable[[Tensor], Tensor]:
    decode: Callable[[Tensor], Tensor] = eager(kind).to(CUDA).decode  # type: ignore[assignment]
    return decode


def operations(model: LoadedModel) -> dict[str, Operation]:
    return {operation.name: operation for operation in model.operations}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_answers_as_it_does_on_the_cpu(small_store: Path, kind: str) -> None:
    on_cpu, there = (
        operations(load_model(small_store, ModelId(kind, 1), device, 64)) for device in (CPU, CUDA)
    )
    for name, operation in there.items():
        images = name == "decode" and KINDS[kind].data.kind == "image"
        for size in operation.buckets.sizes:
            rows = random_rows(size, *operation.execution.stage.shape[1:])
            answers = []
            for execution in (operation.execution, on_cpu[name].execution):
                execution.stage[:size] = rows
                answers.append(execution.run(size, values=True, levels=images))
            found, expected = answers
            assert found.values is not None
            assert expected.values is not None
            np.testing.assert_allclose(found.values, expected.values, rtol=1e-4, atol=1e-4)
            if images:
                assert found.levels is not None
                assert expected.levels is not None
                apart = np.abs(found.levels.astype(int) - expected.levels.astype(int))
                assert apart.max() <= 1


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_a_lower_precision_is_near(small_store: Path, precision: Precision) -> None:
    exact = load_model(small_store, ModelId("colour", 1), CPU, 16).decode
    lower = load_model(small_store, ModelId("colour", 1), CUDA, 16, precision).decode
    rows = random_rows(lower.buckets.sizes[-1], 2, 4, 4)
    found, expected = (values_of(operation.execution, rows) for operation in (lower, exact))
    np.testing.assert_allclose(found, expected, atol=0.02)


@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_gives_what_its_step_gives(kind: str) -> None:
    decode = decoder(kind)
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call] # has no hints
    with torch.inference_mode(), torch.cuda.stream(stream):
        rows = torch.rand(16, *KINDS[kind].latent_shape, device=CUDA)

        def step() -> Results:
            answer = decode(rows)
            return Results(answer, None, answer.sum())

        for _ in range(2):
            step()
        graph = Graph(step)
        for _ in range(3):
            rows.copy_(torch.rand_like(rows))
            assert torch.equal(graph().values, step().values)


def test_sizes_do_not_disturb_each_other() -> None:
    decode = decoder("colour")
    execution = on_cuda(decode, 2, 4, 4, max_rows=64, images=True)
    for turn, size in enumerate((64, 1, 8, 64, 2, 8, 1, 64)):
        rows = random_rows(size, 2, 4, 4, seed=turn)
        expected = decode(torch.from_numpy(rows).to(CUDA)).cpu().numpy()
        np.testing.assert_allclose(values_of(execution, rows), expected, rtol=1e-5, atol=1e-6)


def test_levels_are_the_nearest_of_256_and_lie_as_pictures_do() -> None:
    execution = on_cuda(lambda x: x, 3, 2, 4, images=True)
    execution.stage[:] = random_rows(8, 3, 2, 4)
    answers = execution.run(8, values=True, levels=True)
    assert answers.values is not None
    assert answers.levels is not None
    expected = np.floor(answers.values * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    assert np.array_equal(answers.levels, expected.transpose(0, 2, 3, 1))


def test_an_answer_outlives_the_next_batch() -> None:
    execution = on_cuda(lambda x: x, 1, 1, 1, images=True)
    execution.stage[:] = 1
    first = execution.run(8, values=True, levels=True)
    execution.stage[:] = 0
    second = execution.run(8, values=True, levels=True)
    for before, after in ((first.values, second.values), (first.levels, second.levels)):
        assert before is not None
        assert after is not None
        assert before.all()
        assert not after.any()


def test_rows_that_are_no_numbers_are_told_apart() -> None:
    execution = on_cuda(torch.log, 2)
    execution.stage[:3] = [[1, 2], [-1, 1], [0, 1]]
    finite = execution.run(3, values=True, levels=False).finite
    assert finite is not None
    assert finite.tolist() == [True, False, False]
    execution.stage[:] = 1
    assert execution.run(3, values=True, levels=False).finite is None


def test_what_waits_for_the_device_runs_without_a_graph(caplog: pytest.LogCaptureFixture) -> None:
    def waits(x: Tensor) -> Tensor:
        return x * (2 if bool((x > -1).all()) else 3)

    with caplog.at_level(logging.DEBUG, "latentd"):
        assert np.array_equal(
            values_of(on_cuda(waits, 2), np.ones((4, 2), np.float32)), [[2, 2]] * 4
        )
        assert "no CUDA graph" in caplog.text
        caplog.clear()
        # And the next one can be captured as if nothing had been.
        values_of(on_cuda(torch.exp, 2), np.ones((4, 2), np.float32))
        assert "as a CUDA graph" in caplog.text


def test_without_memory_for_a_batch_its_halves_are_run() -> None:
    def hungry(x: Tensor) -> Tensor:
        if bool((x < -1).any()):  # so that no graph keeps the memory
            return x
        return x * torch.ones(len(x), 64 * MIB, dtype=torch.uint8, device=CUDA)[:, :1]

    async def scenario() -> Floats:
        execution = on_cuda(hungry, 1)
        lost: list[str] = []
        batcher = Batcher(Metrics(), QueueLimits(1000, 20.0), lost.append)
        operation = Operation("test@1", "decode", execution, Buckets((1, 2, 4, 8)), row_bytes=8)
        try:
            for size in operation.buckets.sizes:
                rows = np.zeros((size, 1), np.float32)
                await batcher.call(partial(values_of, execution, rows))
            torch.cuda.empty_cache()
            allowed = torch.cuda.memory_reserved() + 3 * 64 * MIB
            total = torch.cuda.get_device_properties(CUDA).total_memory
            torch.cuda.set_per_process_memory_fraction(allowed / total)
            with pytest.raises(torch.OutOfMemoryError):
                await batcher.call(lambda: execution.run(8, values=True, levels=False))
            answer = await batcher.run(operation, random_rows(8, 1), Ticket(10))
            assert not lost
            return answer.astype(np.float32)
        finally:
            torch.cuda.set_per_process_memory_fraction(1.0)
            await batcher.close()

    assert np.array_equal(asyncio.run(scenario()), random_rows(8, 1))


def test_a_service_draws_what_it_draws_on_a_cpu(client: httpx.Client, small_store: Path) -> None:
    with running(small_store, device="cuda") as there:
        assert there.get("/models/colour").json()["running"]["device"] == "cuda:0"
        for model in ("grey@1", "bent", "colour"):
            path = f"/models/{model}/sample?seed=1&n=9"
            found, expected = (
                picture(service.get(path)).astype(int) for service in (there, client)
            )
            assert np.abs(found - expected).max() <= 1
