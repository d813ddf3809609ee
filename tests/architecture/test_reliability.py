"""docs/reliability.md names tests, trials and fuzzers that there are."""

import ast
import re

from benchmarks.trials.__main__ import TRIALS
from benchmarks.trials.ways_to_fail import WAYS
from tests.architecture.sources import ROOT

PAGE = (ROOT / "docs" / "reliability.md").read_text()
NAMED = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)


def named_in(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds)}


def test_every_test_that_is_named_exists() -> None:
    assert len(NAMED) > 40
    gone = [f"{path}::{name}" for path, name in NAMED if name not in named_in(path)]
    assert not gone


def test_every_promise_has_a_test() -> None:
    promises = PAGE.partition("## What finds the next")[0].splitlines()
    rows = [line for line in promises if line.startswith("| ") and line.count("|") == 4]
    heads = {"| promise | proven by | last seen |", "| --- | --- | --- |"}
    assert all("::" in row for row in rows if row not in heads)


def test_every_trial_that_is_named_exists_and_faults_are_told_whole() -> None:
    assert set(re.findall(r"trial `(\w+)`", PAGE)) <= TRIALS.keys()
    told = PAGE.rpartition("benchmarks.trials faults")[2]
    assert {*re.findall(r"\(`(\w+)`\)", told)} == WAYS.keys()


def test_every_fuzzer_is_told_of() -> None:
    # Read as text: the fuzzers import the whole service.
    table = PAGE.partition("| fuzzer |")[2].partition("\n\n")[0]
    told = set(
        re.findall(r"`([a-z]+)`", "".join(row.split("|")[1] for row in table.splitlines()[2:]))
    )
    readers = (ROOT / "tests" / "fuzz" / "readers.py").read_text().partition("READERS = {")[2]
    sockets = (ROOT / "tests" / "fuzz" / "__main__.py").read_text().partition("OVER_SOCKETS = {")[2]
    there = set(
        re.findall(r'"([a-z]+)": [A-Z_]', readers.partition("\n}")[0] + sockets.partition("}")[0])
    )
    assert told == there | {"properties"}
