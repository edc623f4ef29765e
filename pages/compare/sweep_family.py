"""A sweep on Compare runs: its trials as one family, the lowest one marked, and what all of it cost."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import capital, duration, general, number, percent, plural
from medqa_core.report.sweep import Family, Trial, family
from medqa_core.report.views.figures import SETTINGS
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from pages.shared import tables
from pages.shared.markup import note
from pages.shared.tables import Cell, Column, Raw


def show(runs: Sequence[Run], store: RunStore) -> None:
    """The sweeps that these runs are trials of, each with all of its trials; nothing where none is one."""
    for name in dict.fromkeys(run.record.sweep.id for run in runs if run.record.sweep is not None):
        found = family(members(name, store))
        if found is not None:
            _show(found)


def members(sweep: str, store: RunStore) -> list[Run]:
    """The runs of a sweep. Only those whose ids begin as its trials' do are opened: a store may hold thousands."""
    found = []
    for entry in store.list():
        if entry.id.startswith(f"{sweep}-t") and entry.state != "unreadable":
            try:
                run = store.open(entry.id)
            except MedQAError:  # it went away since it was listed
                continue
            if run.record.sweep is not None and run.record.sweep.id == sweep:
                found.append(run)
    return found


def _show(found: Family) -> None:
    st.header(f"Sweep {found.id}", anchor=False)
    note(f"{lead(found)} {cost(found)}")
    names = list(dict.fromkeys(name for trial in found.trials for name in trial.values))
    head = [Column("trial"), *(Column(_label(name), "number") for name in names)]
    head += [Column("lowest validation loss", "number"), Column("steps", "number"), Column("time", "number")]
    head += [Column("state")]
    rows = [_row(trial, names, best=trial is found.best) for trial in found.trials]
    tables.table(head, rows, caption="One run a row, in the order in which they were tried.")


def lead(found: Family) -> str:
    """Which trial came lowest, and how much that says."""
    best = found.best
    if best is None:
        return "No trial has been validated yet."
    losses = sorted(trial.loss for trial in found.trials if trial.loss is not None)
    text = f"{best.run_id} has the lowest validation loss, {number(losses[0])}"
    if len(losses) > 1 and losses[1]:
        text += f", {percent((losses[1] - losses[0]) / losses[1])} below the next"
    return (
        f"{text}. It was chosen among {plural(len(losses), 'trial')} by this very loss, so its test questions have "
        "the last word."
    )


def cost(found: Family) -> str:
    """What all trials took together."""
    parts = [plural(len(found.trials), "trial"), f"{duration(found.seconds)} of training", f"{found.tokens:,} tokens"]
    if found.cpu_hours is not None:
        parts.append(f"{number(found.cpu_hours, 2)} CPU-hours")
    early = f" {plural(found.ended_early, 'trial')} ended early." if found.ended_early else ""
    return f"Cost: {', '.join(parts)}.{early}"


def _row(trial: Trial, names: list[str], *, best: bool) -> list[Cell]:
    mark = ' <span class="mq-better fit">▲ lowest</span>' if best else ""
    steps = f"{trial.step:,} of {trial.total_steps:,}" if trial.total_steps else f"{trial.step:,}"
    state = f'{escape(trial.state)}<br><span class="mq-note">{escape(trial.why)}</span>' if trial.why else None
    return [
        trial.run_id,
        *(_value(trial.values.get(name)) for name in names),
        Raw(f"{escape(number(trial.loss)) if trial.loss is not None else tables.UNKNOWN}{mark}"),
        steps,
        duration(trial.seconds) if trial.seconds else tables.UNKNOWN,
        Raw(state) if state else trial.state,
    ]


def _value(value: float | int | str | None) -> str:
    return tables.UNKNOWN if value is None else value if isinstance(value, str) else general(value)


def _label(name: str) -> str:
    return capital(SETTINGS.get(name, name.replace("_", " ")))
