"""A checkpoint on its device: its operations, each with the batch shapes that it may run in."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from app.arrays import Floats
from app.engine.buckets import Buckets, find_buckets
from app.engine.execution import Execution, OnCpu
from model_store import Checkpoint, Manifest, ModelId, load

OperationName = Literal["encode", "decode", "prior"]
FLOAT_BYTES = 4


@dataclass(frozen=True, eq=False)
class Operation:
    """One row-wise function of one model, and the batch sizes it runs in."""

    model: str
    name: OperationName
    execution: Execution
    buckets: Buckets
    row_bytes: int  # what one row and its answer take in memory


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that can be asked; `encode` answers mean and log_var as [B, 2, *latent_shape]."""

    model: ModelId
    manifest: Manifest
    device: torch.device
    encode: Operation
    decode: Operation
    prior: Operation | None

    @cached_property
    def id(self) -> str:
        """`name@version`."""
        return str(self.model)

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All of the model's operations."""
        return (self.encode, self.decode, *([self.prior] if self.prior else []))

    @property
    def tolerance(self) -> float:
        """How far the answers to one question may differ with the batch; 0 is bit for bit."""
        return max(operation.buckets.tolerance for operation in self.operations)


def load_model(store: Path, model: ModelId, device: torch.device, max_rows: int) -> LoadedModel:
    """Load and check `model`, then find and warm its batch shapes up to `max_rows`.

    To be called on the thread that will run it. Raises model_store's StoreError.
    """
    checkpoint = load(store, model, device)
    manifest = checkpoint.manifest
    data, latent = manifest.data.shape, manifest.latent_shape

    def operation(
        name: OperationName,
        compute: Callable[[Tensor], Tensor],
        row_shape: tuple[int, ...],
        num_answers: int,
    ) -> Operation:
        execution = OnCpu(compute, row_shape, max_rows)

        def run(rows: Floats) -> Floats:
            execution.stage[: len(rows)] = rows
            answer = execution.run(len(rows), values=True, levels=False).values
            assert answer is not None
            return answer

        buckets = find_buckets(run, row_shape, max_rows)
        row_bytes = FLOAT_BYTES * (prod(row_shape) + num_answers)
        return Operation(str(model), name, execution, buckets, row_bytes)

    prior = checkpoint.prior
    return LoadedModel(
        model,
        manifest,
        device,
        encode=operation("encode", _stacked_posterior(checkpoint), data, 2 * prod(latent)),
        decode=operation("decode", checkpoint.decode, latent, prod(data)),
        prior=operation("prior", prior, latent, prod(latent)) if prior else None,
    )


def _stacked_posterior(checkpoint: Checkpoint) -> Callable[[Tensor], Tensor]:
    def encode(x: Tensor) -> Tensor:
        return torch.stack(checkpoint.encode(x), dim=1)

    return encode
