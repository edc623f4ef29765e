"""Metrics: how large is the difference, metric by metric?"""

from medqa_core.report.facts import Facts
from pages.parts import metric_section, run_picker, states
from pages.parts.markup import answer

run = run_picker.head("How large is the difference?")


def metrics() -> None:
    """The sentence, the table, the intervals; MMLU and question types below."""
    facts = Facts.of(run)
    answer(states.verdict_sentence(facts))
    metric_section.overall(facts)
    metric_section.mmlu(facts)
    metric_section.by_question_type(facts)
    metric_section.how_measured(facts)
    states.problems(facts.problems)


states.watch(run, metrics)
