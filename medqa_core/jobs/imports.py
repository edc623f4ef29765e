"""What an import is asked for, by the command line, a form or a task; and what can be said of it at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from medqa_core.data import sources
from medqa_core.data.preparation import data_for, training_pairs
from medqa_core.data.split import split_set
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError, NoRevisions, shorten
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.checks import absolute, is_large
from medqa_core.runs.schema.config import EvaluationConfig, validated_evaluation

QUESTIONS = ("dataset", "columns", "test_size", "trained_on", "trained_on_columns", "max_new_tokens")
"""What a model that comes along is asked, as EvaluationConfig names it."""
OF_THE_MODEL = ("revision", "base", "base_revision")
FIELDS = ("path", "revision", "title", *QUESTIONS, "base", "base_revision")
"""Everything that an import may be given; only `path` has to be."""
GENERAL = ""
"""Stands for the field of a problem that belongs to none."""
_CALLED = {"--data": "dataset", "--revision": "revision", "--base": "base", "base model": "base"}
"""What errors call a field that has another name here."""


@dataclass(frozen=True)
class ImportRequest:
    """An import as it was asked for."""

    path: Path
    title: str | None
    questions: EvaluationConfig | None
    """What its model is to be asked; None: its figures come alone."""
    revision: str | None
    """Of a model on the hub; None: its newest commit."""
    base: str | None
    base_revision: str | None


def import_request(given: Mapping[str, object]) -> ImportRequest:
    """What was given by the names of FIELDS as a request; None and names that are absent are the same.

    Raises:
        InputError: a value is not allowed, something is given of a model that is to be asked nothing, or a revision of
            what is here.
    """
    known = {name: value for name in FIELDS if (value := given.get(name)) is not None}
    questions = {name: known[name] for name in QUESTIONS if name in known}
    title, *model = (str(known[name]) if name in known else None for name in ("title", *OF_THE_MODEL))
    if "dataset" not in questions and (questions or any(model)):
        raise InputError(
            "name the questions that the model is to be asked, which it was not trained on.", field="--data"
        )
    path = str(known.get("path", ""))
    revision, base, base_revision = model
    if revision is not None and sources.existing(path) is not None:
        raise NoRevisions(Path(path).name, field="--revision")
    config = validated_evaluation(questions) if questions else None
    return ImportRequest(Path(path), title, config, revision, base, base_revision)


def absolute_paths(given: Mapping[str, str]) -> dict[str, str]:
    """`given` for a process that runs in another folder: paths of what is here are made absolute."""
    named = {name: absolute(given[name]) for name in ("dataset", "trained_on", "base") if given.get(name)}
    there = sources.existing(given.get("path", ""))
    return {**given, **named, **({"path": str(there.absolute())} if there is not None else {})}


def field_called(name: str | None) -> str:
    """Which of FIELDS an error calls so; GENERAL where none is."""
    found = _CALLED.get(name or "", name or "")
    return found if found in FIELDS else GENERAL


def import_problems(given: Mapping[str, str], settings: Settings) -> dict[str, str]:
    """What is wrong with an import that can be told before it is queued, a sentence a field; empty: nothing.

    Small files of questions are read; what is large, on the hub, or about the weights, the import itself tells.
    """
    found = _Problems()
    asked = "dataset" in given
    found.none_in(partial(_check_place, given.get("path", ""), or_named=asked), "path")
    if "base" in given:
        found.none_in(partial(_check_place, given["base"], or_named=True), "base")
    for name in QUESTIONS:
        if name in given:
            found.none_in(partial(validated_evaluation, {"dataset": "starter", name: given[name]}), name)
    found.none_in(partial(import_request, given), GENERAL)
    if asked and not found.said.keys() & {*QUESTIONS, "revision", GENERAL}:
        _check_data(import_request(given).questions, settings, found)
    return found.said


class _Problems:
    """Sentences by field, the first of each."""

    def __init__(self) -> None:
        self.said: dict[str, str] = {}

    def none_in(self, act: Callable[[], object], field: str) -> bool:
        """Whether `act` could be done; what is wrong is said of the field that the error names, else of `field`."""
        try:
            act()
        except DataUnavailable:
            return False  # the import fetches it, or says what is missing
        except MedQAError as error:
            self.said.setdefault(field_called(error.field) or field, error.reason)
            return False
        return True


def _check_data(config: EvaluationConfig | None, settings: Settings, found: _Problems) -> None:
    named = (config.dataset, config.trained_on) if config is not None else ()
    if config is None or "medquad" in named or any(is_large(name) for name in named if name):
        return
    load = partial(sources.load, config.dataset, settings, config.columns, fetch=False)
    read = [found.none_in(load, "dataset")]
    if config.trained_on is not None:
        read.append(found.none_in(partial(training_pairs, config, settings, fetch=False), "trained_on"))
    if all(read):
        found.none_in(lambda: split_set(data_for(config, settings, fetch=False), config), "test_size")


def _check_place(text: str, *, or_named: bool) -> None:
    """Refuse a path at which there is nothing. `or_named`: it may also be the name of a model, here or on the hub."""
    if sources.existing(text) is not None:
        return
    if or_named and not text.startswith(("/", ".", "~")) and text.count("/") <= 1 and text.isprintable():
        return
    raise InputError(f"There is nothing at {shorten(text)!r} on this machine.")
