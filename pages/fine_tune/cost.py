"""What a fine-tune will cost: counted where that is cheap, measured on three of its steps where it is asked for."""

from html import escape

import streamlit as st

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import count, duration, percent
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import device
from medqa_core.jobs.measure import Measurement
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.estimate import Estimate, Range
from pages.fine_tune import fields
from pages.fine_tune.flash import say
from pages.shared import notices
from pages.shared.markup import html, note

KEY = "fine-tune measurement"
EVERY_SECONDS = 1.0
GIB = 2**30


def found(config: TrainConfig, settings: Settings) -> Estimate | None:
    """What this session measured for this very configuration."""
    measurement = _measurement()
    return measurement.estimate if measurement and measurement.fits(config, settings) else None


def figures(config: TrainConfig, examples: int | None, steps: int | None, measured: Estimate | None) -> None:
    """The plan in four figures."""
    batch = f"{count(config.batch_size)} × {count(config.gradient_accumulation_steps)}"
    of = f"of {count(examples)} training examples" if examples else "as many examples as the split leaves"
    cells = [
        ("Effective batch", "examples a step", count(config.effective_batch), batch),
        ("Steps", of, count(steps) if steps else "known once measured", f"{config.epochs:g} × the training set"),
    ]
    if measured is None:
        cells += [("Time", "training alone", "not measured", ""), ("Memory", "at its peak", "not measured", "")]
    else:
        seconds, total = measured.train_seconds, measured.memory_total / GIB
        cells += [
            ("Time", f"training alone, on {measured.device}", duration(seconds.middle), span(seconds)),
            ("Memory", "at its peak", f"{measured.memory / GIB:.1f} GiB", f"of {total:.1f} GiB"),
        ]
    strip(cells)
    if measured is not None:
        note(
            f"{percent(measured.truncated_share)} of the training examples are longer than {count(config.max_tokens)} "
            f"tokens: the model does not see their end. {count(measured.tokens)} tokens in all, "
            f"{count(round(measured.tokens_per_second))} a second over {measured.measured_steps} measured steps."
        )


def span(seconds: Range) -> str:
    """A range of time: `10 min to 12 min`, or one figure where both ends read the same."""
    return " to ".join(dict.fromkeys((duration(seconds.low), duration(seconds.high))))


def strip(cells: list[tuple[str, str, str, str]]) -> None:
    """Four figures in a row: name, what of, value, a line below."""
    html(
        '<dl class="mq-figures">'
        + "".join(
            f"<div><dt>{escape(name)} <span>{escape(what)}</span></dt>"
            f'<dd class="{"mq-pair" if any(c.isdigit() for c in value) else "mq-muted"}">{escape(value)}</dd>'
            f'<dd class="mq-muted">{escape(below)}</dd></div>'
            for name, what, value, below in cells
        )
        + "</dl>"
    )


def button(config: TrainConfig | None, settings: Settings) -> None:
    """The button that measures; it says why where it cannot."""
    measurement = _measurement()
    going = measurement is not None and measurement.running
    busy = not going and device.is_taken(settings)
    st.button(
        "Measure three steps",
        key="measure",
        disabled=config is None or going or busy,
        on_click=_start,
        help="The device is busy with a fine-tune; wait until it is free."
        if busy
        else "Loads model and data and does three steps; nothing is kept. Gives time, memory and the truncated share.",
    )


def progress() -> None:
    """How far the measurement is, drawn again every second while it goes on; why it failed, if it did."""
    measurement = _measurement()
    if measurement is None:
        return
    if not measurement.running:
        if measurement.failure:
            notices.notice("The three steps could not be measured.", measurement.failure, bad=True)
        return

    @st.fragment(run_every=EVERY_SECONDS)
    def refreshing() -> None:
        if not measurement.running:
            st.rerun()
        last = measurement.said[-1] if measurement.said else "starting"
        notices.notice("Measuring three steps.", f"Now: {last}. Your settings can be changed meanwhile.")
        st.button("Cancel", key="cancel measurement", on_click=measurement.cancel)

    refreshing()


def _start() -> None:
    settings = Settings.from_environment()
    config = fields.startable(settings)
    if config is None:
        return
    try:
        st.session_state[KEY] = Measurement(config, settings)
    except MedQAError as error:
        st.session_state[KEY] = None
        say(str(error), bad=True)


def _measurement() -> Measurement | None:
    value = st.session_state.get(KEY)
    return value if isinstance(value, Measurement) else None
