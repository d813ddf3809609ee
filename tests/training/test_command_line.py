"""What the command line says about itself, and how it refuses words."""

import pytest

from training.__main__ import main
from training.config import RunConfig
from training.recipes import RECIPES


@pytest.mark.parametrize("command", ["run", "sweep"])
def test_the_help_of_what_trains_names_every_key(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main([command, "--help"])
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert all(f"  {key} " in said for key in RunConfig.model_fields)


def test_the_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "python -m training run mnist_quick data=PATH/TO/MNIST" in capsys.readouterr().out


def test_the_recipes_are_listed_with_the_figures_they_reach(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["recipes"]) == 0
    said = capsys.readouterr().out
    for name, recipe in RECIPES.items():
        assert name in said
        for target in recipe.targets:
            assert f"{target.figure} ≤ {target.at_most:g}" in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["run", "digit"], "error: there is no recipe 'digit': did you mean digits?"),
        (["run", "digits", "epoch=3"], "error: there is no key 'epoch': did you mean epochs?"),
        (["run", "digits", "name=No Name"], "error: "),
        (
            ["sweep", "digits", "beta=1"],
            "error: beta=1 is one value, and a sweep takes two or more",
        ),
        (["evaluate", "mnits", "--store", "nowhere"], "error: "),
    ],
)
def test_what_is_not_known_is_one_line_on_stderr(
    words: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 1
    said = capsys.readouterr()
    assert said.err.startswith(expected)
    assert len(said.err.splitlines()) == 1
    assert not said.out


@pytest.mark.parametrize("words", [[], ["evaluate", "mnist", "--samples", "0"], ["evaluate"]])
def test_words_that_fit_no_command_leave_with_the_usage(words: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == 2
