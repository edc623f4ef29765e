"""Importing a run or a model from a path of this machine, as a task of the queue."""

from collections.abc import Mapping
from typing import NamedTuple

import streamlit as st

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import imports
from medqa_core.jobs.task import TaskEntry
from medqa_core.jobs.tasks import forget_task
from pages.shared import inputs, tasks
from pages.shared.flash import flash
from pages.shared.markup import html, note, rich

PROBLEMS = "import problems"
"""The session's key of what is wrong, by field: the value that it was said of, and the sentence."""


class Field(NamedTuple):
    """A field of the form; its name is that of `jobs.imports.FIELDS`."""

    name: str
    label: str
    placeholder: str
    help: str | None = None


PLACE = (
    Field(
        "path",
        "Path on this machine",
        "/home/me/outputs/my-run",
        "With test questions also a model of the hub (owner/name).",
    ),
    Field("revision", "Revision", "the newest", "Of a model of the hub: a commit, tag or branch."),
    Field("title", "Title", "taken from the source"),
)
MODEL = (
    (
        Field(
            "dataset",
            "Test questions",
            "starter, a path, owner/name",
            "Also medquad. The model must not have been trained on them.",
        ),
        Field("columns", "Columns of the test questions", "guessed", "As in question=COLUMN, answer=COLUMN."),
        Field("test_size", "How many of them", "all", "A number, or a fraction such as 0.2, chosen at random."),
    ),
    (
        Field(
            "trained_on",
            "Training data",
            "not known",
            "What the model was trained on; without it leaks into the test questions cannot be excluded.",
        ),
        Field("trained_on_columns", "Columns of the training data", "guessed", "As in question=COLUMN, answer=COLUMN."),
        Field(
            "base",
            "Base model",
            "as the folder names it",
            "What it was trained from, or is compared with: a folder, or a model of the hub (owner/name).",
        ),
    ),
)
ALL = (*PLACE, *(field for row in MODEL for field in row))


def key(name: str) -> str:
    """The session's key of a field's input."""
    return inputs.key(f"import {name}")


def draw() -> None:
    """The form."""
    with st.expander("Import a run or a model", key="import-run", expanded=bool(st.session_state.get(PROBLEMS))):
        note(
            "A Trainer's output folder or trainer_state.json, results of lm-evaluation-harness, a log of Inspect, a "
            "curve, or a summary text. What is read is copied into the run store; nothing is executed."
        )
        _row(PLACE)
        note(
            "With test questions the model in the folder comes along: whole weights or a LoRA adapter, as safetensors. "
            "It can then be evaluated and asked like one that was fine-tuned here."
        )
        for row in MODEL:
            _row(row)
        _problem(imports.GENERAL)
        st.button("Import", key="import", disabled=not _typed().get("path"), on_click=_import)


def refill_button(entry: TaskEntry) -> None:
    """For an import that failed: back into the form with what it was given, and with what was wrong at its field."""
    st.button("Change and try again", key=f"refill {entry.task.id}", on_click=_refill, args=(entry,))


def _row(fields: tuple[Field, ...]) -> None:
    for place, field in zip(st.columns(len(fields), gap="small"), fields, strict=True):
        with place:
            st.text_input(
                field.label,
                key=key(field.name),
                placeholder=field.placeholder,
                help=field.help,
                max_chars=1000,
                live=field.name == "path",  # else Import is enabled by the click that leaves the field, which is lost
                persist_state="session",  # the names of columns are looked up on another page
            )
            _problem(field.name)


def _problem(name: str) -> None:
    """What is wrong with a field, while it holds what that was said of."""
    value, said = st.session_state.get(PROBLEMS, {}).get(name, ("", ""))
    if said and value == _typed().get(name, ""):
        html(f'<p class="mq-note mq-worse" role="alert">{rich(said)}</p>')


def _typed() -> dict[str, str]:
    """What was typed, by field; empty ones are left out."""
    values = ((field.name, str(st.session_state.get(key(field.name)) or "").strip()) for field in ALL)
    return {name: value for name, value in values if value}


def _import() -> None:
    settings = Settings.from_environment()
    given = _typed()
    if settings.public:
        return
    problems = imports.import_problems(given, settings)
    _say(problems, given)
    if problems:
        flash("Not started. What is wrong stands in the form below.", bad=True)
        return
    if tasks.put_in_queue("import", None, imports.absolute_paths(given)):
        _fill({})


def _refill(entry: TaskEntry) -> None:
    settings = Settings.from_environment()
    if settings.public:
        return
    given = entry.task.arguments
    _fill(given)
    status = entry.status
    _say({imports.field_called(status.field): status.error} if status.error else {}, given)
    try:
        forget_task(entry.task.id, settings)
    except MedQAError as error:
        flash(str(error), bad=True)


def _fill(given: Mapping[str, str]) -> None:
    """Put these values into the form, and nothing into its other fields."""
    for field in ALL:
        inputs.put(f"import {field.name}", given.get(field.name, ""))


def _say(problems: dict[str, str], given: dict[str, str]) -> None:
    st.session_state[PROBLEMS] = {name: (given.get(name, ""), said) for name, said in problems.items()}
