"""A sweep's grid: every combination once, and only what can be compared."""

import pytest

from medqa_core.cluster.grid import trials, values_of
from medqa_core.data import sources
from medqa_core.data.split import split_pairs
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.presets import from_preset

SMOKE = from_preset("smoke")


def test_every_combination_is_a_run_of_its_own() -> None:
    found = trials(SMOKE, {"learning_rate": ["5e-4", "1e-3"], "lora_rank": ["4", "8"], "train_size": ["24"]}, "s")
    assert [trial.run_id for trial in found] == ["s-t01", "s-t02", "s-t03", "s-t04"]
    assert [(t.config.learning_rate, t.config.lora_rank) for t in found] == [
        (5e-4, 4), (5e-4, 8), (1e-3, 4), (1e-3, 8)
    ]  # fmt: skip
    assert found[3].sweep.parameters == {"learning_rate": 1e-3, "lora_rank": 8, "train_size": 24}
    assert [trial.sweep.trial for trial in found] == [1, 2, 3, 4]


def test_the_rank_alone_differs() -> None:
    """Alpha over rank is the adapter's scale: twice the rank at the same alpha would be half the scale."""
    scales = {t.config.lora_alpha / t.config.lora_rank for t in trials(SMOKE, {"lora_rank": ["4", "8", "16"]}, "s")}
    assert scales == {SMOKE.lora_alpha / SMOKE.lora_rank}


def test_all_data_sizes_are_validated_on_the_same_questions(lab: Settings) -> None:
    pairs = sources.load("starter", lab, {}).pairs

    def validation(config: object) -> list[str]:
        return [pair.id for pair in split_pairs(pairs, config).validation][:12]  # type: ignore[arg-type]

    small, large = trials(SMOKE, {"train_size": ["24", "48"]}, "s")
    assert validation(small.config) == validation(large.config)
    moved = [validation(from_preset("smoke", {"train_size": size})) for size in (24, 48)]
    assert moved[0] != moved[1]  # so this is worth it


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "give several values"),
        ({"learning_rate": ["1e-3"]}, "give several values"),
        ({"learning_rate": ["1e-3", "1e-3"]}, "given twice"),
        ({"learning_rate": ["1e-3", "0.001"]}, "given twice"),
        ({"learning_rate": ["1e-3", "2"]}, "learning_rate: '2' is not allowed"),
        ({"lora_rank": ["4", "many"]}, "lora_rank: 'many' is not allowed"),
        ({"train_size": ["0.1", "0.2"]}, "not fractions"),
        ({"train_size": ["1e-1", "24"]}, "not fractions"),
        ({"learning_rate": [f"{n}e-4" for n in range(1, 11)], "lora_rank": [*map(str, range(1, 11))]}, "100 trials"),
    ],
)
def test_what_makes_no_sweep(values: dict[str, list[str]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        trials(SMOKE, values, "s")


def test_a_random_split_moves_the_validation_set() -> None:
    config = from_preset("smoke", {"split_method": "random"})
    with pytest.raises(InputError, match="split_method=grouped"):
        trials(config, {"train_size": ["24", "48"]}, "s")
    assert len(trials(config, {"learning_rate": ["1e-3", "2e-3"]}, "s")) == 2


def test_a_name_that_is_no_run_id() -> None:
    with pytest.raises(InputError, match="run id"):
        trials(SMOKE, {"lora_rank": ["4", "8"]}, "../s")


def test_values_between_commas() -> None:
    assert values_of("--rank", "8, 16") == ["8", "16"]
    assert values_of("--rank", None) == []
    with pytest.raises(InputError, match="empty one"):
        values_of("--rank", "8,,16")
