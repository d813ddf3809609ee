"""From a trained VAE to a TorchScript file with the exports of a checkpoint.

The only file of this room that knows `torch.jit`.
"""

import copy
from io import BytesIO
from math import prod
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import torch
from torch import Tensor, nn

from model_store import MAX_ROW, NUM_LEVELS, Capability
from training.errors import ExportError
from training.streams import stream
from training.vae import VAE

# What float32 leaves of agreement between two orders of the same operations, relative to
# 1 + |value|.
TOLERANCE = 1e-4
FEW = 4  # rows of which each has 256 numbers for a pixel


class _Exports(nn.Module):
    """The methods that a checkpoint promises, on top of a VAE."""

    def __init__(self, vae: VAE) -> None:
        super().__init__()
        self.vae = vae

    @torch.jit.export
    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.vae.encode(x)

    @torch.jit.export
    def decode(self, z: Tensor) -> Tensor:
        return self.vae.decode(z)

    @torch.jit.export
    def log_likelihood(self, x: Tensor, z: Tensor) -> Tensor:
        return self.vae.log_likelihood(x, z)


class _WithPrior(_Exports):
    """The same of a model whose prior is learned, which nobody else could know."""

    @torch.jit.export
    def prior(self, noise: Tensor) -> Tensor:
        drawn: Tensor = self.vae.prior(noise)
        return drawn

    @torch.jit.export
    def prior_log_density(self, z: Tensor) -> Tensor:
        return self.vae.prior.log_density(z)


class _WithLevels(_Exports):
    """The same of a model of 8-bit pixels, whose images can be coded without loss."""

    @torch.jit.export
    def level_probabilities(self, z: Tensor) -> Tensor:
        return self.vae.level_probabilities(z)


class _WithPriorAndLevels(_WithPrior, _WithLevels):
    """Both."""


_EXPORTS: dict[tuple[bool, bool], type[_Exports]] = {
    # (whether the prior is learned, whether pixels have levels)
    (False, False): _Exports,
    (True, False): _WithPrior,
    (False, True): _WithLevels,
    (True, True): _WithPriorAndLevels,
}


def capabilities(vae: VAE, data_shape: tuple[int, ...]) -> tuple[Capability, ...]:
    """What a published model of such rows offers beyond `encode` and `decode`."""
    found: list[Capability] = ["log_likelihood"]
    if vae.prior.learned:
        found += ["prior", "prior_log_density"]
    if vae.likelihood.support == "levels" and NUM_LEVELS * prod(data_shape) <= MAX_ROW:
        found += ["level_probabilities"]
    return tuple(found)


def for_export(vae: VAE) -> VAE:
    """A copy on the CPU, in evaluation mode, with the prior as it is published."""
    copied = copy.deepcopy(vae).cpu().eval()
    copied.prior = copied.prior.published()
    return copied


def script(vae: VAE) -> torch.jit.ScriptModule:
    """Compile a VAE with its exports; ExportError says what TorchScript could not take."""
    try:
        exports = _EXPORTS[vae.prior.learned, vae.likelihood.support == "levels"]
        scripted = torch.jit.script(exports(vae).eval())
    except OSError as error:
        raise ExportError(
            "TorchScript compiles from source files, and the source of a class in this model "
            f"cannot be read ({error}): define it in a .py file, not in a notebook or by exec()"
        ) from error
    except (RuntimeError, torch.jit.frontend.NotSupportedError) as error:
        raise ExportError(f"TorchScript cannot express this model: {error}") from error
    if not isinstance(scripted, torch.jit.ScriptModule):
        raise ExportError(f"TorchScript gave a {type(scripted).__name__}, not a module")
    return scripted


def check_agreement(vae: VAE, scripted: torch.jit.ScriptModule, x: Tensor, seed: int) -> float:
    """Compare eager and scripted answers on real rows `x` [N, *data_shape]; the largest difference.

    Differences are relative to 1 + |value|; ExportError above the tolerance of the probe.
    """
    with torch.no_grad():
        mean, log_var = vae.encode(x)
        z = torch.randn(mean.shape, generator=stream(seed, "probe", 0))
        wanted = [mean, log_var, vae.decode(z), vae.log_likelihood(x, z)]
        got = [*scripted.encode(x), scripted.decode(z), scripted.log_likelihood(x, z)]
        names = ["encode (mean)", "encode (log_var)", "decode", "log_likelihood"]
        if vae.prior.learned:
            wanted += [vae.prior(z), vae.prior.log_density(z)]
            got += [scripted.prior(z), scripted.prior_log_density(z)]
            names += ["prior", "prior_log_density"]
        if vae.likelihood.support == "levels":
            few = z[:FEW]
            wanted.append(vae.level_probabilities(few))
            got.append(scripted.level_probabilities(few))
            names.append("level_probabilities")
    worst = 0.0
    for name, eager, other in zip(names, wanted, got, strict=True):
        difference = float(((eager - other).abs() / (1 + eager.abs())).max())
        if not difference <= TOLERANCE:
            raise ExportError(
                f"{name}: scripted and eager answers differ by {difference:g} (relative to 1 + "
                f"|value|), more than {TOLERANCE:g}"
            )
        worst = max(worst, difference)
    return worst


def write(scripted: torch.jit.ScriptModule, file: Path) -> None:
    """Save the scripted module without its debugging records.

    They hold the full path of every source file that it was compiled from: where somebody trained
    is nobody's business, and nothing needs it to load or to run.
    """
    whole = BytesIO()
    torch.jit.save(scripted, whole)
    with ZipFile(whole) as saved, ZipFile(file, "w", ZIP_STORED) as kept:
        for name in saved.namelist():
            if not name.endswith(".debug_pkl"):
                kept.writestr(ZipInfo(name), saved.read(name))
