"""Readers answer or refuse: of what they take, of what is nearly that, of what once failed."""

import random
from pathlib import Path

import pytest

from tests.fuzz.mutation import mutated, repaired
from tests.fuzz.readers import READERS, attempt

CORPUS = Path(__file__).parent / "corpus"
FAILED = sorted(CORPUS.glob("*/*"))
ENOUGH = 300


@pytest.mark.parametrize("name", READERS)
def test_what_is_good_is_taken(name: str) -> None:
    taken = [attempt(READERS[name], seed) for seed in READERS[name].seeds()]
    assert any(taken)


@pytest.mark.parametrize("name", READERS)
def test_what_is_nearly_good_is_taken_or_refused(name: str) -> None:
    reader, dice = READERS[name], random.Random(name)
    seeds = reader.seeds()
    taken = 0
    for number in range(ENOUGH):
        data = mutated(dice.choice(seeds), seeds, dice)
        taken += attempt(reader, repaired(data) if number % 3 else data)
    assert 0 < taken < ENOUGH


@pytest.mark.parametrize("file", FAILED, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_what_once_failed_is_taken_or_refused(file: Path) -> None:
    assert file.parent.name in READERS
    assert file.stat().st_size <= 65_536
    attempt(READERS[file.parent.name], file.read_bytes())
