"""A configuration is valid as a whole or refused in one line that names the field."""

import pytest

from medqa_core.foundation.errors import InputError, UnknownName
from medqa_core.runs.schema.config import TrainConfig, parse_assignments, validated


def test_the_defaults_are_valid() -> None:
    config = validated({})
    assert config.effective_batch == config.batch_size * config.gradient_accumulation_steps


def test_text_becomes_the_field_s_type() -> None:
    config = validated({"epochs": "2.5", "train_size": "300", "learning_rate": "3e-4"})
    assert (config.epochs, config.train_size, config.learning_rate) == (2.5, 300, 3e-4)


def test_a_misspelt_field_gets_its_neighbour() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'learning_rate'"):
        validated({"learning_rte": 1})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("epochs", float("nan")),
        ("epochs", float("inf")),
        ("epochs", "many"),
        ("batch_size", 0),
        ("batch_size", 2.5),
        ("learning_rate", -1e-3),
        ("learning_rate", 1.5),
        ("max_tokens", 10**30),
        ("lora_dropout", 1.0),
        ("method", "qlora"),
        ("quantization", "2bit"),
        ("quantization", 4),
        ("gradient_checkpointing", "often"),
        ("gradient_checkpointing", None),
        ("title", ""),
        ("title", "x" * 121),
        ("seed", 2**32),
        ("train_size", 0),
        ("dataset", None),
        ("epochs", ["a\nb"] * 100),
    ],
)
def test_a_bad_value_is_refused_by_name(field: str, value: object) -> None:
    with pytest.raises(InputError) as caught:
        validated({field: value})
    message = str(caught.value)
    assert caught.value.field == field
    assert message == f"{field}: {caught.value.reason}"
    assert "\n" not in message
    assert len(message) < 400


def test_every_field_says_what_it_is() -> None:
    assert all(field.description for field in TrainConfig.model_fields.values())


def test_a_configuration_survives_json() -> None:
    config = validated({"epochs": 3, "train_size": None})
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        validated({}).epochs = 5  # type: ignore[misc]


def test_assignments() -> None:
    assert parse_assignments(["epochs=3", "train_size=none", "description=a=b", " seed = 1 "]) == {
        "epochs": "3",
        "train_size": None,
        "description": "a=b",
        "seed": "1",
    }


def test_an_assignment_without_an_equals_sign() -> None:
    with pytest.raises(InputError, match="'epochs' is not FIELD=VALUE"):
        parse_assignments(["epochs"])


@pytest.mark.parametrize("method", ["full", "last_k"])
def test_weights_that_are_trained_cannot_be_quantised(method: str) -> None:
    with pytest.raises(InputError, match=f"^quantization: 4bit weights cannot be trained, and method {method} trains"):
        validated({"method": method, "quantization": "4bit"})
    assert validated({"method": method, "quantization": None}).quantization == "none"  # as `--set quantization=none`
    assert validated({"quantization": "8bit"}).quantization == "8bit"


@pytest.mark.parametrize(("text", "value"), [("true", True), ("yes", True), ("0", False), ("False", False)])
def test_a_switch_takes_words(text: str, value: bool) -> None:
    assert validated({"gradient_checkpointing": text}).gradient_checkpointing is value
