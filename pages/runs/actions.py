"""What can be done with the ticked runs. A deletion is asked for by the button, and once more in a dialog.

What stands in a popover or a dialog is Streamlit's own: they lie outside the page's colour scheme, which our markup
follows.
"""

from collections.abc import Callable

import streamlit as st

from medqa_core.foundation.disk import folder_size
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import bytes_size, listing, plural
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.remove import InUse, InUseBy, delete
from medqa_core.report import comparison
from medqa_core.runs.artifacts.labels import Labels, read_labels
from medqa_core.runs.run import Run
from medqa_core.runs.store.index import RunEntry
from medqa_core.runs.store.labelling import LabelChange, change_labels
from pages.runs import measure
from pages.runs.table import untick
from pages.shared import go, inputs, reuse, run_picker
from pages.shared.flash import flash
from pages.shared.markup import escape_markdown, note
from pages.shared.store import store

NAMED = 10
"""Runs that the dialog names one by one."""
STOPPED: dict[InUseBy, str] = {
    "queue": "“Remove” in the queue on Fine-tune",
    "training": "“Stop and save” or “Stop evaluation” on Fine-tune",
    "task": "“Stop” or “Remove from the queue” above",
}
"""The button that ends what a run is in use by."""


def draw(ticked: list[RunEntry], *, public: bool) -> None:
    """The buttons; those that do not fit what is ticked are disabled, so that nothing moves with a tick."""
    one = _opened(ticked[0].id) if len(ticked) == 1 else None
    with st.container(horizontal=True, gap="small", key="runs-actions"):
        args = (one.id,) if one is not None else ()
        st.button("Open", disabled=one is None, help="Show the ticked run on Summary.", on_click=show, args=args)
        _compare(ticked)
        if not public:
            _edit(one)
            measure.popover(one)
            _reuse(one)
            _archive(ticked)
            _delete(ticked)
    what = "open or compare them" if public else "rename, measure, compare, archive or delete them"
    note(f"{plural(len(ticked), 'run')} ticked." if ticked else f"Tick runs to {what}.")


def show(run_id: str) -> None:
    """Go to Summary with this run; for a button's callback."""
    run_picker.choose(run_id)
    go.to("summary/summary.py")


def _compare(ticked: list[RunEntry]) -> None:
    fits = 2 <= len(ticked) <= comparison.MOST
    help_text = f"Two to {comparison.MOST} ticked runs side by side."
    ids = [entry.id for entry in ticked]
    st.button("Compare", disabled=not fits, help=help_text, on_click=_side_by_side, args=(ids,))


def _side_by_side(ids: list[str]) -> None:
    run_picker.choose(ids[0])
    st.session_state["runs"] = ids[1:]
    go.to("compare/compare.py")


def _edit(run: Run | None) -> None:
    with st.popover("Edit", disabled=run is None):
        if run is None:
            return
        found = read_labels(run.folder)
        if found.problems:
            st.caption(escape_markdown(found.problems[0]))
            return
        _fill(run, found.value or Labels())
        keys = _keys(run.id)
        st.text_input("Title", key=keys["title"], max_chars=120, help="The run's id and files keep their names.")
        st.text_input("Tags", key=keys["tags"], max_chars=800, placeholder="for example: baseline, lora")
        st.text_area("Note", key=keys["note"], max_chars=2000, height=100)
        st.button("Save", type="primary", key=f"save {run.id}", on_click=_save, args=(run.id,))


def _fill(run: Run, now: Labels) -> None:
    """Put what the run has into the form, unless that is there already, or something was typed over it."""
    shown, keys = _shown(run, now), _keys(run.id)
    seen = st.session_state.get(_seen(run.id))
    gone = any(key not in st.session_state for key in keys.values())  # while it was not ticked
    if seen is None or gone or (seen[0] != now and _untouched(keys, seen[1])):
        st.session_state[_seen(run.id)] = (now, shown)
        for name, value in shown.items():
            inputs.put(f"edit {name} {run.id}", value)


def _keys(run_id: str) -> dict[str, str]:
    """The session's keys of the form's inputs by what they are of."""
    return {name: inputs.key(f"edit {name} {run_id}") for name in ("title", "tags", "note")}


def _seen(run_id: str) -> str:
    """The session's key of the labels that the form was filled with, and how it showed them."""
    return f"edit seen {run_id}"


def _shown(run: Run, labels: Labels) -> dict[str, str]:
    return {"title": run.record.title, "tags": ", ".join(labels.tags), "note": labels.note}


def _untouched(keys: dict[str, str], shown: dict[str, str]) -> bool:
    return all(st.session_state.get(keys[name], value) == value for name, value in shown.items())


def _save(run_id: str) -> None:
    """Save what was changed in the form; what somebody else has changed since it was opened is not overwritten."""
    if Settings.from_environment().public:
        return
    keys = _keys(run_id)
    labels, shown = st.session_state[_seen(run_id)]
    typed = {name: str(st.session_state.get(keys[name], value)) for name, value in shown.items()}
    new = {name: value if value != shown[name] else None for name, value in typed.items()}
    tags = None if new["tags"] is None else tuple(tag for part in new["tags"].split(",") if (tag := part.strip()))
    try:
        change_labels(store(), run_id, LabelChange(title=new["title"], tags=tags, note=new["note"]), labels)
        flash(f"Saved: {run_id}.")
    except MedQAError as error:
        flash(f"Not saved. {error}", bad=True)
    st.session_state.pop(_seen(run_id), None)  # the form is filled anew with what is there now


def _reuse(run: Run | None) -> None:
    config = run.record.config if run is not None else None
    about = "Fill Fine-tune's form with this run's settings."
    st.button("Reuse settings", disabled=config is None, help=about, on_click=reuse.hand_over, args=(config,))


def _archive(ticked: list[RunEntry]) -> None:
    back = bool(ticked) and all(entry.archived for entry in ticked)
    st.button(
        "Unarchive" if back else "Archive",
        key="archive",
        disabled=not ticked,
        help="Archived runs stay whole and are left out of lists; “Archived too” shows them.",
        on_click=_set_archived,
        args=([entry.id for entry in ticked], not back),
    )


def _set_archived(ids: list[str], archived: bool) -> None:
    done = "Archived" if archived else "Back in the lists"
    _each(ids, lambda run_id: change_labels(store(), run_id, LabelChange(archived=archived)), done)


def _delete(ticked: list[RunEntry]) -> None:
    if st.button("Delete", key="delete", disabled=not ticked, help="Asks once more before anything goes."):
        _ask_to_delete(ticked)


@st.dialog("Move to the bin?")
def _ask_to_delete(ticked: list[RunEntry]) -> None:
    """The second question of a deletion: what goes, how large it is, where to and for how long."""
    sizes = {entry.id: folder_size(store().folder / entry.id) for entry in ticked}
    for entry in ticked[:NAMED]:
        st.markdown(f"**{escape_markdown(entry.title)}** · {escape_markdown(entry.id)} · {bytes_size(sizes[entry.id])}")
    if len(ticked) > NAMED:
        st.markdown(f"and {plural(len(ticked) - NAMED, 'other run')}")
    if len(ticked) > 1:
        st.markdown(f"{plural(len(ticked), 'run')}, {bytes_size(sum(sizes.values()))} in all")
    st.caption("Deleted runs lie in the bin, from which “Restore” brings them back for 30 days. Then they are gone.")
    with st.container(horizontal=True, gap="small"):
        label = f"Move {plural(len(ticked), 'run')} to the bin"
        args = ([entry.id for entry in ticked],)
        moved = st.button(label, key="delete for sure", type="primary", on_click=_move_to_bin, args=args)
        if st.button("Keep", key="keep") or moved:
            st.rerun()  # which closes the dialog


def _move_to_bin(ids: list[str]) -> None:
    settings = Settings.from_environment()
    _each(ids, lambda run_id: delete(run_id, settings), "Moved to the bin")
    for run_id in ids:
        run_picker.forget(run_id)


def _each(ids: list[str], act: Callable[[str], object], done: str) -> None:
    """Do something with each of the runs and untick it; what was done, and what could not be."""
    if Settings.from_environment().public:
        return
    made, failed = [], []
    for run_id in ids:
        try:
            act(run_id)
            made.append(run_id)
        except InUse as error:
            failed.append(f"{error.run_id} is in use: stop that first, with {STOPPED[error.by]}, then delete the run.")
        except MedQAError as error:
            failed.append(str(error))
        untick(run_id)
    said = [f"{done}: {listing(made)}."] if made else []
    flash(" ".join([*said, *failed]), bad=bool(failed))


def _opened(run_id: str) -> Run | None:
    found = run_picker.open_all([run_id])
    return found[0] if found else None
