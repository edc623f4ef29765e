"""What the data of a run show, what limits it, and what to do next: all the rules, in the order of their weight."""

from medqa_core.report.facts import Facts
from medqa_core.report.rules import (
    answers,
    clean,
    copying,
    curve,
    length,
    letters,
    limits,
    metrics,
    remedies,
    repetition,
    source,
)
from medqa_core.report.rules.insight import Insight, Rule, apply
from medqa_core.runs.run import Run

__all__ = ["Insight", "insights", "limitations", "next_steps"]

FINDINGS: tuple[Rule, ...] = (
    curve.non_finite,
    metrics.primary_verdict,
    clean.clean_subset,
    curve.kind_of_training,
    curve.validation_trend,
    curve.evaluation_sets,
    metrics.where_the_gain_is,
    metrics.other_verdicts,
    curve.training_fell,
    curve.gap,
    curve.early_best,
    length.length_moved,
    length.length_alone,
    copying.copied,
    repetition.repeats,
    answers.empty_answers,
    answers.flips,
    answers.identical_answers,
    answers.training_overlap,
    letters.letter_bias,
    source.checks,
)


def insights(run: Run | Facts) -> list[Insight]:
    """What the run's data show, the weightiest first."""
    return apply(FINDINGS, Facts.of(run))


def limitations(run: Run | Facts) -> list[Insight]:
    """What limits the run, as its data say; the last one always holds."""
    return apply(limits.RULES, Facts.of(run))


def next_steps(run: Run | Facts) -> list[Insight]:
    """What to do next, each step derived from what limits the run."""
    return apply(remedies.RULES, Facts.of(run))
