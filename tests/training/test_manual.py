"""docs/training.md says what the code does."""

import re
from pathlib import Path

import pytest

from training.config import RunConfig, as_word
from training.datasets import DATASETS
from training.families import FAMILIES
from training.likelihoods import LIKELIHOODS
from training.recipes import RECIPES
from training.schedules import SCHEDULES

MANUAL = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("key", RunConfig.model_fields)
def test_every_key_stands_in_the_table_with_its_default_and_meaning(key: str) -> None:
    field = RunConfig.model_fields[key]
    default = as_word(field.default)
    shown = f" `{default}` " if default else " "
    assert f"| `{key}` |{shown}| {field.description} |" in MANUAL


def test_the_table_of_keys_holds_no_others() -> None:
    section = MANUAL.split("## Every key")[1].split("##")[0]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == list(RunConfig.model_fields)


@pytest.mark.parametrize("name", [*RECIPES, *DATASETS, *LIKELIHOODS])
def test_every_recipe_source_and_likelihood_has_its_row(name: str) -> None:
    assert f"\n| `{name}` |" in MANUAL


@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_is_described(name: str) -> None:
    assert f"`family={name}`" in MANUAL


@pytest.mark.parametrize("name", SCHEDULES)
def test_every_schedule_is_named_where_it_is_chosen(name: str) -> None:
    description = RunConfig.model_fields["schedule"].description
    assert description is not None
    assert name in description
