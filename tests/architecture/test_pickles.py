"""Nothing that is read is run: no pickle is loaded but by what allows numbers alone."""

import ast
from collections.abc import Iterator

import pytest

from tests.architecture.sources import Module, imports, modules, within

# Packages whose reading runs what it reads, or may.
RUNS_WHAT_IT_READS = ("pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal")
# The one reads with inert stand-ins for all that a pickle may name; the other names its errors.
MAY_NAME_PICKLE = {"model_store.tensor_table", "training.run_state"}
# What reads pickles among other things, and the argument that forbids it.
SWITCHES = {
    "torch.load": ("weights_only", True),
    "np.load": ("allow_pickle", False),
    "numpy.load": ("allow_pickle", False),
    "np.lib.format.read_array": ("allow_pickle", False),
}
READERS = ("loads", "load", "Unpickler", "read_pickle")


def unpickles(module: Module) -> Iterator[str]:
    """Ways in which the module could run what it reads."""
    for name in imports(module):
        known = module.name in MAY_NAME_PICKLE and name == "pickle"
        if not known and any(within(name, package) for package in RUNS_WHAT_IT_READS):
            yield f"{module.name} imports {name}"
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call):
            yield from (f"{module.name}: {fault}" for fault in _faults(node))


def _faults(call: ast.Call) -> Iterator[str]:
    called = ast.unparse(call.func)
    if called in ("eval", "exec", "compile", "__import__"):
        yield f"{called} runs text"
    if called.startswith("pickle.") and called.removeprefix("pickle.") in READERS:
        yield f"{called} runs what it reads"
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    name, safe = SWITCHES.get(called, (None, None))
    if name is not None and given.get(name) != str(safe):
        yield f"{called} without {name}={safe}"
    if given.get("allow_pickle", "False") != "False" or given.get("weights_only", "True") != "True":
        yield f"{called} is allowed to run what it reads"


def test_nothing_that_is_read_is_run() -> None:
    assert [fault for module in modules() for fault in unpickles(module)] == []


PLANTED = [
    "import pickle\nx = pickle.loads(b'')",
    "from pickle import loads",
    "import joblib",
    "import marshal",
    "import torch\ntorch.load('x')",
    "import torch\ntorch.load('x', weights_only=False)",
    "import torch\ntorch.load('x', weights_only=flag)",
    "import numpy as np\nnp.load('x')",
    "import numpy as np\nnp.load('x', allow_pickle=True)",
    "import numpy as np\nnp.lib.format.read_array('x', allow_pickle=yes)",
    "eval('1')",
]


@pytest.mark.parametrize("source", PLANTED)
def test_the_rule_finds_a_planted_fault(source: str) -> None:
    assert list(unpickles(Module("training.loop", source)))


@pytest.mark.parametrize("name", sorted(MAY_NAME_PICKLE))
def test_those_who_may_name_it_read_nothing_by_it(name: str) -> None:
    assert list(unpickles(Module(name, "import pickle\npickle.load(file)")))
    assert not list(unpickles(Module(name, "import pickle\npickle.UnpicklingError")))
    assert name in {module.name for module in modules()}
