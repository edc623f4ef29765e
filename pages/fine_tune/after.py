"""After: how a run ended, what was foreseen and what came of it, and where to look next."""

import streamlit as st

from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.format import NOT_STATED, count, duration
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import launch, watch
from medqa_core.jobs.diagnosis import diagnose
from medqa_core.jobs.job import read_job
from medqa_core.jobs.queue import RESUMABLE, enqueue
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from pages.fine_tune import fields
from pages.fine_tune.cost import GIB, span
from pages.fine_tune.flash import say
from pages.fine_tune.run import heading, log_of, settings_of
from pages.shared import notices, tables
from pages.shared.markup import note
from pages.shared.store import store


def after(run: Run, *, public: bool) -> None:
    """A run that has ended: how, what was foreseen and what came of it, and where to look next."""
    heading(run)
    state = run.state()
    if state == "completed":
        unmeasured = run.evaluation() is None
        notices.notice(
            _outcome_in_words(watch.outcome(run)),
            "It has not been evaluated. To measure base and fine-tuned model on the test questions:"
            if unmeasured
            else "",
            command=f"python -m medqa_core evaluate {run.id}" if unmeasured else None,
        )
        _predicted_and_actual(watch.outcome(run))
    else:
        notices.standing(run.snapshot())
    if not public:
        _again_buttons(run)
    _next(run)
    settings_of(run)
    if state != "completed" and not public:
        log_of(run)


def is_of_interest(run: Run, *, alone: bool) -> bool:
    """Whether the page has something to say about a run that is not being worked on.

    `alone`: nothing else is; a run that came to its end as foreseen is then worth a look back.
    """
    if run.record.kind != "finetune":
        return False
    return run.state() != "completed" or (alone and read_job(run) is not None)


def _again_buttons(run: Run) -> None:
    """Go on with it, or take its settings, mended where it failed on them, for a new one."""
    found, config = diagnose(run), run.record.config
    with st.container(horizontal=True, gap="small"):
        if run.state() in RESUMABLE and (found is None or found.resume):
            st.button("Resume", key=f"resume {run.id}", type="primary", on_click=_resume, args=(run.id,))
        mended = found.fresh if found is not None and found.fresh is not None else None
        if mended is not None and mended != config:
            st.button("Put mended settings into the form", key=f"mend {run.id}", on_click=_copy, args=(mended,))
        if config is not None:
            st.button("Copy its settings to the form", key=f"copy {run.id}", on_click=_copy, args=(config,))


def _outcome_in_words(found: watch.Outcome) -> str:
    if found.seconds is None:
        return "It is complete."
    took = f"It is complete: training took {duration(found.seconds)}"
    if found.estimate is None:
        return f"{took}. Nothing was measured beforehand."
    foreseen = span(found.estimate.train_seconds)
    return f"{took}, as predicted ({foreseen})." if found.in_range else f"{took}; predicted was {foreseen}."


def _predicted_and_actual(found: watch.Outcome) -> None:
    plan = found.estimate
    if plan is None:
        return
    time = f"{duration(plan.train_seconds.middle)} ({span(plan.train_seconds)})"
    speed = f"{count(round(found.tokens_per_second))} tokens/s" if found.tokens_per_second else NOT_STATED
    rows = [
        ["Time", time, duration(found.seconds)],
        ["Speed", f"{count(round(plan.tokens_per_second))} tokens/s", speed],
        ["Memory", f"{plan.memory / GIB:.1f} GiB", f"{found.memory / GIB:.1f} GiB" if found.memory else NOT_STATED],
    ]
    columns = [tables.Column("", "fit"), tables.Column("predicted"), tables.Column("actual")]
    tables.table(columns, rows, caption="What was predicted from three steps, and what came of it.")
    note("Actual speed counts the validations in; the predicted one is that of the measured steps.")


def _next(run: Run) -> None:
    """The pages that answer what people ask next."""
    if run.metrics_log().empty and run.evaluation() is None:
        return
    pages = {"summary": "Did it help?", "loss_curves": "How did training go?", "ask": "What does it answer?"}
    with st.container(horizontal=True, gap="medium"):
        for page, question in pages.items():
            if page != "ask" or run.weights_file() is not None:
                # The run is the picked one, which the address carries from page to page.
                st.page_link(f"{page}/{page}.py", label=question, icon=":material/arrow_forward:")


def _copy(config: TrainConfig) -> None:
    fields.fill(config)
    say("The form below has these settings now.")


def _resume(run_id: str) -> None:
    settings = Settings.from_environment()
    if settings.public:
        return
    try:
        enqueue(store().open(run_id), settings)
        launch.advance(settings)
    except MedQAError as error:
        say(str(error), bad=True)
