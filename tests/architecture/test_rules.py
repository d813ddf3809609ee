"""Every rule holds for every module, and every rule was seen to fail on a planted fault."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture import rules
from tests.architecture.rules import MAY_IMPORT, RULES, SINGLE_OWNERS
from tests.architecture.shared_state import KEPT, state_that_is_shared
from tests.architecture.sources import ROOMS, Module, modules, uses, within

Rule = Callable[[Module], Iterator[str]]

PLANTED: list[tuple[Rule, str, str]] = [
    (rules.forbidden_imports, "app.routes.sample", "from training.vae import VAE"),
    (rules.forbidden_imports, "training.loop", "def f():\n    import fastapi"),
    (rules.forbidden_imports, "training.loop", "from app.service import LatentService"),
    (rules.forbidden_imports, "model_store.loading", "from app.errors import BadValue"),
    (rules.forbidden_imports, "model_store.loading", "import numpy"),
    (rules.forbidden_imports, "app.engine.batcher", "from app.service import LatentService"),
    (rules.forbidden_imports, "app.engine.device", "import fastapi"),
    (rules.forbidden_imports, "app.routes.sample", "from app.engine.batcher import Batcher"),
    (rules.forbidden_imports, "app.service", "from app.routes.wire_types import Form"),
    (rules.forbidden_imports, "app.errors", "import torch"),
    (rules.forbidden_imports, "brand_new_room.thing", "import torch"),
    (
        rules.private_names_of_the_store,
        "training.publication",
        "from model_store.loading import load",
    ),
    (
        rules.endpoints_that_know_each_other,
        "app.routes.decode",
        "from app.routes.encode import BODY",
    ),
    (rules.owned_by_another, "app.main", "import torch\ntorch.jit.load('x')"),
    (rules.owned_by_another, "training.loop", "from torch.jit import script"),
    (rules.owned_by_another, "app.main", "import os\nos.environ['A']"),
    (rules.owned_by_another, "app.main", "import os\nos.getenv('A')"),
    (rules.owned_by_another, "app.service", "from PIL import Image"),
    (rules.owned_by_another, "app.service", "import threading"),
    (rules.owned_by_another, "app.routes.encode", "import asyncio\nasyncio.to_thread(print)"),
    (rules.owned_by_another, "training.loop", "from concurrent.futures import Future"),
    (rules.owned_by_another, "app.routes.encode", "from fastapi import HTTPException"),
    (
        rules.owned_by_another,
        "app.routes.encode",
        "from starlette.exceptions import HTTPException",
    ),
    (rules.owned_by_another, "app.main", "import uvicorn"),
    *(
        (state_that_is_shared, "app.latent_math", planted)
        for planted in (
            "_GENERATOR = np.random.default_rng()",
            "_KNOWN = OncePerModel[Dimensions]()",
            "known: dict[str, int] = dict()",
            "names = (name for name in 'ab')",
            "class Service:\n    seen: ClassVar = WeakKeyDictionary()",
            "TABLE = {}\ndef f(key):\n    TABLE[key] = 1",
            "TABLE = []\ndef f(key):\n    TABLE.append(key)",
            "from app import other\ndef f(key):\n    del other.TABLE[key]",
            "class Service:\n    seen: dict[str, int] = {}",
            "known = {}",
            "count = 0\ndef f():\n    global count\n    count += 1",
            "@lru_cache\ndef noise(seed: int) -> Floats:\n    pass",
            "class Service:\n    @cache\n    def f(self) -> dict[str, int]:\n        pass",
            "try:\n    import x\nexcept ImportError:\n    _LOCK = Lock()",
        )
    ),
    (rules.too_long, "app.main", "\n" * 301),
    (rules.too_long, "app.main", "def f():\n" + "    pass\n" * 60),
    (rules.vaguely_named, "app.utils", ""),
    (rules.vaguely_named, "training.common.things", ""),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    faults = [fault for module in modules() for fault in rule(module)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(("rule", "name", "source"), PLANTED)
def test_the_rule_finds_a_planted_fault(rule: Rule, name: str, source: str) -> None:
    assert list(rule(Module(name, source)))


def test_every_rule_has_a_planted_fault() -> None:
    assert {rule for rule, _, _ in PLANTED} == set(RULES)


def test_no_row_of_a_table_is_for_something_that_is_gone() -> None:
    there = modules()
    for prefix in MAY_IMPORT:
        assert any(within(module.name, prefix) for module in there), prefix
    for name, owners in SINGLE_OWNERS.items():
        for owner in owners:
            module = next((module for module in there if module.name == owner), None)
            assert module is not None, owner
            assert uses(module, name), f"{owner} no longer uses {name}"


def test_no_reason_is_given_for_what_is_not_kept() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tests.architecture.shared_state.KEPT", {})
        found = [fault for module in modules() for fault in state_that_is_shared(module)]
    assert {fault.partition(" ")[0] for fault in found} == KEPT.keys()


def test_all_rooms_are_read() -> None:
    names = [module.name for module in modules()]
    assert len(names) > 40
    for room in ROOMS:
        assert room in names
