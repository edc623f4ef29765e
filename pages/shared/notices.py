"""What a page says when there is nothing to show, or not yet, or no longer: what is missing, why, what mends it."""

from collections.abc import Callable
from contextlib import suppress
from html import escape

import streamlit as st

from medqa_core.foundation.errors import MedQAError, shorten
from medqa_core.foundation.format import count, duration, number, percent, timestamp
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import explanation, launch
from medqa_core.jobs.diagnosis import diagnose, progress_of
from medqa_core.jobs.explanation import kept, resume_command
from medqa_core.jobs.watch import Activity, Current, current_of
from medqa_core.report.facts import Facts
from medqa_core.report.verdict import sentence
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import command_line
from medqa_core.runs.schema.status import Status
from medqa_core.runs.store.index import RunEntry
from pages.shared.markup import bullets, html, rich

REFRESHED = ("queued", "running", "stopping")
EVERY_SECONDS = 3.0
DOING: dict[Activity, str] = {
    "waiting": "Waiting to start",
    "starting": "Starting",
    "training": "In progress",
    "stalled": "Stalled",
    "stopping": "Stopping and saving",
    "evaluating": "Trained; measuring it on the test questions",
}


def notice(title: str, *lines: str, command: str | None = None, bad: bool = False) -> None:
    """A designed message; `command` is shown so that it can be copied."""
    body = f'<p class="mq-strong">{escape(title)}</p>' + "".join(f"<p>{rich(line)}</p>" for line in lines if line)
    html(f'<div class="mq-notice{" mq-bad" if bad else ""}" role="status">{body}</div>')
    if command:
        st.code(command, language=None, wrap_lines=True)


def no_runs(folder: str) -> None:
    """An empty store."""
    notice(
        "There is no run yet.",
        f"This page shows what is in the run store, the folder `{folder}`, and it is empty.",
        "A first fine-tune on the starter set takes about ten minutes on a laptop and downloads only the model:",
        command="python -m medqa_core train --preset starter",
    )


def unknown_run(asked: str, entries: list[RunEntry]) -> None:
    """The address asks for a run that is not there or cannot be opened."""
    entry = next((e for e in entries if e.id == asked), None)
    if entry is not None:
        notice("This run cannot be opened.", entry.problem or "", "The other runs are not affected.", bad=True)
    else:
        notice(
            "There is no such run.",
            f"The address asks for {shorten(asked)!r}, which is not in the run store. Choose another one under Run.",
            bad=True,
        )
    there = [e for e in entries if e.state != "unreadable"]
    if there:
        html("<p>What is there:</p>" + bullets(f"{e.id} · {e.title} ({e.state})" for e in there[:50]))


def problems(lines: list[str]) -> None:
    """What could not be read of a run that opens otherwise; nothing where there is nothing."""
    found = list(dict.fromkeys(lines))
    if found:
        notice("Part of this run could not be read.", *found[:10], "The rest is shown as it is.", bad=True)


def in_work(run: Run) -> bool:
    """Whether something goes on with the run, or it waits for its turn: a page about it is drawn again and again."""
    return run.state in REFRESHED or _current(run) is not None


def verdict_sentence(facts: Facts) -> str:
    """Did it help? While a run is being worked on, that is not known yet."""
    if facts.evaluation is None and in_work(facts.run):
        return "Not known yet: the run is in progress, and its test questions come after training."
    return sentence(facts)


def standing(run: Run) -> None:
    """One notice about a run that is not simply complete; nothing for one that is."""
    current, status = _current(run), run.status()
    found = diagnose(run)
    if current is not None:
        progress(current)
    elif found is not None:
        title = "This run failed." if run.state == "failed" else "This run was cut off."
        resume = resume_command(run) if found.resumable else None
        fresh = command_line(found.suggested) if found.suggested is not None else None
        lines = (explanation.happened(found), kept(found.progress), explanation.remedy(found))
        notice(title, *lines, command=resume or fresh, bad=True)
        if resume and fresh:
            st.code(fresh, language=None, wrap_lines=True)
    elif run.state == "stopped" and status is not None:
        ended = "This run was force-stopped." if status.cause == "killed" else "Stopped early."
        title = ended if status.step else "Stopped before its first step."
        why = [status.error] if status.error and status.cause is None else []
        notice(title, *why, kept(progress_of(run, status)), "Resume with:", command=resume_command(run))
    elif run.state == "unknown":
        notice("This run does not say how it ended.", "Its status.json is missing or cannot be read.")


def watch(run: Run, body: Callable[[], None]) -> None:
    """`body`, drawn again every few seconds while the run is being worked on, and once the run has ended in full."""
    if not in_work(run):
        standing(run)
        body()
        return

    @st.fragment(run_every=EVERY_SECONDS)
    def refreshing() -> None:
        if run.state == "queued":
            move_queue_on(Settings.from_environment())
        if not in_work(run):
            st.rerun()
        standing(run)
        body()

    refreshing()


def move_queue_on(settings: Settings) -> None:
    """Start the next queued run if the device is free: a killed worker could not. A demo's visitor starts nothing."""
    if not settings.public:
        with suppress(MedQAError):  # a store that cannot be written is still shown
            launch.advance(settings)


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
        words.append(f"heard from {timestamp(status.heartbeat)}")
    bar = f'<div class="mq-bar" aria-hidden="true"><i style="width:{(share or 0) * 100:.1f}%"></i></div>'
    html(
        f'<div class="mq-notice" role="status"><p class="mq-strong">{DOING[current.activity]}.</p>{bar}'
        f'<p class="mq-muted">{escape(" · ".join(words))}</p></div>'
    )


def silence(status: Status) -> str:
    """A worker that is there and says nothing."""
    since = f" since {timestamp(status.heartbeat)}" if status.heartbeat else ""
    return (
        f"It has not been heard of{since}, but its process is there: it is paused, or the machine is overloaded. "
        "It goes on as soon as it can"
    )


def _current(run: Run) -> Current | None:
    return current_of(run, Settings.from_environment())
