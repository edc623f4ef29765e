"""Data of one's own: a file or a name, its first rows, which column is what, what is left out, and the form filled."""

from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

import streamlit as st

from medqa_core.data import sources, upload
from medqa_core.data.preview import FileColumns, Preview, columns_of, preview
from medqa_core.data.readers.file import SUFFIXES
from medqa_core.foundation.errors import MedQAError, shorten
from medqa_core.foundation.files import sha256_text
from medqa_core.foundation.format import count, plural
from medqa_core.foundation.settings import Settings
from pages.fine_tune import fields
from pages.shared import notices, tables, tasks
from pages.shared.flash import flash
from pages.shared.markup import bullets, html, note

MAPPED = ("question", "answer", "topic")
"""Our names whose columns can be chosen here; the others are guessed, or mapped in the form's field Columns."""
ROWS = 10
"""Pairs that are shown."""
LONGEST = 240
"""Characters of a text in the preview."""


class Source(NamedTuple):
    """Data that were sent, or named."""

    name: str
    """As `data.sources` has it."""
    title: str
    """What people call them."""

    def in_words(self, text: str) -> str:
        """`text` with what people call the data in place of the name that a sent file has in the cache."""
        return text if self.title == self.name else text.replace(Path(self.name).name, self.title)


def draw(settings: Settings) -> None:
    """The section; nothing on a public demo, whose visitors bring no data."""
    if settings.public:
        return
    data: Source | None = None
    test: Source | None = None
    with st.expander("Bring your own data", key="own data"):
        left, right = st.columns(2, gap="small")
        try:
            with left:
                data = _source("own", "A file", settings)
            with right:
                test = _source("own test", "A test file, instead of a part of the other (optional)", settings)
            if data is not None:
                _chosen(data, test, settings)
        except MedQAError as error:
            notices.notice("These data cannot be used.", _in_words(str(error), data, test), bad=True)


def _in_words(text: str, *given: Source | None) -> str:
    for source in filter(None, given):
        text = source.in_words(text)
    return text


def _source(key: str, label: str, settings: Settings) -> Source | None:
    """The fields that take a file, a path or a name; None where nothing was given."""
    sent = st.file_uploader(
        label,
        type=sorted({suffix.rpartition(".")[2] for suffix in SUFFIXES}),
        key=f"{key} file",
        max_upload_size=upload.LIMIT // 2**20,
        help="CSV, Excel, JSON, JSON lines, Parquet or Arrow, in the usual formats of trainers. Kept in the cache.",
    )
    st.text_input(
        "Or a path on this machine, or a data set of the hub",
        key=f"{key} name",
        placeholder="owner/name",
    )
    if sent is not None:
        return Source(str(upload.keep(sent.name, sent.getvalue(), settings)), shorten(Path(sent.name).name, 60))
    named = _named(key)
    return Source(named, named) if named else None


def named() -> set[str]:
    """The paths or names that were typed here."""
    return {name for key in ("own", "own test") if (name := _named(key))}


def _named(key: str) -> str:
    return str(st.session_state.get(f"{key} name") or "").strip()


def _chosen(data: Source, test: Source | None, settings: Settings) -> None:
    """What the data become, with the columns as they are chosen."""
    names = dict.fromkeys(source.name for source in (data, test) if source is not None)
    away = [name for name in names if sources.to_fetch(name, settings)]
    for name in away:
        note(f"{name} is a data set of the hub that is not in the cache yet.")
        tasks.offer_fetch(name)
    if away:
        return
    chosen = _columns(data.name, columns_of(data.name, settings))
    with st.spinner("Reading the data."):
        found = preview(data.name, chosen, settings, title=data.title, test=test.name if test else None)
    if found.problem:
        problem = _in_words(found.problem, data, test)
        notices.notice("These data do not fit as they are.", problem, bad=found.data is None)
    if found.data is not None:
        _rows(found)
        _left_out(found, data, test)
    proposed = bool(found.problem) and found.sizes is not None
    if found.sizes is not None:
        split = "The proposed split" if proposed else "The split"
        note(f"{split} gives {fields.parts_in_words(found.sizes)} pairs.")
    st.button(
        "Use these data with the proposed split" if proposed else "Use these data",
        key="use own data",
        type="primary",
        disabled=found.sizes is None,
        on_click=_use,
        args=(found.changes,),
    )


def _columns(name: str, there: FileColumns) -> dict[str, str]:
    """The columns that were chosen in place of the recognised ones."""
    if not there.names:
        return {}
    chosen = {}
    options: list[str | None] = [None, *there.names]
    for place, ours in zip(st.columns(len(MAPPED), gap="small"), MAPPED, strict=True):
        theirs = there.mapping.get(ours)
        with place:
            column = st.selectbox(
                f"{ours.capitalize()} from",
                options,
                format_func=_or(f"{theirs} (recognised)" if theirs else "none"),
                key=f"own {ours} {sha256_text(name)[:12]}",
            )
        if column:
            chosen[ours] = column
    return chosen


def _or(recognised: str) -> Callable[[str | None], str]:
    """How an option of a mapping reads: a column, or what was recognised where none is chosen."""
    return lambda column: shorten(column or recognised, 60)


def _rows(found: Preview) -> None:
    assert found.data is not None
    shown = found.data.pairs[:ROWS]
    tables.table(
        (tables.Column("Question"), tables.Column("Answer"), tables.Column("Topic")),
        [[shorten(one.question, LONGEST), shorten(one.answer, LONGEST), shorten(one.topic, 80)] for one in shown],
        caption=f"The first {len(shown)} of {plural(len(found.data.pairs), 'usable pair')}; long texts are shortened.",
    )


def _left_out(found: Preview, *given: Source | None) -> None:
    data = found.data
    assert data is not None
    counted = [
        f"{plural(data.pairs_parsed, 'question')} found",
        f"{count(data.pairs_parsed - data.pairs_answered)} left out without an answer",
        f"{count(data.duplicates_dropped)} left out as duplicates",
    ]
    html(f"<p>{escape('; '.join(counted))}. How the data were read, and what was left aside:</p>")
    html(bullets([_in_words(line, *given) for line in data.filters]))


def _use(changes: dict[str, Any]) -> None:
    """Put the data, and sizes that fit by themselves, into the form."""
    fields.put(changes)
    flash("The form below now has these data.")
