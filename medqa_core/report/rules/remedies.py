"""What to do next: each step is derived from something that the run shows or lacks."""

import math
from collections.abc import Iterator

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.format import percent, plural, words
from medqa_core.report.facts import Facts, Points
from medqa_core.report.rules import curve, larger, limits, measures
from medqa_core.report.rules.answers import overlap_shares
from medqa_core.report.rules.insight import Insight, Rule
from medqa_core.report.views.metric import MetricView
from medqa_core.report.wording.metric import change_text, size_text

CUT_SHARE = 0.05
"""Share of truncated examples from which a larger limit is worth its price."""
MOST_MORE = 100
"""A test set would have to grow by less than this factor for its growth to be proposed."""

MMLU_QUESTIONS = 1089
"""As many as the six medical subsets hold: a larger test cannot be asked for."""


def finish(facts: Facts) -> Iterator[Insight]:
    """The run did not finish."""
    for found in limits.not_finished(facts):
        yield _step("finish", "Let the run finish, or start it again, before its figures are compared.", found)


def repair_loss(facts: Facts) -> Iterator[Insight]:
    """The loss was not a number."""
    for found in list(curve.non_finite(facts))[:1]:
        yield _step("repair_loss", "Repeat with a lower learning rate: the loss stopped being a number.", found)


def evaluate(facts: Facts) -> Iterator[Insight]:
    """The run has no evaluation."""
    for found in measures.no_evaluation(facts):
        how = "Evaluate it" if facts.evaluation_problem is None else "Evaluate it again"
        yield _step("evaluate", f"{how}: `{PROGRAM} evaluate {facts.run.id}`.", found)


def measure_base(facts: Facts) -> Iterator[Insight]:
    """There are no base figures."""
    for found in measures.no_base_figures(facts):
        yield _step("measure_base", "Measure the base model on the same test questions.", found)


def length_of_training(facts: Facts) -> Iterator[Insight]:
    """Train longer where validation loss still fell, shorter where it rose, otherwise where it did not fall."""
    points = Points.of(facts.metrics_log.validation)
    for found in curve.validation_trend(facts):
        if found.kind == "kept_falling":
            yield _step("train_longer", "Train longer: validation loss was still falling when training ended.", found)
        elif found.kind == "overfitting":
            step = points.step(points.best)
            yield _step(
                "stop_earlier", f"Stop near step {step:,}, or add training data: validation loss rose after it.", found
            )
        elif found.kind == "unstable":
            yield _step("learning_rate", "Repeat with a lower learning rate: training and validation loss rose.", found)
        elif found.kind in ("did_not_fall", "rose"):
            yield _step("learning_rate", "Try another learning rate: validation loss did not come down.", found)


def larger_test(facts: Facts) -> Iterator[Insight]:
    """A metric cannot tell, and a test set of a size within reach would settle it: a difference that matters, or
    where the file does not say which does, one as large as the measured one."""
    limits_by_metric = {found.subject: found for found in measures.cannot_tell(facts)}
    for metric in measures.unclear(facts):
        needed = _needed(metric)
        if not metric.n or needed is None or not metric.n < needed < MOST_MORE * metric.n:
            continue
        if metric.name == "mmlu" and needed > MMLU_QUESTIONS:
            continue
        size = f"a difference as large as the measured one ({change_text(metric)})"
        if metric.margin:
            size = f"a difference of {size_text(metric.name, metric.margin)}, the smallest that matters here"
        yield _step(
            "larger_test",
            f"To settle {metric.label}, test on about {plural(needed, 'question')} in place of {metric.n:,}: "
            f"that many would show {size}.",
            limits_by_metric[metric.name],
            subject=metric.name,
        )


def _needed(metric: MetricView) -> int | None:
    """Questions that would show a difference of the margin, or without one a difference as large as the measured."""
    if not metric.n or not metric.min_detectable_effect:
        return None
    if metric.required_n and metric.margin:
        return metric.required_n
    if metric.difference and metric.margin is None:
        return math.ceil(metric.n * (metric.min_detectable_effect / metric.difference) ** 2 / 10) * 10
    return None


def run_mmlu(facts: Facts) -> Iterator[Insight]:
    """There is no MMLU result."""
    if not facts.imported:
        for found in measures.no_mmlu(facts):
            yield _step("run_mmlu", f"Run MMLU: `{PROGRAM} mmlu {facts.run.id}`.", found)


def larger_model(facts: Facts) -> Iterator[Insight]:
    """MMLU is not significantly above chance; larger models that fit the machine are named, where its size is known."""
    for found in measures.at_chance(facts):
        if found.kind != "mmlu_at_chance":
            continue
        sentence = "To ask about medical knowledge, use a base model that answers MMLU above chance."
        yield _step("larger_model", sentence + larger.that_fit(facts), found)


def raise_limit(facts: Facts) -> Iterator[Insight]:
    """Many training examples were truncated."""
    data = facts.record.data
    if data is not None and data.truncated_share is not None and data.truncated_share >= CUT_SHARE:
        for found in limits.truncated(facts):
            yield _step(
                "raise_limit",
                f"Raise the token limit, or split long answers: {percent(data.truncated_share)} of the training "
                "examples were truncated.",
                found,
            )


def remove_overlap(facts: Facts) -> Iterator[Insight]:
    """Test references share text with the training answers."""
    shares = overlap_shares(facts)
    some = int((shares > 0).sum())
    if some and not (facts.evaluation and facts.evaluation.clean):  # else they are in the write-up already
        yield Insight(
            "remove_overlap",
            f"Look at the figures without the {plural(some, 'test question')} whose reference overlaps with training.",
            (f"predictions.parquet, column train_overlap: {some:,} of {len(shares):,} above zero",),
            percent(some / len(shares)),
            "no row had a train_overlap above zero",
        )


def real_data(facts: Facts) -> Iterator[Insight]:
    """The data are the starter set."""
    for found in limits.starter_text(facts):
        yield _step("real_data", "Repeat on MedQuAD with the preset `medquad-cpu`.", found)


def other_seed(facts: Facts) -> Iterator[Insight]:
    """Only one seed was tried."""
    config = facts.record.config
    if config is not None:
        for found in limits.one_seed(facts):
            what = f"Repeat with two or more other seeds: `{PROGRAM} runs compare` then says how far the figures move."
            yield _step("other_seed", what, found)


def ask_source(facts: Facts) -> Iterator[Insight]:
    """The source of an imported run leaves things out, or its figures disagree."""
    for found in limits.left_out(facts):
        yield _step("ask_source", "Ask the source for what it leaves out, or repeat the run here.", found)
    for check in facts.record.imported.checks if facts.record.imported else []:
        if check.passed is False:
            yield Insight(
                "ask_about_check",
                f"Ask the source about the figures that disagree: {words(check.name)}.",
                (f"run.json, imported.checks: {words(check.detail)}",),
                words(check.detail),
                "the reported figures did agree",
            )


def _step(kind: str, sentence: str, found: Insight, subject: str = "") -> Insight:
    """A step that rests on a finding and falls with it."""
    return Insight(kind, sentence, found.evidence, found.effect, found.false_if, subject)


RULES: tuple[Rule, ...] = (
    finish,
    repair_loss,
    evaluate,
    measure_base,
    length_of_training,
    larger_test,
    raise_limit,
    remove_overlap,
    run_mmlu,
    larger_model,
    real_data,
    ask_source,
    other_seed,
)
