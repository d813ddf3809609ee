"""The configuration: what it takes, and how it says no."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from model_store import IllegalName
from training.config import MAY_CHANGE, PLACES, RunConfig, with_changes
from training.errors import ConfigError
from training.run import configure
from training.schedules import SCHEDULES

DEFAULT = RunConfig()


def test_words_become_values_of_their_keys() -> None:
    words = [
        "encoder=256,128",
        "decoder=",
        "learning_rate=1e-3",
        "size=48,64",
        "publish=false",
        "data=a/b",
        "gradient_clip=none",
    ]
    config = with_changes(DEFAULT, words)
    assert (config.encoder, config.decoder) == ((256, 128), ())
    assert config.learning_rate == 1e-3
    assert config.size == (48, 64)
    assert config.publish is False
    assert config.data == Path("a/b")
    assert config.gradient_clip is None


def test_one_number_is_a_square_size() -> None:
    assert with_changes(DEFAULT, ["size=64"]).size == (64, 64)
    assert with_changes(DEFAULT, ["size=none"]).size is None


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("latent_dims=8", "did you mean latent_dim"),
        ("lr=1", "Known: activation"),
        ("epochs", "not of the form key=value"),
        ("epochs=0", "epochs=0: should be greater than or equal to 1"),
        ("epochs=many", "epochs=many: should be a valid integer"),
        ("encoder=256,x", "encoder=256,x"),
        ("encoder=256,0", "greater than or equal to 1"),
        ("family=cnn", "family=cnn: not one of mlp, convolutional"),
        ("likelihood=bernouli", "not one of bernoulli"),
        ("source=mnist", "not one of digits"),
        ("schedule=steps", "not one of constant"),
        ("learning_rate=nan", "learning_rate=nan"),
        ("learning_rate=inf", "learning_rate=inf"),
        ("beta=-1", "beta=-1"),
        ("held_out=1", "held_out=1"),
        ("averaging=1", "averaging=1"),
        ("channels=2", "channels=2"),
        ("device=tpu", "device=tpu"),
        ("publish=perhaps", "publish=perhaps"),
        ("size=1,2,3", "size=1,2,3"),
    ],
)
def test_a_wrong_word_is_refused_with_its_key_value_and_limit(word: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refused:
        with_changes(DEFAULT, [word])
    assert expected in str(refused.value)
    assert "pydantic" not in str(refused.value)


def test_every_wrong_word_is_named_on_a_line_of_its_own() -> None:
    with pytest.raises(ConfigError) as refused:
        with_changes(DEFAULT, ["epochs=0", "batch_size=0"])
    assert [line.split("=")[0] for line in str(refused.value).splitlines()] == [
        "epochs",
        "batch_size",
    ]


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match="epochs is given twice"):
        with_changes(DEFAULT, ["epochs=1", "epochs=2"])


def test_a_configuration_cannot_be_changed_or_extended() -> None:
    with pytest.raises(ValidationError):
        DEFAULT.epochs = 2  # type: ignore[misc]  # the attempt is the test
    with pytest.raises(ValidationError):
        RunConfig.model_validate({"epoch": 2})


def test_an_unknown_recipe_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean mnist_quick"):
        configure("mnist_quik", [])


def test_a_model_is_named_after_its_recipe_unless_told_otherwise() -> None:
    assert configure("digits", []).name == "digits"
    assert configure("digits", ["name=mine"]).name == "mine"


def test_a_name_that_the_store_would_refuse_is_refused_before_training() -> None:
    with pytest.raises(IllegalName):
        configure("digits", ["name=My Model"])


def test_the_lists_of_keys_name_real_keys() -> None:
    assert set(RunConfig.model_fields) >= MAY_CHANGE > PLACES


def test_every_key_says_what_it_is_for() -> None:
    assert all(field.description for field in RunConfig.model_fields.values())


def test_the_step_schedule_takes_eight_steps_each_three_times_as_long() -> None:
    passes = (3**8 - 1) // 2
    factors = [SCHEDULES["step"]((done + 0.5) / passes) for done in range(passes)]
    assert [factors.count(10 ** (-number / 7)) for number in range(8)] == [3**i for i in range(8)]
    assert factors == sorted(factors, reverse=True)
    assert SCHEDULES["step"](1.0) == pytest.approx(0.1)
