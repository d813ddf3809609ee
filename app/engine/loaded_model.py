"""A checkpoint on its device: its operations, each with the batch shapes that it may run in."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from app.engine.buckets import Buckets, find_buckets
from model_store import Checkpoint, Manifest, ModelId, load

OperationName = Literal["encode", "decode", "prior"]


@dataclass(frozen=True, eq=False)
class Operation:
    """One row-wise function of one model: [B, *row_shape] to [B, …], both on the CPU, float32."""

    model: str
    name: OperationName
    run: Callable[[Tensor], Tensor]
    row_shape: tuple[int, ...]
    buckets: Buckets


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """A model that can be asked; `encode` answers mean and log_var as [B, 2, *latent_shape]."""

    model: ModelId
    manifest: Manifest
    device: torch.device
    encode: Operation
    decode: Operation
    prior: Operation | None

    @property
    def operations(self) -> tuple[Operation, ...]:
        """All of the model's operations."""
        return (self.encode, self.decode, *([self.prior] if self.prior else []))

    @property
    def exact(self) -> bool:
        """Whether every answer is the same bit for bit, whatever batch it was computed in."""
        return all(operation.buckets.exact for operation in self.operations)


def load_model(store: Path, model: ModelId, device: torch.device, max_rows: int) -> LoadedModel:
    """Load and check `model`, then find and warm its batch shapes up to `max_rows`.

    To be called on the thread that will run it. Raises model_store's StoreError.
    """
    checkpoint = load(store, model, device)
    manifest = checkpoint.manifest

    def operation(
        name: OperationName, compute: Callable[[Tensor], Tensor], row_shape: tuple[int, ...]
    ) -> Operation:
        def run(rows: Tensor) -> Tensor:
            with torch.inference_mode():
                return compute(rows.to(device)).cpu()

        return Operation(str(model), name, run, row_shape, find_buckets(run, row_shape, max_rows))

    return LoadedModel(
        model,
        manifest,
        device,
        encode=operation("encode", _stacked_posterior(checkpoint), manifest.data.shape),
        decode=operation("decode", checkpoint.decode, manifest.latent_shape),
        prior=operation("prior", checkpoint.prior, manifest.latent_shape)
        if checkpoint.prior
        else None,
    )


def _stacked_posterior(checkpoint: Checkpoint) -> Callable[[Tensor], Tensor]:
    def encode(x: Tensor) -> Tensor:
        return torch.stack(checkpoint.encode(x), dim=1)

    return encode
