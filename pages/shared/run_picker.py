"""The run picker: in the sidebar on every page, and in the address, so that a link opens the same view."""

import contextlib
from html import escape
from typing import Literal

import streamlit as st

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import count, date
from medqa_core.runs.run import Run
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.run_store import RunStore
from medqa_core.runs.store.search import MOST_OFFERED, labels, latest, matching, offered
from pages.shared import copy_link, notices
from pages.shared.markup import bullets, eyebrow, html, note, rich
from pages.shared.store import list_runs, listed, store, usable

KEY = "run"
"""The name in the address (`?run=run-2`), and of the session's value that is bound to it."""
PICKED = "run picked"
"""The session's key for what the list shows as chosen."""
SHOWN = "run shown"
"""The session's key for the id of the run that the pages show."""
OPENED = "run opened"
"""The session's key for that run as the head of the page found it; None where it cannot be opened."""
About = Literal["one run", "runs", "the machine"]
"""What a page is about."""


def draw() -> None:
    """The picker, above whatever page is shown. What the address asks for is offered even where it is not there."""
    entries = list_runs()
    fallback = default(entries)
    if KEY not in st.session_state and KEY not in st.query_params and fallback is not None:
        st.query_params[KEY] = st.session_state[KEY] = fallback
    there = [entry for entry in usable(entries) if not entry.archived]
    with st.sidebar:
        asked = _address() or fallback
        options = offered(_found(there), keep=[asked] if asked else [])
        if options:
            st.session_state[PICKED] = asked
            st.selectbox(
                "Run",
                options,
                index=None,
                required=True,
                key=PICKED,
                format_func=labels(entries),
                filter_mode="contains",
                on_change=_pick,
            )
        st.session_state[SHOWN] = asked
        _about(entries, asked)


def _address() -> str:
    """The run that the address names; empty where it names none, as after going back to such an address.

    A field of its own that nobody sees: a bound list would put its titles into the address, and what is written there
    by hand is lost on the way to another page, or makes a second entry in the browser's history.
    """
    with st.container(key="run-address"):
        return st.text_input("Run in the address", key=KEY, bind="query-params", label_visibility="collapsed") or ""


def _pick() -> None:
    choose(st.session_state[PICKED])


def _found(there: list[RunEntry]) -> list[RunEntry]:
    """The runs to choose from: all, or those that the words match where there are too many to offer at once."""
    if len(there) <= MOST_OFFERED:
        return there
    label = f"Find one of {count(len(there))} runs"
    found = matching(there, st.text_input(label, key="find", placeholder="id, title, state or model"))
    if len(found) > MOST_OFFERED:
        note(f"Below: the newest {MOST_OFFERED} of {count(len(found))}.")
    elif not found:
        note("No run matches.")
    return found


def default(entries: list[RunEntry]) -> str | None:
    """The newest completed fine-tune, else the newest run that opens; archived ones only where no other is.

    So with runs of the preset `smoke`: they show that the program works and nothing else.
    """
    there = [entry for entry in usable(entries) if not entry.archived]
    real = [entry for entry in there if entry.preset != "smoke"]
    done = [entry for entry in real if entry.kind == "finetune" and entry.state == "completed"]
    found = latest(next((few for few in (done, real, there, usable(entries)) if few), []))
    return found.id if found else None


def head(question: str, about: About) -> None:
    """The top of a page: which run it is about, and the page's question as its title.

    Drawn by the shell, before the page loads what it draws with. Where a page about runs has none to show, it says why
    and ends here.
    """
    runs = store()
    asked = st.session_state.get(SHOWN)
    run = None
    with contextlib.suppress(MedQAError):
        run = runs.open(asked) if asked is not None else None
    if run is not None and about != "the machine":
        with st.container(key="run-head", horizontal=True, vertical_alignment="center", gap="small"):
            eyebrow(title_line(run))
            copy_link.button()
    st.title(question, anchor=False)
    st.session_state[OPENED] = run
    if run is None and about != "the machine":
        _say_why(asked, runs)
        st.stop()


def opened() -> Run:
    """The run that the head of this page is about; not for a page about the machine, which may have none."""
    run: Run = st.session_state[OPENED]
    return run


def choose(run_id: str) -> None:
    """Pick this run; for a button's callback."""
    st.session_state[KEY] = run_id


def forget(run_id: str) -> None:
    """Pick another run than this one if it was deleted; for a button's callback."""
    if st.session_state.get(KEY) == run_id:
        there = store().list()
        if all(entry.id != run_id for entry in there):
            st.session_state[KEY] = default(there) or ""


def asked_for(key: str) -> list[str]:
    """The runs that a list is to hold before it is drawn: the visitor's choice, also of none, else the address's."""
    return list(st.session_state[key] if key in st.session_state else st.query_params.get_all(key))


def chosen(key: str, there: list[RunEntry]) -> list[str]:
    """What a list of runs is asked for, as far as it is there."""
    ids = {entry.id for entry in there}
    return [one for one in asked_for(key) if one in ids]


def open_all(ids: list[str]) -> list[Run]:
    """These runs, without those that cannot be opened (any more)."""
    found = []
    for run_id in ids:
        with contextlib.suppress(MedQAError):
            found.append(store().open(run_id))
    return found


def title_line(run: Run) -> list[str]:
    """Which run this is, for the line above a page's title."""
    record = run.record
    number = [f"Run #{record.number}"] if record.number is not None else []
    kind = ["imported"] if record.kind == "imported" else []
    return [*number, record.title, *kind, date(record.created_at)]


def _say_why(asked: str | None, runs: RunStore) -> None:
    entries = listed()
    if asked is not None:
        notices.unknown_run(asked, entries)
    elif entries:
        notices.notice("No run can be opened.", *(f"{e.id}: {e.problem}" for e in entries[:20]), bad=True)
    else:
        notices.no_runs(runs.folder.name)


def _about(entries: list[RunEntry], chosen: str | None) -> None:
    entry = next((e for e in usable(entries) if e.id == chosen), None)
    if entry is not None:
        title = "" if entry.title == entry.id else f"{escape(entry.title)}<br>"  # whole: the field above may cut it off
        about = f"<code>{escape(entry.id)}</code><br>{rich(entry.state)}, {date(entry.created_at)}"
        html(f'<p class="mq-note">{title}{about}</p>')
    broken = [e for e in entries if e.state == "unreadable"]
    if broken:
        listed = bullets(f"{e.id}: {e.problem}" for e in broken[:50])
        html(f"<details><summary>{len(broken)} cannot be opened</summary>{listed}</details>")
