"""Every rule holds for the explorer's files, and every rule was seen to fail on a planted fault."""

from collections.abc import Callable, Iterator

import pytest

from tests.architecture.page import (
    MAX_BYTES,
    PAGE_RULES,
    Files,
    has_code_in_markup,
    names_another_host,
    runs_text,
    sections_that_know_each_other,
    too_large,
    too_long,
)
from tests.architecture.sources import ROOT

Rule = Callable[[Files], Iterator[str]]
FILES = {path.name: path.read_text() for path in (ROOT / "app" / "explorer").iterdir()}
PLANTED: dict[Rule, dict[str, str]] = {
    too_long: {"samples.js": "\n" * 301},
    too_large: {"explorer.css": "/" * (MAX_BYTES + 1)},
    names_another_host: {"main.js": 'import "https://cdn.example/three.js";'},
    runs_text: {"walk.js": "node.innerHTML = state.walk;"},
    has_code_in_markup: {"index.html": '<button onclick="go()">Go</button>'},
    sections_that_know_each_other: {"walk.js": 'import { seed } from "./samples.js";'},
}


@pytest.mark.parametrize("rule", PAGE_RULES, ids=lambda rule: rule.__name__)
def test_the_page_keeps_the_rule(rule: Rule) -> None:
    assert not list(rule(FILES))


@pytest.mark.parametrize("rule", PAGE_RULES, ids=lambda rule: rule.__name__)
def test_the_rule_finds_a_planted_fault(rule: Rule) -> None:
    assert list(rule(FILES | PLANTED[rule]))


def test_every_section_is_read() -> None:
    assert len(FILES) > 10
