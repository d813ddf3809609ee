"""Every model that can be trained passes the checks that a store makes of its program."""

import io

import pytest
import torch

from model_store.canonical_archive import canonical_archive
from model_store.operators import check_operators, check_pure
from tests.training.small import GREY, VECTOR, model
from training import export
from training.errors import ConfigError
from training.families import FAMILIES
from training.likelihoods import LIKELIHOODS
from training.priors import PRIORS

NONE_MORE = frozenset[str]()
MODELS = [
    *((family, likelihood, "normal") for family in FAMILIES for likelihood in LIKELIHOODS),
    *(("mlp", "bernoulli", prior) for prior in PRIORS),
]


@pytest.mark.parametrize(("family", "likelihood", "prior"), MODELS)
def test_its_operators_are_listed_and_write_to_nothing_of_others(
    family: str, likelihood: str, prior: str
) -> None:
    for shape in (GREY, VECTOR):
        try:
            vae = export.for_export(model(family, likelihood, shape, prior))
        except ConfigError:
            continue
        saved = io.BytesIO()
        torch.jit.save(export.script(vae), saved)
        module = torch.jit.load(canonical_archive(saved.getvalue()))  # type: ignore[no-untyped-call]
        for path, part in module.named_modules():
            for name in part._c._method_names():
                check_operators(path, part._c._get_method(name).inlined_graph, NONE_MORE)
        exports = ["encode", "decode", *export.capabilities(vae, shape)]
        frozen = torch.jit.freeze(module, preserved_attrs=exports)
        for name in exports:
            check_pure(name, getattr(frozen, name).graph, NONE_MORE)
