"""Summary: did fine-tuning help?"""

import streamlit as st

from medqa_core.report.facts import Facts
from medqa_core.report.headline import limits_line
from medqa_core.report.insights import insights
from pages.parts import figures_strip, run_picker, states, write_up
from pages.parts.findings import findings
from pages.parts.loss_section import small_curve
from pages.parts.markup import note
from pages.parts.verdict_line import verdict_line

run = run_picker.head("Did fine-tuning help?")
read: list[Facts] = []  # the newest reading: made by what is refreshed, and the rest of the page goes by it too


def overview() -> None:
    """The answer, the four figures, the curve and what the data show: all that changes while a run goes on."""
    now = Facts.of(run)
    read[:] = [now]
    verdict_line(now)
    figures_strip.show(now)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        small_curve(now)
    with right:
        findings("What the data show", insights(now)[:3])
    note(limits_line(now))


states.watch(run, overview)
states.problems(read[0].problems)
write_up.downloads(run)
write_up.sections(read[0])
