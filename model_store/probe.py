"""The tensors a manifest carries: fixed inputs, and the outputs that they must give.

Knows numbers and their encoding, not the modules that make them.
"""

import base64
import math
import struct
from typing import Annotated, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor


class Record(BaseModel):
    """Base of every part of a manifest: frozen, and a field nobody knows is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class TensorRecord(Record):
    """A float32 tensor as text: its shape, and its little-endian values in base64."""

    shape: tuple[Annotated[int, Field(ge=0)], ...]
    base64: str

    @classmethod
    def of(cls, tensor: Tensor) -> Self:
        """Record a tensor of any real dtype as float32."""
        values = tensor.detach().to("cpu", torch.float32).flatten().tolist()
        packed = struct.pack(f"<{len(values)}f", *values)
        return cls(shape=tuple(tensor.shape), base64=base64.b64encode(packed).decode())

    @model_validator(mode="after")
    def _text_and_shape_agree(self) -> Self:
        size = len(base64.b64decode(self.base64, validate=True))
        if size != 4 * math.prod(self.shape):
            raise ValueError(f"{size} bytes do not fill shape {list(self.shape)} of float32")
        if not bool(self.tensor().isfinite().all()):
            raise ValueError("it holds numbers that are not finite")
        return self

    def tensor(self) -> Tensor:
        """The recorded tensor, float32 on the CPU."""
        packed = base64.b64decode(self.base64)
        values = struct.unpack(f"<{len(packed) // 4}f", packed)
        return torch.tensor(values, dtype=torch.float32).reshape(self.shape)


class Probe(Record):
    """A few rows and the outputs the eager model gave for them.

    `|got - want| <= tolerance * (1 + |want|)` must hold for every number on the device that serves.
    """

    x: TensorRecord  # [N, *data_shape]
    z: TensorRecord  # [N, *latent_shape]
    mean: TensorRecord  # encode(x)[0]
    log_var: TensorRecord  # encode(x)[1]
    decoded: TensorRecord  # decode(z)
    tolerance: Annotated[float, Field(gt=0, le=0.1)] = 1e-4

    @classmethod
    def of(
        cls,
        *,
        x: Tensor,
        z: Tensor,
        mean: Tensor,
        log_var: Tensor,
        decoded: Tensor,
        tolerance: float = 1e-4,
    ) -> Self:
        """Record the probe from tensors."""
        return cls(
            x=TensorRecord.of(x),
            z=TensorRecord.of(z),
            mean=TensorRecord.of(mean),
            log_var=TensorRecord.of(log_var),
            decoded=TensorRecord.of(decoded),
            tolerance=tolerance,
        )
