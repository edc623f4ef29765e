"""The bin: deleted runs, until when they are kept, and the button that restores one."""

from contextlib import suppress
from datetime import datetime

import streamlit as st

from medqa_core.foundation.disk import folder_size
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.format import bytes_size, count, date
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store import bin
from pages.shared.flash import flash
from pages.shared.markup import escape_markdown, note
from pages.shared.store import store

SHOWN = 50


def draw() -> None:
    """Nothing where the bin is empty."""
    found = bin.deleted(store())
    if not found:
        return
    with st.expander(f"Bin ({count(len(found))})", key="bin"):
        note("Deleted runs are kept for 30 days and then removed for good.")
        for run in found[:SHOWN]:
            left, right = st.columns([5, 1], vertical_alignment="center")
            size = bytes_size(folder_size(run.folder))
            left.markdown(
                f"**{escape_markdown(run.title)}** · {escape_markdown(run.id)} · {size} · deleted "
                f"{date(run.deleted_at)}, kept until {date(run.gone_at)}"
            )
            args = (run.id, run.deleted_at)
            right.button("Restore", key=f"restore {run.folder.name}", on_click=_restore, args=args)


def _restore(run_id: str, deleted_at: datetime) -> None:
    if Settings.from_environment().public:
        return
    try:
        with suppress(InputError):  # its id is taken by now
            flash(f"Restored: {bin.restore(store(), run_id, deleted_at=deleted_at)}.")
            return
        there = bin.restore(store(), run_id, new_id=store().free_id(run_id), deleted_at=deleted_at)
        flash(f"Restored as {there}: another run has its id.")
    except MedQAError as error:
        flash(str(error), bad=True)
