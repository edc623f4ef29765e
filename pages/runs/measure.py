"""What can be measured of one run, each as a button that queues it."""

import streamlit as st

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.queue import RESUMABLE
from medqa_core.jobs.task import Kind
from medqa_core.runs.run import Run
from pages.shared import tasks
from pages.shared.markup import escape_markdown
from pages.shared.resume import resume_button

KINDS: tuple[Kind, ...] = ("evaluate", "mmlu", "with_sources", "retrieval", "int8")


def popover(run: Run | None) -> None:
    """The popover; empty and disabled where not one run is ticked."""
    with st.popover("Measure", disabled=run is None):
        if run is not None:
            _buttons(run)


def _buttons(run: Run) -> None:
    if run.record.kind == "finetune" and run.state() in RESUMABLE:
        resume_button(run)
    if run.weights_file() is None:
        st.caption("This run holds no fine-tuned model: there is nothing to measure.")
        return
    for kind in KINDS:
        words = tasks.WORDING[kind]
        st.button(
            words.button,
            key=f"measure {kind}",
            help=words.help,
            width="stretch",
            on_click=tasks.queue,
            args=(kind, run.id),
        )
    _judge(run)


def _judge(run: Run) -> None:
    judge = tasks.judge_button(Settings.from_environment())
    if judge is None:
        st.caption("A judge model can be asked where `MEDQA_JUDGE` names one.")
        return
    if judge.sends:
        st.caption(escape_markdown(judge.sends))
    st.button(
        judge.label,
        key="measure judge",
        width="stretch",
        on_click=tasks.queue,
        args=("judge", run.id, judge.arguments),
    )
