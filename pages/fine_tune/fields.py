"""The form's fields: which there are, how each is entered, what is wrong with it. All of it comes from TrainConfig."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from medqa_core.data.sources import SOURCES
from medqa_core.foundation.errors import DataUnavailable, MedQAError
from medqa_core.foundation.format import capital, count
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.checks import split_sizes
from medqa_core.runs.schema.config import TrainConfig, validated
from medqa_core.runs.schema.presets import CUSTOM, DEFAULT, PRESETS, as_text, from_preset
from medqa_core.runs.schema.record import SplitSizes
from pages.shared import inputs
from pages.shared.markup import escape_markdown, html, rich

MAIN = (
    ("title", "dataset", "base_model", "method"),
    ("train_size", "epochs", "max_tokens", "learning_rate"),
    ("batch_size", "gradient_accumulation_steps", "seed", "primary_metric"),
)
"""The rows of fields that are always in sight."""
THEMES: dict[str, tuple[str, ...]] = {
    "Data and split": (
        "columns", "validation_size", "test_size", "split_method", "split_version", "split_seed", "test_dataset",
        "reading_version",
    ),
    "Preparation of answers": ("preparation", "max_template_share"),
    "Task": ("task", "passages", "right_passage_share", "without_right_passage", "passage_order"),
    "Model and method": ("revision", "last_k", "lora_layers", "lora_rank", "lora_alpha", "lora_dropout"),
    "Optimizer": ("schedule", "warmup_steps", "weight_decay", "max_grad_norm"),
    "Memory and speed": ("precision", "max_tokens_per_forward", "quantization", "gradient_checkpointing"),
    "Validation, checkpoints and evaluation": (
        "logging_steps", "eval_steps", "eval_examples", "patience", "checkpoint_minutes", "max_new_tokens",
        "report_to", "description",
    ),
}  # fmt: skip
"""The other fields, by what they are about."""

SUGGESTED: dict[str, tuple[str, ...]] = {
    "dataset": SOURCES,
    "base_model": tuple(dict.fromkeys(from_preset(name).base_model for name in (CUSTOM, *PRESETS))),
}
"""Fields that take any text but mostly one of a few."""
READING = ("dataset", "columns", "test_dataset", "reading_version", "preparation")
SPLITTING = ("train_size", "validation_size", "test_size", "split_method", "split_version", "split_seed")
"""Fields by which the data are read and then split: what the data say hangs on these and on no other."""
GENERAL = ""
"""Stands for the field of a problem that belongs to no single field."""
SHORT_LABELS = {
    "gradient_accumulation_steps": "Gradient accumulation",
    "max_tokens_per_forward": "Tokens per forward pass",
}
NONE = "none"
"""How None is typed, as on the command line."""


@dataclass(frozen=True)
class Form:
    """What the form holds: the configuration, or what keeps it from being one, by field."""

    config: TrainConfig | None
    problems: dict[str, str]
    sizes: SplitSizes | None = None
    """Examples of each part, where the data could be read at once."""


def key(name: str) -> str:
    """The session's key of a field's input."""
    return inputs.key(f"fine-tune {name}")


def put(values: Mapping[str, Any]) -> None:
    """Give fields values; see `inputs.put`."""
    for name, value in values.items():
        inputs.put(f"fine-tune {name}", typed(name, value))


def fill(config: TrainConfig) -> None:
    """Put a configuration into the form; for a button's callback."""
    put({**dict(config), "preset": config.preset if config.preset in PRESETS else CUSTOM})


def preset_picked() -> None:
    """Put the picked preset's values into the form; its own input stays, and the focus in it."""
    picked = from_preset(st.session_state[key("preset")])
    put({name: value for name, value in picked if name != "preset"})


def read(settings: Settings) -> Form:
    """The form as it stands; a first visit finds the default preset."""
    if any(key(name) not in st.session_state for name in TrainConfig.model_fields):
        fill(from_preset(DEFAULT))
    values = {n: value_of(n, st.session_state[key(n)]) for n in TrainConfig.model_fields if n != "preset"}
    problems = {}
    for name, value in values.items():
        try:
            validated({name: value})
        except MedQAError as error:
            problems[name] = capital(error.reason)
    config = _together(values, problems)
    sizes = _with_the_data(config, problems, settings) if config is not None else None
    return Form(None if problems else config, problems, sizes)


def _together(values: dict[str, Any], problems: dict[str, str]) -> TrainConfig | None:
    """The configuration of the fields without a problem, those with one at their default; None where there is none.

    Fields that are right alone and wrong together are added to the problems.
    """
    sound = {name: value for name, value in values.items() if name not in problems}
    while True:
        try:
            return validated({**sound, "preset": st.session_state[key("preset")]})
        except MedQAError as error:
            if error.field not in sound:
                problems[GENERAL] = capital(str(error))
                return None
            problems[error.field] = capital(error.reason)
            del sound[error.field]


def _with_the_data(config: TrainConfig, problems: dict[str, str], settings: Settings) -> SplitSizes | None:
    """What the data say of the fields, as far as that does not hang on one that has a problem; it is added to them."""
    if problems.keys() & {*READING, GENERAL}:
        return None
    try:
        return split_sizes(config, settings)
    except MedQAError as error:
        field = "dataset" if isinstance(error, DataUnavailable) else error.field
        if field in READING or not problems.keys() & {*SPLITTING}:
            known = field is not None and field in TrainConfig.model_fields
            problems[field if known and field else GENERAL] = capital(error.reason if known else str(error))
        return None


def startable(settings: Settings) -> TrainConfig | None:
    """The form's configuration for a button to act on; None where it is wrong, or nothing may be started."""
    return None if settings.public else read(settings).config


def typed(name: str, value: Any) -> Any:
    """A field's value as its input holds it."""
    if kind(name) in ("choice", "switch", "whole"):
        return value
    return as_text(value)


def value_of(name: str, text: Any) -> Any:
    """What an input holds as a value to validate; the configuration converts text itself."""
    if not isinstance(text, str):
        return text
    nothing = text.strip().lower() in (NONE, "null", "") and _info(name).annotation not in (str, dict[str, str])
    return None if nothing else text.strip()


def text_of(name: str) -> str:
    """What a field of text holds, without blanks around it."""
    return str(st.session_state.get(key(name)) or "").strip()


def kind(name: str) -> Literal["choice", "suggested", "switch", "whole", "text"]:
    """How a field is put in."""
    annotation = _info(name).annotation
    if get_origin(annotation) is Literal:
        return "choice"
    if name in SUGGESTED:
        return "suggested"
    if annotation is bool:
        return "switch"
    return "whole" if annotation is int else "text"


def draw(name: str, problem: str | None) -> None:
    """One field with its label, its meaning as help, and what is wrong with it."""
    info = _info(name)
    meaning = escape_markdown(capital(info.description or ""))
    label = label_of(name)
    common: dict[str, Any] = {"key": key(name), "help": meaning, "persist_state": "session"}
    widgets: dict[str, Callable[[], object]] = {
        "choice": lambda: st.selectbox(label, get_args(info.annotation), **common),
        "suggested": lambda: st.selectbox(label, _suggested(name), accept_new_options=True, **common),
        "switch": lambda: st.selectbox(label, (False, True), format_func=_on_off, **common),
        "whole": lambda: st.number_input(label, *_bounds(info), step=1, **common),
        "text": lambda: st.text_input(label, live=True, **common),
    }
    widgets[kind(name)]()
    if problem:
        html(f'<p class="mq-note mq-worse" role="alert">{rich(problem)}</p>')


def _suggested(name: str) -> list[str]:
    """What a field is mostly one of, and what it holds now: data of one's own have a name of their own."""
    return list(dict.fromkeys((*SUGGESTED[name], st.session_state.get(key(name)) or SUGGESTED[name][0])))


def _on_off(value: bool) -> str:
    return "on" if value else "off"


def label_of(name: str) -> str:
    """A field's name as people read it; on one line of a quarter of the page."""
    return SHORT_LABELS.get(name) or capital(name.replace("_", " "))


def parts_in_words(sizes: SplitSizes) -> str:
    """How many there are in each part of a split, before the word for what they are."""
    return f"{count(sizes.train)} training, {count(sizes.validation)} validation and {count(sizes.test)} test"


def _info(name: str) -> FieldInfo:
    return TrainConfig.model_fields[name]


def _bounds(info: FieldInfo) -> tuple[int, int]:
    found = {bound: getattr(m, bound) for m in info.metadata for bound in ("ge", "le") if hasattr(m, bound)}
    return int(found["ge"]), int(found["le"])
