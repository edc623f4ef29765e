"""A sweep on Compare runs: its trials as one family, the one with the lowest loss marked, and the cost of all."""

from collections.abc import Sequence
from html import escape

import streamlit as st

from medqa_core.foundation.format import capital, duration, general, number
from medqa_core.report.sweep import Family, Trial, cost_sentence, family, members, result_sentence
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


def _show(found: Family) -> None:
    st.header(f"Sweep {found.id}", anchor=False)
    note(f"{result_sentence(found)} {cost_sentence(found)}")
    names = list(dict.fromkeys(name for trial in found.trials for name in trial.values))
    head = [Column("Trial"), *(Column(_label(name), "number") for name in names)]
    head += [Column("Lowest validation loss", "number"), Column("Steps", "number"), Column("Time", "number")]
    head += [Column("State")]
    rows = [_row(trial, names, best=trial is found.best) for trial in found.trials]
    tables.table(head, rows, caption="One run per row, in the order of the trials.")


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
