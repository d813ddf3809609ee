"""From a published folder to a model that may serve, through the checks of the store, in order:
digest, archive, operators, contract, probe, and precision where it is to compute in less than
float32.

The only file of this room that knows `torch.jit`.
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from model_store.archive import check_archive
from model_store.contract import Checkpoint, check_contract, check_probe, check_schema, short
from model_store.errors import Check, CheckpointRejected, Fault
from model_store.location import MANIFEST_FILE, MODULE_FILE, ModelId, published_folder
from model_store.manifest import FileRecord, Manifest, read_manifest_file
from model_store.operators import check_operators, check_pure
from model_store.settings import extra_operators

# What to do, where it does not depend on what was found.
_REMEDIES: dict[Check, str] = {
    "digest": "; the file was changed or damaged: publish the model again",
    "archive": "; publish the model again, from a file that torch.jit.save wrote",
    "precision": "; in float32 it passes every check: choose that precision for it",
    "probe": "; it does not compute here what it computed where it was trained: publish it again",
}
CPU = torch.device("cpu")


def load(
    store: Path,
    model: ModelId,
    device: torch.device = CPU,
    dtype: torch.dtype = torch.float32,
) -> Checkpoint:
    """Load a published version; ModelNotFound, or CheckpointRejected naming the check.

    The contract and the probe are checked on `device`, on the very module that will serve. With
    `dtype` bfloat16 or float16, its encoder and decoder compute in that, once it has passed every
    check in float32, and are held to a looser tolerance.
    """
    checkpoint = load_folder(published_folder(store, model), model, device)
    if dtype == torch.float32:
        return checkpoint
    with _rejecting("precision", model):
        lowered = _lowered(checkpoint, published_folder(store, model) / MODULE_FILE, dtype)
        check_contract(lowered)
        check_probe(lowered)
    return lowered


def load_folder(folder: Path, model: ModelId, device: torch.device = CPU) -> Checkpoint:
    """Load the version that lies in `folder`, published or staged; CheckpointRejected."""
    # Fails where the device is not there, which is no fault of the checkpoint; cuda becomes cuda:0.
    device = torch.empty(0, device=device).device
    manifest = read_manifest_file(folder / MANIFEST_FILE, model)
    file = folder / MODULE_FILE
    with _rejecting("digest", model):
        _check_digest(file, manifest.file)
    with _rejecting("archive", model):
        check_archive(file)
        module = torch.jit.load(str(file), device)  # type: ignore[no-untyped-call]  # has no hints
    with _rejecting("operators", model):
        _check_every_method(module)
    with _rejecting("contract", model):
        checkpoint = _frozen(module, manifest, device)
        check_contract(checkpoint)
    with _rejecting("probe", model):
        check_probe(checkpoint)
    return checkpoint


def sound_file(store: Path, manifest: Manifest, name: str = MODULE_FILE) -> Path:
    """A published version's module or attachment, as it was published.

    CheckpointRejected("digest") where it is not, LookupError where the version has none of the
    name.
    """
    file = published_folder(store, manifest.model) / name
    record = manifest.file if name == MODULE_FILE else manifest.attachments[name]
    with _rejecting("digest", manifest.model):
        _check_digest(file, record)
    return file


@contextmanager
def _rejecting(check: Check, model: ModelId) -> Iterator[None]:
    """Turn what a check found, and what torch raises on bad files, into the one domain error."""
    try:
        yield
    except Fault as fault:
        raise CheckpointRejected(check, model, f"{fault}{_REMEDIES.get(check, '')}") from fault
    except (OSError, RuntimeError, ValueError, LookupError, torch.jit.Error) as error:
        detail = f"{short(error)}{_REMEDIES.get(check, '')}"
        raise CheckpointRejected(check, model, detail) from error


def file_record(file: Path) -> FileRecord:
    """Digest and size of a file, read in pieces."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
        return FileRecord(sha256=digest, size=stream.tell())


def _check_digest(file: Path, recorded: FileRecord) -> None:
    if not file.is_file():
        raise Fault(f"{file.name} is missing")
    size = file.stat().st_size
    if size != recorded.size:
        raise Fault(f"{file.name} has {size} bytes, the manifest says {recorded.size}")
    digest = file_record(file).sha256
    if digest != recorded.sha256:
        raise Fault(f"{file.name} has SHA-256 {digest}, the manifest says {recorded.sha256}")


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


def _lowered(checkpoint: Checkpoint, file: Path, dtype: torch.dtype) -> Checkpoint:
    """The same with an encoder and a decoder that compute in `dtype`.

    Those two are what the probe proves; the rest stays as it is. Weights are converted here, once:
    autocast would convert a frozen graph's constants again at every call.
    """
    module = torch.jit.load(str(file), checkpoint.device)  # type: ignore[no-untyped-call]
    frozen = torch.jit.freeze(module.to(dtype), preserved_attrs=["encode", "decode"])

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        mean, log_var = frozen.encode(x.to(dtype))
        return mean.float(), log_var.float()

    def decode(z: Tensor) -> Tensor:
        decoded: Tensor = frozen.decode(z.to(dtype))
        return decoded.float()

    return replace(checkpoint, dtype=dtype, encode=encode, decode=decode)
