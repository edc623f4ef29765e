"""Where the pages get runs from: one run store a folder, shared by all visitors."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import streamlit as st

from medqa_core.foundation.format import place
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.run_store import RunStore

LISTED = "runs listed"
"""The session's key for the list of runs."""


def store() -> RunStore:
    """The run store that the environment names."""
    return _store(Settings.from_environment().reports)


def list_runs() -> list[RunEntry]:
    """The store's runs, newest first, listed now: once a drawing of the whole page, by the run picker.

    For a demo's visitor without their tags, which could be read from what a search finds, and with the names of
    the host's data and models in place of their paths.
    """
    found = store().list()
    if Settings.from_environment().public:
        found = [_for_visitors(entry) for entry in found]
    st.session_state[LISTED] = found
    return found


def listed() -> list[RunEntry]:
    """The store's runs as they were listed for this drawing; what is drawn again by itself lists nothing."""
    found: list[RunEntry] | None = st.session_state.get(LISTED)
    return list_runs() if found is None else found


def usable(entries: list[RunEntry]) -> list[RunEntry]:
    """Those that can be opened."""
    return [entry for entry in entries if entry.state != "unreadable"]


def other_runs(run: Run, keep: Collection[str] = ()) -> list[RunEntry]:
    """All other runs that can be opened, newest first; archived ones only where they are to keep."""
    others = (entry for entry in usable(listed()) if entry.id != run.id)
    return [entry for entry in others if not entry.archived or entry.id in keep]


def _for_visitors(entry: RunEntry) -> RunEntry:
    data, model = (place(name) if name else name for name in (entry.data, entry.base_model))
    as_it_is = not entry.tags and (data, model) == (entry.data, entry.base_model)
    return entry if as_it_is else replace(entry, tags=(), data=data, base_model=model)


@st.cache_resource(show_spinner=False, max_entries=8)
def _store(folder: Path) -> RunStore:
    return RunStore(folder)
