"""Summary: did fine-tuning help?"""

import streamlit as st

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.task import Kind
from medqa_core.report.document.write_up import FEW, write_up
from medqa_core.report.facts import Facts
from medqa_core.report.insights import Insight, insights, limitations, next_steps
from medqa_core.report.views.examples import examples
from medqa_core.report.wording.headline import limits_line
from medqa_core.runs.snapshot import RunSnapshot
from pages.shared import charts, document, live, notices, run_picker, tasks
from pages.shared.loss_section import small_curve
from pages.shared.markup import html, note
from pages.shared.verdict_line import verdict_line
from pages.summary import figures_strip, full_report, two_answers

run = run_picker.opened()
SAID = "verdict"
"""Findings of this kind repeat what the verdict and the figures above them say."""
OFFERED: dict[str, Kind] = {"evaluate": "evaluate", "older_rule": "evaluate", "run_mmlu": "mmlu"}
"""What the command does that an insight of this kind names."""


def overview(snapshot: RunSnapshot) -> None:
    """The answer, the four figures, the curve and the key findings: all that changes while a run goes on."""
    now = Facts.of(snapshot)
    verdict_line(now)
    limits = limitations(now)
    offered = [one for one in [*limits, *next_steps(now)] if one.kind in OFFERED]
    if now.evaluation is None:
        measurements(now, offered)
    figures_strip.show(now)
    left, right = st.columns([3, 2], gap="medium")
    with left:
        small_curve(now)
    with right:
        key_findings([one for one in insights(now) if one.kind != SAID][:FEW])
    note(limits_line(limits))
    if now.evaluation is not None:
        measurements(now, offered)


def measurements(now: Facts, found: list[Insight]) -> None:
    """What the limits and next steps name a command for, as buttons; where there is no model to measure, nothing."""
    if not found or now.in_progress or not now.snapshot.has_model or Settings.from_environment().public:
        return
    kinds = {OFFERED[one.kind] for one in found}
    if now.evaluation_problem is not None:
        kinds = {"evaluate"}  # MMLU's figures could not be written into a file that cannot be read
    with st.container(horizontal=True, gap="small", key="measurements"):
        for kind in sorted(kinds):
            tasks.offer(kind, now.run.id, primary=kind == "evaluate")


def key_findings(found: list[Insight]) -> None:
    """The weightiest findings with the rows they rest on."""
    none = '<p class="mq-note">Nothing beyond the verdict that the data of this run support.</p>'
    html("<h2>Key findings</h2>" + ("".join(document.finding(one) for one in found) or none))


facts = Facts.of(live.follow(run, overview))
notices.problems(facts.problems)
found = examples(facts)
answers = None if found is None else charts.place("two-answers")
full_report.downloads(run)
full_report.sections(write_up(facts))
if found is not None and answers is not None:
    with answers:  # last: reading a data set takes seconds
        two_answers.show(run, found)
