"""A run that has ended: how, the estimate beside what it took, and where to look next."""

import streamlit as st

from medqa_core.foundation.format import NOT_STATED, count, duration
from medqa_core.jobs import watch
from medqa_core.jobs.diagnosis import diagnose
from medqa_core.jobs.queue import RESUMABLE
from medqa_core.report.facts import Facts
from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from pages.fine_tune import fields
from pages.fine_tune.cost import GIB, span
from pages.fine_tune.run import heading, log_of, settings_of
from pages.shared import notices, reuse, tables, tasks
from pages.shared.flash import flash
from pages.shared.markup import note
from pages.shared.resume import resume_button
from pages.shared.standing import standing


def after(run: Run, *, public: bool) -> None:
    """How the run ended, the estimate beside what it took, and where to look next."""
    heading(run)
    state = run.state()
    if state == "completed":
        facts = Facts.of(run)
        unevaluated = facts.evaluation is None
        judged = "Not evaluated yet." if unevaluated and not facts.evaluation_problem else sentence(facts)
        notices.notice(_outcome_sentence(watch.outcome(run)), judged)
        if unevaluated:
            tasks.offer("evaluate", run.id, primary=True)
        _estimate_and_actual(watch.outcome(run))
    else:
        standing(run.snapshot(), buttons=False)
    if not public:
        _again_buttons(run)
    _next(run)
    settings_of(run, public=public)
    if state != "completed" and not public:
        log_of(run)


def is_of_interest(run: Run, *, alone: bool) -> bool:
    """Whether the page has something to say about a run that is not being worked on.

    `alone`: nothing else is; a completed run is then worth showing.
    """
    if run.record.kind != "finetune":
        return False
    return run.state() != "completed" or (alone and read_job(run.folder).value is not None)


def _again_buttons(run: Run) -> None:
    """Resume it, or start a new run with its settings, changed where it failed because of them."""
    found, config = diagnose(run), run.record.config
    with st.container(horizontal=True, gap="small"):
        if run.state() in RESUMABLE and (found is None or found.resumable):
            resume_button(run)
        suggested = found.suggested if found is not None else None
        if suggested is not None and suggested != config:
            st.button("Use suggested settings", key=f"suggested {run.id}", on_click=_copy, args=(suggested,))
        if config is not None:
            st.button("Reuse these settings", key=f"copy {run.id}", on_click=_copy, args=(config,))


def _outcome_sentence(found: watch.Outcome) -> str:
    if found.seconds is None:
        return "Completed."
    completed = f"Completed in {duration(found.seconds)}"
    if found.estimate is None:
        return f"{completed} (no estimate was made)."
    estimate = span(found.estimate.train_seconds)
    return (
        f"{completed}, as estimated ({estimate})." if found.in_range else f"{completed}; the estimate was {estimate}."
    )


def _estimate_and_actual(found: watch.Outcome) -> None:
    estimate = found.estimate
    if estimate is None:
        return
    time = f"{duration(estimate.train_seconds.middle)} ({span(estimate.train_seconds)})"
    speed = f"{count(round(found.tokens_per_second))} tokens/s" if found.tokens_per_second else NOT_STATED
    rows = [
        ["Time", time, duration(found.seconds)],
        ["Speed", f"{count(round(estimate.tokens_per_second))} tokens/s", speed],
        ["Memory", f"{estimate.memory / GIB:.1f} GiB", f"{found.memory / GIB:.1f} GiB" if found.memory else NOT_STATED],
    ]
    columns = [tables.Column("figure", "fit"), tables.Column("estimated"), tables.Column("actual")]
    tables.table(columns, rows, caption="The estimate from a few steps, and the whole training.")
    note("The actual speed includes validations; the estimated one is that of the measured steps.")


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
    fields.fill(reuse.for_a_new_run(config))
    flash("The form below now has these settings.")
