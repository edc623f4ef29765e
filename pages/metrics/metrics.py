"""Metrics: how large is the difference, metric by metric?"""

from medqa_core.report.facts import Facts
from medqa_core.runs.snapshot import RunSnapshot
from pages.metrics import answers, judge, mmlu, overall, slices, votes, with_sources
from pages.shared import live, notices, run_picker
from pages.shared.verdict_line import verdict_line

run = run_picker.opened()


def metrics(snapshot: RunSnapshot) -> None:
    """The sentence, the table, the intervals; below: single questions, copies, slices, MMLU, passages, votes."""
    facts = Facts.of(snapshot)
    verdict_line(facts)
    overall.overall(facts)
    overall.against_controls(facts)
    slices.slices(facts)
    answers.improvements(facts)
    answers.copied(facts)
    answers.nothing_by_question(facts)
    mmlu.mmlu(facts)
    with_sources.with_sources(facts)
    votes.votes(facts)
    judge.judge(facts)
    overall.how_measured(facts)
    notices.problems(facts.problems)


live.follow(run, metrics)
