"""What a fine-tune will cost: its steps at once, time and memory from an estimate where one is asked for."""

from html import escape
from typing import NamedTuple

import streamlit as st

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import count, duration, percent
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import device
from medqa_core.jobs.estimate import EstimateProcess
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.estimate import Estimate, Range
from pages.fine_tune import fields
from pages.shared import notices
from pages.shared.flash import flash
from pages.shared.markup import escape_markdown, html, note

KEY = "fine-tune estimate"
EVERY_SECONDS = 1.0
GIB = 2**30


class Cell(NamedTuple):
    """One figure of a strip."""

    name: str
    unit: str
    """What the figure counts, or of what it is one."""
    value: str | None
    """None where it is not known; `missing` says so in its place."""
    below: str = ""
    missing: str = "not estimated"


def found(config: TrainConfig, settings: Settings) -> Estimate | None:
    """The estimate that this session made for this configuration."""
    process = _process()
    return process.estimate if process and process.is_for(config, settings) else None


def figures(config: TrainConfig, examples: int | None, steps: int | None, estimate: Estimate | None) -> None:
    """Batch, steps, time and memory."""
    batch = f"{count(config.batch_size)} × {count(config.gradient_accumulation_steps)}"
    of = f"of {count(examples)} training examples" if examples else "as many examples as the split leaves"
    cells = [
        Cell("Effective batch", "examples per step", count(config.effective_batch), batch),
        Cell(
            "Steps",
            of,
            count(steps) if steps else None,
            f"{config.epochs:g} × the training set",
            "known once estimated",
        ),
    ]
    if estimate is None:
        cells += [Cell("Time", "training alone", None), Cell("Memory", "at its peak", None)]
    else:
        seconds, total = estimate.train_seconds, estimate.memory_total / GIB
        cells += [
            Cell(
                "Time",
                f"training alone, on {estimate.device}{_in_precision(estimate)}",
                duration(seconds.middle),
                span(seconds),
            ),
            Cell(
                "Memory", "at its peak", f"{estimate.memory / GIB:.1f} GiB", f"of {total:.1f} GiB{_computed(estimate)}"
            ),
        ]
    strip(cells)
    if estimate is not None:
        note(
            f"{percent(estimate.truncated_share)} of the training examples are longer than {count(config.max_tokens)} "
            f"tokens: the model does not see their end. {count(estimate.tokens)} tokens in all, "
            f"{count(round(estimate.tokens_per_second))} per second over {estimate.measured_steps} measured steps."
        )


def _computed(estimate: Estimate) -> str:
    """The peak as the model's shapes have it, to be compared with the measured one."""
    found = estimate.computed
    return f"; {found.total / GIB:.1f} GiB computed from shapes" if found is not None else ""


def _in_precision(estimate: Estimate) -> str:
    return f" in {estimate.precision}" if estimate.precision else ""


def span(seconds: Range) -> str:
    """A range of time: `10 min to 12 min`, or one figure where both ends read the same."""
    return " to ".join(dict.fromkeys((duration(seconds.low), duration(seconds.high))))


def strip(cells: list[Cell]) -> None:
    """Figures in a row."""
    html(
        '<dl class="mq-figures">'
        + "".join(
            f"<div><dt>{escape(cell.name)} <span>{escape(cell.unit)}</span></dt>"
            f'<dd class="{"mq-muted" if cell.value is None else "mq-pair"}">{escape(cell.value or cell.missing)}</dd>'
            f'<dd class="mq-muted">{escape(cell.below)}</dd></div>'
            for cell in cells
        )
        + "</dl>"
    )


def button(config: TrainConfig | None, settings: Settings) -> None:
    """The button that estimates; it says why where it cannot."""
    process = _process()
    going = process is not None and process.running
    taken = device.work(settings) if not going and device.is_taken(settings) else None
    st.button(
        "Estimate time and memory",
        key="estimate",
        disabled=config is None or going or taken is not None,
        on_click=_start,
        help=f"The device is busy {escape_markdown(str(taken))}; wait until it is free."
        if taken is not None
        else "Runs three training steps, keeps nothing, and gives time, memory and the share of truncated examples.",
    )


def progress() -> None:
    """The progress of the estimate, drawn again every second while it runs; why it failed, if it did."""
    process = _process()
    if process is None:
        return
    if not process.running:
        if process.failure:
            notices.notice("Time and memory could not be estimated.", process.failure, bad=True)
        return

    @st.fragment(run_every=EVERY_SECONDS)
    def refreshing() -> None:
        if not process.running:
            st.rerun()
        last = process.progress[-1] if process.progress else "starting"
        notices.notice("Estimating time and memory.", f"Now: {last}. You can change settings meanwhile.")
        st.button("Cancel", key="cancel estimate", on_click=process.cancel)

    refreshing()


def _start() -> None:
    settings = Settings.from_environment()
    config = fields.startable(settings)
    if config is None:
        return
    try:
        st.session_state[KEY] = EstimateProcess(config, settings)
    except MedQAError as error:
        st.session_state[KEY] = None
        flash(str(error), bad=True)


def _process() -> EstimateProcess | None:
    value = st.session_state.get(KEY)
    return value if isinstance(value, EstimateProcess) else None
