"""Metrics: how large is the difference, metric by metric?"""

import streamlit as st

from medqa_core.report.facts import Facts
from medqa_core.report.verdict import sentence
from pages.parts import metric_section, run_picker, states
from pages.parts.markup import answer, eyebrow

run = run_picker.selected()
eyebrow(run_picker.title_line(run))
st.title("How large is the difference?", anchor=False)


def metrics() -> None:
    """The sentence, the table, the intervals; MMLU and question types below."""
    facts = Facts.of(run)
    answer(sentence(facts))
    metric_section.overall(facts)
    metric_section.mmlu(facts)
    metric_section.by_question_type(facts)
    metric_section.how_measured(facts)
    states.problems(facts.problems)


states.watch(run, metrics)
