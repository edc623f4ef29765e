"""Metrics: how large is the difference, metric by metric?"""

from medqa_core.report.facts import Facts
from pages.parts import (
    metric_answers,
    metric_grounded,
    metric_mmlu,
    metric_section,
    metric_slices,
    metric_votes,
    run_picker,
    states,
)
from pages.parts.verdict_line import verdict_line

run = run_picker.head("How large is the difference?")


def metrics() -> None:
    """The sentence, the table, the intervals; below: single questions, copies, slices, MMLU, passages, votes."""
    facts = Facts.of(run)
    verdict_line(facts)
    metric_section.overall(facts)
    metric_slices.slices(facts)
    metric_answers.won_and_lost(facts)
    metric_answers.copied(facts)
    metric_answers.nothing_by_question(facts)
    metric_mmlu.mmlu(facts)
    metric_grounded.grounded(facts)
    metric_votes.votes(facts)
    metric_section.how_measured(facts)
    states.problems(facts.problems)


states.watch(run, metrics)
