"""How a run stands that is not simply complete: how far it is, or why it ended early and what resumes it."""

from dataclasses import replace

import streamlit as st

from medqa_core.foundation.format import count, duration, number, percent, timestamp
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import explanation
from medqa_core.jobs.diagnosis import Diagnosis, diagnose, saved_progress
from medqa_core.jobs.explanation import kept
from medqa_core.jobs.watch import Current
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import Activity, Status
from medqa_core.runs.snapshot import RunSnapshot
from pages.shared import notices, reuse
from pages.shared.resume import resume_button

DOING: dict[Activity, str] = {
    "waiting": "Waiting to start",
    "starting": "Starting",
    "training": "In progress",
    "stalled": "Stalled",
    "stopping": "Stopping; saving a checkpoint",
    "evaluating": "Training completed; evaluating on the test questions",
}


def standing(snapshot: RunSnapshot, *, buttons: bool = True) -> None:
    """One notice about a run that is not simply complete, and what can be done; nothing for one that is.

    `buttons`: whether resuming and suggested settings are offered here; Fine-tune has them among others.
    """
    run, current, status = Run(snapshot.folder, snapshot.record), Current.of(snapshot), snapshot.status
    public = Settings.from_environment().public
    offered = buttons and not public
    found = diagnose(run)
    if found is not None and public:
        found = replace(found, host=None)
    if current is not None:
        progress(current)
    elif found is not None:
        title = "This run failed." if snapshot.state == "failed" else "This run was interrupted."
        notices.notice(title, explanation.happened(found), kept(found.progress), explanation.remedy(found), bad=True)
        if offered:
            _mend(run, found)
    elif snapshot.state == "stopped" and status is not None:
        ended = "This run was force-stopped." if status.cause == "killed" else "Stopped early."
        title = ended if status.step else "Stopped before its first step."
        why = [status.error] if status.error and status.cause is None else []
        notices.notice(title, *why, kept(saved_progress(run, status)))
        if offered:
            resume_button(run)
    elif snapshot.state == "unknown":
        notices.notice("It is not known how this run ended.", "Its status.json is missing or cannot be read.")


def _mend(run: Run, found: Diagnosis) -> None:
    """Resume it, or take the suggested settings to Fine-tune's form."""
    with st.container(horizontal=True, gap="small"):
        if found.resumable:
            resume_button(run)
        if found.suggested is not None:
            key = f"suggested {run.id}"
            st.button("Use suggested settings", key=key, on_click=reuse.hand_over, args=(found.suggested,))


def progress(current: Current) -> None:
    """How far a run is that is being worked on, as a bar and in words."""
    status, share = current.status, current.share
    words = [status.stage] if status.stage else []
    if status.total_steps:
        words.append(f"step {count(status.step)} of {count(status.total_steps)} ({percent(share, 0)})")
        words.append(f"epoch {number(float(status.epoch), 2)}")
    if status.remaining_seconds is not None:
        words.append(f"{duration(status.remaining_seconds)} left")
    if current.activity == "stalled":
        words = [silence(status), *words]
    elif status.heartbeat:
        words.append(f"last update {timestamp(status.heartbeat)}")
    notices.progress(f"{DOING[current.activity]}.", share, words)


def silence(status: Status) -> str:
    """A worker that is there and says nothing."""
    since = f" since {timestamp(status.heartbeat)}" if status.heartbeat else ""
    return f"No update{since}, but the process is there: paused, or the machine is overloaded. It continues when it can"
