"""A checkpoint on its device: its operations, each with the batch shapes that it may run in."""

import hashlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import log, pi, prod
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor

from app.arrays import FLOAT_BYTES, NUM_LEVELS, Floats, read_only
from app.engine.buckets import Buckets, find_buckets
from app.engine.device import execution_on
from app.engine.execution import Execution, Work
from app.engine.fingerprint import fingerprint
from model_store import Checkpoint, Manifest, ModelId, load

Rare = Literal["densities", "level_probabilities"]
RARE: tuple[Rare, ...] = get_args(Rare)
# Probabilities of levels that a batch may answer. Above some 32 MiB the C library takes every
# array's memory from the system anew: 20 images of 28 × 28 took four times as long each as 5.
MOST_PROBABILITIES = 2**20
OperationName = Literal["encode", "decode", "prior"] | Rare
# What an encoder and a decoder compute in; whatever it is, answers are float32.
Precision = Literal["float32", "bfloat16", "float16"]
DTYPES: dict[Precision, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


@dataclass(frozen=True, eq=False)
class Operation:
    """One row-wise function of one model, and the batch sizes it runs in."""

    model: str
    name: OperationName
    execution: Execution
    buckets: Buckets
    row_bytes: int  # what one row and its answer take in memory
    on_loop: bool = False  # run by the event loop's thread, else by the device's
    fingerprint: str = ""  # of what it answers here; see app.engine.fingerprint


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that can be asked; `encode` answers mean and log_var as [B, 2, *latent_shape]."""

    model: ModelId
    manifest: Manifest
    device: torch.device
    precision: Precision
    encode: Operation
    decode: Operation
    prior: Operation | None
    rare: Mapping[Rare, Callable[[], Operation]]
    """Makes ready what few ask for, where the model has it.

    `densities`: flat pairs [B, data + latent] to log p(x | z) and log p(z), [B, 2];
    `level_probabilities`: latents to p(xᵢ = k / 255 | z), [B, *data_shape, 256].
    """

    @cached_property
    def id(self) -> str:
        """`name@version`."""
        return str(self.model)

    @cached_property
    def data_bytes(self) -> int:
        """Bytes of a row of data in float32."""
        return FLOAT_BYTES * prod(self.manifest.data.shape)

    @cached_property
    def latent_bytes(self) -> int:
        """Bytes of a latent in float32."""
        return FLOAT_BYTES * prod(self.manifest.latent_shape)

    @cached_property
    def directions(self) -> dict[str, Floats]:
        """Directions [*latent_shape] that were published with it, by name."""
        return {
            name: read_only(record.tensor().numpy())
            for name, record in self.manifest.directions.items()
        }

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All of the model's operations."""
        return (self.encode, self.decode, *([self.prior] if self.prior else []))

    @cached_property
    def fingerprint(self) -> str:
        """Of what it answers here, 32 hexadecimal digits: equal ones, equal bits."""
        parts = "".join(operation.fingerprint for operation in self.operations)
        return hashlib.sha256(parts.encode()).hexdigest()[:32]

    @property
    def tolerance(self) -> float:
        """How far the answers to one question may differ with the batch; 0 is bit for bit."""
        return max(operation.buckets.tolerance for operation in self.operations)


def take_quick_operations(loaded: LoadedModel, seconds: float) -> LoadedModel:
    """`loaded`, whose operations that take at most `seconds` a batch on a CPU are the caller's.

    To be called on the event loop's thread, which then runs them: to hand a batch to another thread
    and back takes as long as a small model needs for it, and the two threads fight for the
    interpreter all the while. Each is warmed and proven anew, on the thread that will run it.
    """
    if loaded.device.type != "cpu":
        return loaded

    def taken(operation: Operation) -> Operation:
        if _batch_seconds(operation) > seconds:
            return operation
        return _proven(replace(operation, on_loop=True), loaded.manifest)

    return replace(
        loaded,
        encode=taken(loaded.encode),
        decode=taken(loaded.decode),
        prior=taken(loaded.prior) if loaded.prior else None,
    )


def _batch_seconds(operation: Operation) -> float:
    """What the largest batch takes, at its best of a few."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        operation.execution.run(operation.buckets.sizes[-1], values=True, levels=False)
        times.append(time.perf_counter() - began)
    return min(times)


def _proven(operation: Operation, manifest: Manifest) -> Operation:
    """The same with the batch sizes and the fingerprint that this thread finds."""
    execution, images = operation.execution, manifest.data.kind == "image"
    proven = replace(operation, buckets=_prove(execution))
    if operation.name in RARE:  # on which no answer depends that is kept
        return proven
    found = fingerprint(
        execution,
        proven.buckets,
        model_bytes=manifest.file.size,
        images_in=images and operation.name == "encode",
        images_out=images and operation.name == "decode",
    )
    return replace(proven, fingerprint=found)


def _prove(execution: Execution) -> Buckets:
    """The batch sizes of an execution; see find_buckets."""

    def run(rows: Floats) -> Floats:
        execution.stage[: len(rows)] = rows
        answer = execution.run(len(rows), values=True, levels=False).values
        assert answer is not None
        return answer

    max_rows, *row_shape = execution.stage.shape
    return find_buckets(run, tuple(row_shape), max_rows)


def load_model(
    store: Path,
    model: ModelId,
    device: torch.device,
    max_rows: int,
    precision: Precision = "float32",
) -> LoadedModel:
    """Load and check `model`, then find and warm its batch shapes up to `max_rows`.

    To be called on the thread that will run it. Raises model_store's StoreError.
    """
    checkpoint = load(store, model, device, DTYPES[precision])
    manifest = checkpoint.manifest
    data, latent = manifest.data.shape, manifest.latent_shape

    def operation(
        name: OperationName,
        compute: Callable[[Tensor], Tensor],
        row_shape: tuple[int, ...],
        num_answers: int,
        most: int = max_rows,
    ) -> Operation:
        images = name == "decode" and manifest.data.kind == "image"
        work = Work(f"{model} {name}", compute, row_shape, images)
        execution = execution_on(device, work, most)

        row_bytes = FLOAT_BYTES * (prod(row_shape) + num_answers)
        made = Operation(str(model), name, execution, Buckets(()), row_bytes)
        return _proven(made, manifest)

    prior = checkpoint.prior
    rare: dict[Rare, Callable[[], Operation]] = {}
    if checkpoint.log_likelihood and (checkpoint.prior_log_density or not prior):
        pair = (prod(data) + prod(latent),)
        rare["densities"] = partial(operation, "densities", _densities(checkpoint), pair, 2)
    if levels := checkpoint.level_probabilities:
        numbers = NUM_LEVELS * prod(data)
        most = max(1, min(max_rows, MOST_PROBABILITIES // numbers))
        rare["level_probabilities"] = partial(
            operation, "level_probabilities", levels, latent, numbers, most
        )
    return LoadedModel(
        model,
        manifest,
        device,
        precision,
        encode=operation("encode", _stacked_posterior(checkpoint), data, 2 * prod(latent)),
        decode=operation("decode", checkpoint.decode, latent, prod(data)),
        prior=operation("prior", prior, latent, prod(latent)) if prior else None,
        rare=rare,
    )


def _densities(checkpoint: Checkpoint) -> Callable[[Tensor], Tensor]:
    data, latent = checkpoint.manifest.data.shape, checkpoint.manifest.latent_shape
    log_likelihood, prior = checkpoint.log_likelihood, checkpoint.prior_log_density
    assert log_likelihood is not None

    def densities(pairs: Tensor) -> Tensor:
        x, z = pairs[:, : prod(data)], pairs[:, prod(data) :].reshape(-1, *latent)
        log_x = log_likelihood(x.reshape(-1, *data), z)
        if prior is not None:
            return torch.stack([log_x, prior(z)], 1)
        normal = -0.5 * (z.square() + log(2 * pi)).flatten(1).sum(1)
        return torch.stack([log_x, normal], 1)

    return densities


def _stacked_posterior(checkpoint: Checkpoint) -> Callable[[Tensor], Tensor]:
    def encode(x: Tensor) -> Tensor:
        return torch.stack(checkpoint.encode(x), dim=1)

    return encode
