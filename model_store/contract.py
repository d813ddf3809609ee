"""What a served model must do, as a table of its exports, and the checks that call them.

Knows callables and tensors, not where they come from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from model_store.data_spec import NUM_LEVELS
from model_store.errors import Fault
from model_store.manifest import Manifest

Part = Literal["data", "latent", "number", "levels"]  # what one row holds


class Signature(NamedTuple):
    """What an export takes and gives; every tensor is float32 and `[N, *row]`."""

    takes: tuple[Part, ...]
    gives: tuple[Part, ...]


# bfloat16 rounds at 1 in steps of 2⁻⁷, float16 in steps of 2⁻¹⁰. Over the layers of the bundled
# model the steps add up to less than 2.
ROUNDING_STEPS = 8

SIGNATURES: dict[str, Signature] = {
    "encode": Signature(("data",), ("latent", "latent")),
    "decode": Signature(("latent",), ("data",)),
    "log_likelihood": Signature(("data", "latent"), ("number",)),
    "prior": Signature(("latent",), ("latent",)),
    "prior_log_density": Signature(("latent",), ("number",)),
    "level_probabilities": Signature(("latent",), ("levels",)),
}
SUM_TOLERANCE = 1e-3  # of the 256 probabilities, which are float32


@dataclass(frozen=True)
class Checkpoint:
    """A verified model on its device. Every callable takes and gives float32 on that device."""

    manifest: Manifest
    device: torch.device
    dtype: torch.dtype  # what encode and decode compute in; whatever it is, they give float32
    encode: Callable[[Tensor], tuple[Tensor, Tensor]]  # [N, *data] -> mean, log_var [N, *latent]
    decode: Callable[[Tensor], Tensor]  # [N, *latent] -> [N, *data], the likelihood's mean
    log_likelihood: Callable[[Tensor, Tensor], Tensor] | None = None  # (x, z) -> [N] in nats
    prior: Callable[[Tensor], Tensor] | None = None  # N(0, I) noise [N, *latent] -> [N, *latent]
    prior_log_density: Callable[[Tensor], Tensor] | None = None  # [N, *latent] -> [N] in nats
    # [N, *latent] -> [N, *data, 256]: p(xᵢ = k / 255 | z) of 8-bit pixels
    level_probabilities: Callable[[Tensor], Tensor] | None = None


def check_schema(export: str, takes: list[str], gives: str) -> None:
    """Fault where a scripted method's argument types or result type are not the export's."""
    signature = SIGNATURES[export]
    many = len(signature.gives) > 1
    wanted = f"Tuple[{', '.join('Tensor' for _ in signature.gives)}]" if many else "Tensor"
    if takes != ["Tensor"] * len(signature.takes) or gives != wanted:
        asked = ", ".join("Tensor" for _ in signature.takes)
        raise Fault(f"{export}({', '.join(takes)}) -> {gives} must be ({asked}) -> {wanted}")


def check_contract(checkpoint: Checkpoint) -> None:
    """Fault where an export breaks its shapes, dtype, range, purity or independence of rows."""
    with torch.inference_mode():
        for export in checkpoint.manifest.exports:
            _check_export(checkpoint, export)


def _check_export(checkpoint: Checkpoint, export: str) -> None:
    rows = 3
    takes = _example(checkpoint, export, rows)
    kept = [tensor.clone() for tensor in takes]
    first = _call(checkpoint, export, takes)
    if not all(torch.equal(now, before) for now, before in zip(takes, kept, strict=True)):
        raise Fault(f"{export} writes to its input; export the model without in-place operators")
    again = _call(checkpoint, export, takes)
    what = f"{export} is not deterministic: called twice on one input, its results"
    _check_equal(checkpoint, again, first, what)
    for row in range(rows):
        alone = _call(checkpoint, export, [tensor[row : row + 1] for tensor in takes])
        together = [tensor[row : row + 1] for tensor in first]
        what = f"{export} depends on a row's neighbours: alone and among {rows}, its results"
        _check_equal(checkpoint, alone, together, what)


def _example(checkpoint: Checkpoint, export: str, rows: int) -> list[Tensor]:
    """Inputs of an export: data in its range (or N(0, 1)), latents and noise from N(0, I)."""
    generator = torch.Generator().manual_seed(0)
    tensors = []
    for part in SIGNATURES[export].takes:
        shape = (rows, *_row_shape(checkpoint.manifest, part))
        unit = part == "data" and checkpoint.manifest.data.value_range is not None
        draw = torch.rand if unit else torch.randn
        tensors.append(draw(shape, generator=generator).to(checkpoint.device))
    return tensors


def _row_shape(manifest: Manifest, part: Part) -> tuple[int, ...]:
    shapes: dict[Part, tuple[int, ...]] = {
        "data": manifest.data.shape,
        "latent": manifest.latent_shape,
        "number": (),
        "levels": (*manifest.data.shape, NUM_LEVELS),
    }
    return shapes[part]


def _call(checkpoint: Checkpoint, export: str, takes: list[Tensor]) -> list[Tensor]:
    """Call an export and check each tensor that it gives."""
    rows = len(takes[0])
    try:
        result = getattr(checkpoint, export)(*takes)
    except Exception as error:
        raise Fault(f"{export} fails on {rows} row(s): {short(error)}") from error
    signature = SIGNATURES[export]
    gives = list(result) if len(signature.gives) > 1 else [result]
    for part, tensor in zip(signature.gives, gives, strict=True):
        _check_tensor(checkpoint, export, tensor, (rows, *_row_shape(checkpoint.manifest, part)))
    if export == "decode":
        _check_range(checkpoint, gives[0])
    if export == "level_probabilities":
        _check_probabilities(gives[0])
    return gives


def _check_tensor(
    checkpoint: Checkpoint, export: str, found: Tensor, shape: tuple[int, ...]
) -> None:
    if tuple(found.shape) != shape:
        raise Fault(
            f"{export} gives shape {list(found.shape)}, it must be {list(shape)}; correct it, or "
            "the shapes of the manifest"
        )
    if found.dtype != torch.float32:
        raise Fault(f"{export} gives {found.dtype}, it must be torch.float32: export the model so")
    if found.device != checkpoint.device:
        raise Fault(
            f"{export} gives a tensor on {found.device}, loaded to {checkpoint.device}: export it "
            "without devices of its own"
        )
    if not bool(torch.isfinite(found).all()):
        raise Fault(
            f"{export} gives NaN or infinite numbers on inputs from N(0, I) or [0, 1]; export a "
            "model that is finite there"
        )


def _check_range(checkpoint: Checkpoint, decoded: Tensor) -> None:
    value_range = checkpoint.manifest.data.value_range
    if value_range is None:
        return
    low, high = (float(bound) for bound in torch.aminmax(decoded))
    if low < value_range[0] or high > value_range[1]:
        raise Fault(
            f"decode gives values in [{low:.6g}, {high:.6g}], an image lies in "
            f"{list(value_range)}; export the likelihood's mean, squashed or clamped"
        )


def _check_probabilities(found: Tensor) -> None:
    if float(found.min()) < 0 or float((found.sum(-1) - 1).abs().max()) > SUM_TOLERANCE:
        raise Fault(
            f"level_probabilities gives {NUM_LEVELS} numbers for a pixel that are no "
            "probabilities: export numbers from 0 on that sum to 1"
        )


def check_probe(checkpoint: Checkpoint) -> None:
    """Fault where the recorded inputs do not give the recorded outputs on this device."""
    probe = checkpoint.manifest.probe
    recorded = {
        "encode": ([probe.x.tensor()], [probe.mean.tensor(), probe.log_var.tensor()]),
        "decode": ([probe.z.tensor()], [probe.decoded.tensor()]),
    }
    with torch.inference_mode():
        for export, (takes, gives) in recorded.items():
            got = _call(checkpoint, export, [tensor.to(checkpoint.device) for tensor in takes])
            want = [tensor.to(checkpoint.device) for tensor in gives]
            what = f"{export} of the probe's input and the recorded output"
            _check_equal(checkpoint, got, want, what)


def _check_equal(checkpoint: Checkpoint, got: list[Tensor], want: list[Tensor], what: str) -> None:
    """Fault where |got - want| > tolerance * (1 + |want|) for any number."""
    tolerance = tolerance_of(checkpoint)
    pairs = zip(got, want, strict=True)
    worst = max(float(((g - w).abs() / (1 + w.abs())).max()) for g, w in pairs)
    if worst > tolerance:
        raise Fault(
            f"{what} differ by {worst:.3g} of 1 + |value|, the probe's tolerance is {tolerance:.3g}"
        )


def tolerance_of(checkpoint: Checkpoint) -> float:
    """The probe's; in a precision below float32 at least 8 of its rounding steps at 1."""
    recorded = checkpoint.manifest.probe.tolerance
    if checkpoint.dtype == torch.float32:
        return recorded
    return max(recorded, ROUNDING_STEPS * torch.finfo(checkpoint.dtype).eps)


def short(error: Exception) -> str:
    """The one line of an error of torch that says what happened; the rest is a trace."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [repr(error)]
    traced = any("Traceback of TorchScript" in line for line in lines)
    return (lines[-1] if traced else lines[0])[:300]
