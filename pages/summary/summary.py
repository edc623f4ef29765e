"""Summary: did fine-tuning help?"""

import streamlit as st

from medqa_core.report.facts import Facts
from medqa_core.report.headline import limits_line
from medqa_core.report.insights import insights
from medqa_core.runs.snapshot import RunSnapshot
from pages.shared import live, notices, run_picker
from pages.shared.loss_section import small_curve
from pages.shared.markup import note
from pages.shared.verdict_line import verdict_line
from pages.summary import figures_strip, full_report
from pages.summary.findings import findings

run = run_picker.head("Did fine-tuning help?")


def overview(snapshot: RunSnapshot) -> None:
    """The answer, the four figures, the curve and what the data show: all that changes while a run goes on."""
    now = Facts.of(snapshot)
    verdict_line(now)
    figures_strip.show(now)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        small_curve(now)
    with right:
        findings("What the data show", insights(now)[:3])
    note(limits_line(now))


facts = Facts.of(live.follow(run, overview))
notices.problems(facts.problems)
full_report.downloads(run)
full_report.sections(facts)
