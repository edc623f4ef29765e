"""Changing what people call a run and file it under."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from medqa_core.foundation.errors import InputError, RunNotFound, UnreadableFile, shorten
from medqa_core.foundation.files import write_json
from medqa_core.foundation.visible import plain
from medqa_core.runs.artifacts.labels import LABELS, Labels, read_labels
from medqa_core.runs.store.lock import changing
from medqa_core.runs.store.run_store import RunStore

FIELDS = ("title", "tags", "note", "archived")


@dataclass(frozen=True)
class LabelChange:
    """What is to be another: None leaves a label as it is."""

    title: str | None = None
    """Empty: the title of run.json again."""
    tags: tuple[str, ...] | None = None
    add_tags: tuple[str, ...] = ()
    remove_tags: tuple[str, ...] = ()
    note: str | None = None
    archived: bool | None = None


def change_labels(store: RunStore, run_id: str, change: LabelChange, seen: Labels | None = None) -> Labels:
    """Change a run's labels; what they are now. Two changes at once are made one after the other.

    Args:
        store: where the run is.
        run_id: which one.
        change: what is to be another.
        seen: the labels that whoever asks was looking at; a label that somebody else has changed since is not
            overwritten. None: whatever is there.

    Raises:
        InputError: not a run id, a label that cannot be, or one that was changed since it was seen.
        RunNotFound: no such run (any more).
        RunError: the labels there cannot be read, or the store cannot be written.
    """
    folder = store.path(run_id)
    if not folder.is_dir():
        raise _gone(run_id)
    with changing(store.folder):
        if not folder.is_dir():  # deleted while this waited: writing would make a folder of labels alone
            raise _gone(run_id)
        found = read_labels(folder)
        if found.problems:
            raise UnreadableFile(f"{found.problems[0]} Remove the file to label the run anew.")
        before = found.value or Labels()
        after = _changed(before, change)
        if seen is not None:
            _refuse_overwriting(seen, before, after)
        if after != before:
            write_json(folder / LABELS, after.model_dump(mode="json"))
    return after


def _changed(before: Labels, change: LabelChange) -> Labels:
    tags = [*(before.tags if change.tags is None else change.tags), *change.add_tags]
    gone = {plain(tag).casefold() for tag in change.remove_tags}
    by_word = {word.casefold(): word for tag in reversed(tags) if (word := plain(tag)) and word.casefold() not in gone}
    values: dict[str, Any] = {"tags": tuple(sorted(by_word.values(), key=str.casefold))}
    values["title"] = before.title if change.title is None else plain(change.title) or None
    values["note"] = before.note if change.note is None else change.note
    values["archived"] = before.archived if change.archived is None else change.archived
    try:
        return Labels.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        raise InputError(f"{first['msg'].removeprefix('Value error, ')}.", field=str(first["loc"][0])) from error


def _refuse_overwriting(seen: Labels, before: Labels, after: Labels) -> None:
    for name in FIELDS:
        was, there, wanted = (getattr(labels, name) for labels in (seen, before, after))
        if there not in (was, wanted):
            shown = ", ".join(there) if isinstance(there, tuple) else str(there or "none")
            raise InputError(
                f"somebody else has changed it meanwhile, to {shorten(shown)!r}. Nothing was overwritten; look at the "
                "run again and repeat your change if it still holds.",
                field=name,
            )


def _gone(run_id: str) -> RunNotFound:
    return RunNotFound(f"No run called {run_id!r}: it was deleted, or never there.")
