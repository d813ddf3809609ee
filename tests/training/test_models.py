"""Laws of every family with every likelihood: shapes, gradients, independence, export."""

from pathlib import Path
from zipfile import ZipFile

import pytest
import torch

from tests.training.small import COLOUR, GREY, LATENT, MODELS, VECTOR, model, rows
from training import export
from training.errors import ConfigError, ExportError
from training.families import FAMILIES
from training.likelihoods import LIKELIHOODS
from training.objectives import OBJECTIVES, Options, draw
from training.vae import VAE

EVERY = pytest.mark.parametrize(("family", "likelihood", "shape"), MODELS)


def test_the_laws_meet_every_family_and_likelihood() -> None:
    assert {case[0] for case in MODELS} == set(FAMILIES)
    assert {case[1] for case in MODELS} == set(LIKELIHOODS)


@EVERY
def test_shapes_are_those_of_the_contract(
    family: str, likelihood: str, shape: tuple[int, ...]
) -> None:
    vae, x = model(family, likelihood, shape), rows(4, shape)
    mean, log_var = vae.encode(x)
    assert mean.shape == log_var.shape == (4, LATENT)
    decoded = vae.decode(mean)
    assert decoded.shape == (4, *shape)
    assert vae.log_likelihood(x, mean).shape == (4,)
    if len(shape) == 3:
        assert float(decoded.detach().min()) >= 0.0
        assert float(decoded.detach().max()) <= 1.0


@EVERY
def test_the_gradient_reaches_every_parameter(
    family: str, likelihood: str, shape: tuple[int, ...]
) -> None:
    vae = model(family, likelihood, shape)
    loss = OBJECTIVES["elbo"](Options())(
        draw(vae, rows(8, shape), torch.randn(1, 8, LATENT)), 1.0
    ).loss
    torch.autograd.backward(loss)
    for name, parameter in vae.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@EVERY
def test_a_row_does_not_depend_on_its_company(
    family: str, likelihood: str, shape: tuple[int, ...]
) -> None:
    vae, x = model(family, likelihood, shape), rows(5, shape)
    torch.testing.assert_close(vae.encode(x)[0][3:4], vae.encode(x[3:4])[0])
    z = torch.randn(5, LATENT)
    torch.testing.assert_close(vae.decode(z)[3:4], vae.decode(z[3:4]))


@EVERY
def test_the_scripted_model_answers_like_the_eager_one(
    family: str, likelihood: str, shape: tuple[int, ...]
) -> None:
    vae = export.for_export(model(family, likelihood, shape))
    scripted = export.script(vae)
    assert export.check_agreement(vae, scripted, rows(16, shape), seed=0) < export.TOLERANCE


CONVOLUTIONS = pytest.mark.parametrize("family", ["convolutional", "residual"])


@CONVOLUTIONS
@pytest.mark.parametrize(
    "shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (3, 5, 11), (1, 1, 1), (3, 64, 48), (3, 64, 64)]
)
def test_convolutions_bring_back_any_size(family: str, shape: tuple[int, ...]) -> None:
    vae = model(family, "gaussian", shape)
    assert vae.decode(vae.encode(rows(2, shape))[0]).shape == (2, *shape)


@CONVOLUTIONS
def test_convolutions_on_vectors_are_refused_with_the_remedy(family: str) -> None:
    with pytest.raises(ConfigError, match="family=mlp"):
        model(family, "gaussian", VECTOR)


def test_a_model_from_source_that_cannot_be_read_is_refused_with_the_reason() -> None:
    names: dict[str, type[torch.nn.Module]] = {"Module": torch.nn.Module}
    exec("class Typed(Module):\n def forward(self, x): return x", names)
    vae = model("mlp", "gaussian", VECTOR)
    broken = VAE(
        torch.nn.Sequential(names["Typed"](), vae.encoder), vae.decoder, vae.likelihood, vae.prior
    )
    with pytest.raises(ExportError, match=r"\.py file"):
        export.script(broken)


class _Shouting(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        print(*x)  # noqa: T201 (what TorchScript cannot express)
        return x


def test_a_model_that_torchscript_cannot_express_is_refused_with_the_reason() -> None:
    vae = model("mlp", "gaussian", VECTOR)
    broken = VAE(
        torch.nn.Sequential(_Shouting(), vae.encoder), vae.decoder, vae.likelihood, vae.prior
    )
    with pytest.raises(ExportError, match="cannot express"):
        export.script(broken)


def test_a_written_model_names_no_place_of_the_machine(tmp_path: Path) -> None:
    vae = export.for_export(model("mlp", "bernoulli", GREY, prior="flow"))
    file = tmp_path / "model.ts"
    export.write(export.script(vae), file)
    with ZipFile(file) as archive:
        everything = b"".join(archive.read(name) for name in archive.namelist())
    for place in (Path(export.__file__).parent, Path(torch.__file__).parent):
        assert str(place).encode() not in everything
    x = rows(3, GREY)
    loaded = torch.jit.load(str(file))  # type: ignore[no-untyped-call]  # has no hints
    torch.testing.assert_close(loaded.encode(x)[0], vae.encode(x)[0].detach())


@pytest.mark.parametrize("shape", [GREY, COLOUR])
def test_a_scripted_model_that_differs_from_the_eager_one_is_refused(
    shape: tuple[int, ...],
) -> None:
    vae = export.for_export(model("mlp", "bernoulli", shape))
    scripted = export.script(vae)
    # Scripting shares the weights, so the change must be made to a copy.
    changed = export.for_export(vae)
    with torch.no_grad():
        next(changed.decoder.parameters()).add_(0.1)
    with pytest.raises(ExportError, match="decode: scripted and eager answers differ"):
        export.check_agreement(changed, scripted, rows(4, shape), seed=0)
