"""From a published folder to a model that may serve, through the checks of the store, in order:
digest, limits, archive, operators, contract, probe, and precision where it is to compute in less
than float32.

Files are read once, and what is checked is what is loaded. The only file of this room that knows
`torch.jit`.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from model_store.canonical_archive import canonical_archive
from model_store.contract import Checkpoint, check_contract, check_probe, check_schema, short
from model_store.errors import Check, CheckpointRejected, Fault
from model_store.location import MODULE_FILE, ModelId, published_folder
from model_store.manifest import Manifest, manifest_text, parse_manifest
from model_store.operators import check_operators, check_pure
from model_store.settings import extra_operators
from model_store.verification import Candidate, require_verified
from model_store.version_files import VersionFolder

# What to do, where it does not depend on what was found.
_REMEDIES: dict[Check, str] = {
    "digest": "; the file was changed or damaged: publish the model again",
    "archive": "; publish the model again, from a file that torch.jit.save wrote",
    "precision": "; in float32 it passes every check: choose that precision for it",
    "probe": "; it does not compute here what it computed where it was trained: publish it again",
}
CPU = torch.device("cpu")


class _Read(NamedTuple):
    """What was read of a version, once."""

    manifest: Manifest
    manifest_sha256: str
    module: bytes


def load(
    store: Path,
    model: ModelId,
    device: torch.device = CPU,
    dtype: torch.dtype = torch.float32,
) -> Checkpoint:
    """Load a published version; ModelNotFound, or CheckpointRejected naming the check.

    It is verified in a process of its own first, unless it was before, with the same checks. The
    contract and the probe are checked again on `device`, on the very module that will serve. With
    `dtype` bfloat16 or float16, its encoder and decoder compute in that, once it has passed every
    check in float32, and are held to a looser tolerance.
    """
    # Fails where the device is not there, which is no fault of the checkpoint; cuda becomes cuda:0.
    device = torch.empty(0, device=device).device
    folder = published_folder(store, model)
    read = _read(folder, model)
    _require_verified(folder, read, dtype)
    return _checked(read, device, dtype)


def verify_staged(folder: VersionFolder, model: ModelId) -> None:
    """Have a version that is not published yet verified in a process of its own."""
    _require_verified(folder, _read(folder, model), torch.float32)


def verify_here(
    folder: VersionFolder, model: ModelId, manifest_sha256: str, dtype: torch.dtype
) -> None:
    """Load a version through every check on the CPU, in this process, which is there for it."""
    read = _read(folder, model)
    if read.manifest_sha256 != manifest_sha256:
        raise CheckpointRejected("manifest", model, "it was changed while it was verified")
    _checked(read, CPU, dtype)


def read_verified(store: Path, manifest: Manifest, name: str = MODULE_FILE) -> bytes:
    """Read a published version's module or attachment, whose digest is as it was published.

    CheckpointRejected("digest") where it is not, LookupError where the version has none of the
    name.
    """
    folder = published_folder(store, manifest.model)
    record = manifest.file if name == MODULE_FILE else manifest.attachments[name]
    with _rejecting("digest", manifest.model):
        return folder.read_exactly(name, record.size, record.sha256)


def _read(folder: VersionFolder, model: ModelId) -> _Read:
    text = manifest_text(folder, model)
    manifest = parse_manifest(text, model)
    with _rejecting("digest", model):
        module = folder.read_exactly(MODULE_FILE, manifest.file.size, manifest.file.sha256)
    return _Read(manifest, hashlib.sha256(text).hexdigest(), module)


def _require_verified(folder: VersionFolder, read: _Read, dtype: torch.dtype) -> None:
    manifest, digest, _ = read
    precision = str(dtype).removeprefix("torch.")
    file = manifest.file
    require_verified(Candidate(folder, manifest.model, digest, file.sha256, file.size, precision))


def _checked(read: _Read, device: torch.device, dtype: torch.dtype) -> Checkpoint:
    """The model of what was read, on its device, once it has passed the checks."""
    manifest, model = read.manifest, read.manifest.model
    with _rejecting("archive", model):
        archive = canonical_archive(read.module)
        module = torch.jit.load(archive, device)  # type: ignore[no-untyped-call]  # has no hints
    with _rejecting("operators", model):
        _check_every_method(module)
    with _rejecting("contract", model):
        checkpoint = _frozen(module, manifest, device)
        check_contract(checkpoint)
    with _rejecting("probe", model):
        check_probe(checkpoint)
    if dtype == torch.float32:
        return checkpoint
    with _rejecting("precision", model):
        archive.seek(0)
        again = torch.jit.load(archive, device)  # type: ignore[no-untyped-call]
        lowered = _lowered(checkpoint, again, dtype)
        check_contract(lowered)
        check_probe(lowered)
    return lowered


@contextmanager
def _rejecting(check: Check, model: ModelId) -> Iterator[None]:
    """Turn what a check found, and what torch raises on bad files, into the one domain error."""
    try:
        yield
    except Fault as fault:
        raise CheckpointRejected(check, model, f"{fault}{_REMEDIES.get(check, '')}") from fault
    except OSError as error:
        # Its own text names the path, which is nobody's business but the operator's.
        raise CheckpointRejected(check, model, f"it cannot be read: {error.strerror}") from error
    except (RuntimeError, ValueError, LookupError, torch.jit.Error) as error:
        detail = f"{short(error)}{_REMEDIES.get(check, '')}"
        raise CheckpointRejected(check, model, detail) from error


def _check_every_method(module: torch.jit.ScriptModule) -> None:
    for path, submodule in module.named_modules():
        for name in submodule._c._method_names():
            graph = submodule._c._get_method(name).inlined_graph
            check_operators(f"{path}.{name}".lstrip("."), graph, extra_operators())


def _frozen(module: torch.jit.ScriptModule, manifest: Manifest, device: torch.device) -> Checkpoint:
    """The module as it will serve: in evaluation mode, its weights constants of its graphs.

    torch.jit.optimize_for_inference is left out: measured on two models and one thread, it made
    the decoder of a convolutional one 20 to 40 % slower at 1 to 64 rows (each transposed
    convolution and upsampling converts to MKLDNN's layout and back), and saved 0 to 15 % of the
    rest.
    """
    for export in manifest.exports:
        if export not in module._c._method_names():
            raise Fault(f"the module has no method {export}; decorate it with torch.jit.export")
        schema = module._c._get_method(export).schema
        takes = [str(argument.type) for argument in schema.arguments[1:]]
        gives = [result.type.annotation_str for result in schema.returns]
        check_schema(export, takes, ", ".join(gives))
    if any(submodule.training for submodule in module.modules()):
        raise Fault("it was saved in training mode; call .eval() on the model before scripting it")
    frozen = torch.jit.freeze(module, preserved_attrs=list(manifest.exports))
    methods = {export: getattr(frozen, export) for export in manifest.exports}
    for export, method in methods.items():
        check_pure(export, method.graph, extra_operators())
    return Checkpoint(manifest, device, torch.float32, **methods)


def _lowered(
    checkpoint: Checkpoint, module: torch.jit.ScriptModule, dtype: torch.dtype
) -> Checkpoint:
    """The same with an encoder and a decoder of `module`, loaded anew, that compute in `dtype`.

    Those two are what the probe proves; the rest stays as it is. Weights are converted here, once:
    autocast would convert a frozen graph's constants again at every call.
    """
    frozen = torch.jit.freeze(module.to(dtype), preserved_attrs=["encode", "decode"])
    for export in ("encode", "decode"):
        check_pure(export, getattr(frozen, export).graph, extra_operators())

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = frozen.encode(x.to(dtype))
        return mean.float(), log_var.float()

    def decode(z: Tensor) -> Tensor:
        decoded: Tensor = frozen.decode(z.to(dtype))
        return decoded.float()

    return replace(checkpoint, dtype=dtype, encode=encode, decode=decode)
