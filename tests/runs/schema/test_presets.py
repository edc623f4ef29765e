"""Every preset is a valid configuration, and overrides take the place of its values."""

import pytest

from medqa_core.foundation.errors import InputError, UnknownName
from medqa_core.runs.schema.config import parse_assignments
from medqa_core.runs.schema.presets import PRESETS, from_preset, own_data, train_arguments


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_is_valid_and_says_what_it_is_for(name: str) -> None:
    config = from_preset(name)
    assert config.preset == name
    assert config.description.endswith(".")


def test_overrides_win() -> None:
    config = from_preset("smoke", {"epochs": 9, "title": "Mine"})
    assert (config.epochs, config.title, config.base_model) == (9.0, "Mine", "toy")


@pytest.mark.parametrize("name", PRESETS)
def test_the_command_line_gives_the_same_configuration(name: str) -> None:
    """Also on data of one's own, where the preset's description goes."""
    config = from_preset(name, own_data("answers.csv", "test.csv"))
    verb, option, preset, *options = train_arguments(config)
    assert (verb, option, preset, set(options[::2])) == ("train", "--preset", name, {"--set"})
    assert from_preset(preset, parse_assignments(options[1::2])) == config


def test_the_reference_run_s_recipe() -> None:
    config = from_preset("run-2")
    assert (config.learning_rate, config.effective_batch, config.epochs, config.max_tokens) == (1e-5, 24, 8.0, 384)
    assert (config.weight_decay, config.warmup_steps, config.train_size) == (0.01, 200, 3500)


def test_an_unknown_preset() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'smoke'"):
        from_preset("smok")


def test_a_bad_override() -> None:
    with pytest.raises(InputError, match="epochs"):
        from_preset("smoke", {"epochs": -1})
