"""One run as the Fine-tune page shows it while it is in progress."""

from html import escape

import streamlit as st

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import count, duration, general, number, place
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.visible import visible
from medqa_core.jobs.stop import stop
from medqa_core.jobs.watch import Current
from medqa_core.report.charts.loss import View, loss_figure
from medqa_core.report.charts.loss_words import told
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import PRESETS, differences
from medqa_core.runs.schema.status import Status
from medqa_core.runs.snapshot import RunSnapshot
from pages.fine_tune import fields
from pages.fine_tune.cost import GIB, Cell, strip
from pages.shared import charts, run_picker, tables, theme
from pages.shared.flash import flash
from pages.shared.markup import html
from pages.shared.standing import progress
from pages.shared.store import store

LOG_LINES = 60
"""Lines of the log that are shown."""
PLACES = ("base_model", "dataset", "test_dataset")
"""Settings that may be paths of this machine, which are not for a demo's visitors."""


def during(current: Current, *, public: bool) -> None:
    """A run in progress: its progress, its curve, its settings, its log."""
    run = current.run
    heading(run)
    progress(current)
    trained = current.activity in ("training", "stalled", "stopping")
    if trained:
        _figures(current.status)
    if not public:
        _stop_buttons(current)
    if trained:
        _curve(current.snapshot)
    settings_of(run, public=public)
    if not public:
        log_of(run)


def heading(run: Run) -> None:
    """Which run it is."""
    html(f"<h2>{escape(' · '.join([*run_picker.title_line(run), run.id]))}</h2>")


def settings_of(run: Run, *, public: bool) -> None:
    """The run's own saved configuration, never the form's."""
    config = run.record.config
    if config is None:
        return
    changed = differences(config)
    start = config.preset if config.preset in PRESETS else "the defaults"
    rows = [
        [
            fields.label_of(name),
            place(shown) if public and name in PLACES else shown,
            "changed" if name in changed else "",
        ]
        for name, value in config
        if name != "preset"
        for shown in [str(fields.typed(name, value))]
    ]
    with st.expander("Settings of this run", key=f"settings {run.id}"):
        columns = [
            tables.Column("setting", "fit"),
            tables.Column("value"),
            tables.Column(f"compared with {start}", "fit"),
        ]
        tables.table(columns, rows, caption=f"As saved in {run.id}/run.json; started from {start}.")


def log_of(run: Run) -> None:
    """The end of train.log; it may hold paths of this machine, which are not for a demo's visitors."""
    with st.expander("Log", key=f"log {run.id}"):
        lines = visible(run.log_tail()).splitlines()[-LOG_LINES:]
        st.code("\n".join(lines) or "Nothing has been written to train.log.", language=None, wrap_lines=True)


def _stop_buttons(current: Current) -> None:
    run_id, ending = current.run.id, current.activity == "stopping"
    label = "Stop evaluation" if current.activity == "evaluating" else "Stop and save"
    with st.container(horizontal=True, gap="small"):
        st.button(label, key=f"stop {run_id}", disabled=ending, on_click=_stop, args=(run_id,))
        if ending or current.activity == "stalled":  # it should take seconds; where it hangs, this ends it
            st.button("Force stop", key=f"kill {run_id}", on_click=_stop, args=(run_id, True))


def _figures(status: Status) -> None:
    memory, best = status.memory, status.best
    left, speed = status.remaining_seconds, status.tokens_per_second
    known = [
        Cell("Time left", "training alone", duration(left) if left is not None else None),
        Cell("Speed", "tokens per second", count(round(speed)) if speed else None, f"{count(status.tokens)} so far"),
        Cell(
            "Memory",
            f"of {memory.total / GIB:.1f} GiB" if memory else "",
            f"{memory.used / GIB:.1f} GiB" if memory else None,
            f"at most {memory.peak / GIB:.1f} GiB" if memory else "",
        ),
        Cell(
            "Lowest validation loss",
            "nats per token",
            number(best.validation_loss) if best else None,
            f"step {count(best.step)}" if best else "",
        ),
    ]
    strip([cell._replace(missing="not known yet") for cell in known])


def _curve(snapshot: RunSnapshot) -> None:
    curve = RunCurve.of(snapshot)
    if not curve.metrics_log.empty:
        caption = told(curve)
        chart = loss_figure([curve], View(height=270), theme.palette())
        charts.show(chart, key=f"curve {snapshot.id}", alt=caption, caption=caption)


def _stop(run_id: str, force: bool = False) -> None:
    settings = Settings.from_environment()
    if settings.public:
        return
    try:
        flash(stop(store().open(run_id), settings, force=force))
        run_picker.choose(run_id)  # how it ended is shown afterwards
    except MedQAError as error:
        flash(str(error), bad=True)


def remove_button(run: Run) -> None:
    """Take a waiting run out of the queue."""
    st.button("Remove", key=f"remove {run.id}", help=f"Take {run.id} out of the queue.", on_click=_stop, args=(run.id,))


def setting_line(run: Run, *, public: bool) -> str:
    """A run's configuration in a line."""
    config = run.record.config
    if config is None:
        return ""
    epochs = f"{general(config.epochs)} {'epoch' if config.epochs == 1 else 'epochs'}"
    model, data = (place(name) if public else name for name in (config.base_model, config.dataset))
    return f"{model} on {data}, {config.method}, {epochs}"
