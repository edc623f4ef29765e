"""What limits the measurements: metrics that cannot tell, MMLU at chance, figures that are absent."""

from collections.abc import Iterator

from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.format import p_value, percent, plural, words
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS, verdict_mark
from medqa_core.report.rules.insight import Insight, Rule
from medqa_core.report.views.chance import accuracy
from medqa_core.report.views.metric import MetricView, whole
from medqa_core.report.wording.metric import change_text, detectable, required
from medqa_core.runs.artifacts.mmlu import CHANCE
from medqa_core.runs.schema.evaluation import ROUGE


def no_evaluation(facts: Facts) -> Iterator[Insight]:
    """No figures on the test questions, or none that can be read."""
    if facts.imported:
        return
    if facts.evaluation_problem is not None:
        yield Insight(
            "unreadable_evaluation",
            "The evaluation of the run cannot be read: there are no figures on the test questions.",
            (facts.evaluation_problem,),
            "0 metrics",
            "evaluation.json could be read",
        )
    elif not any(name != "mmlu" for name, _ in facts.metrics):
        yield Insight(
            "no_evaluation",
            "The run has not been evaluated: there are no figures on the test questions.",
            ("evaluation.json: none that can be read",),
            "0 metrics",
            "the run had an evaluation.json with metrics",
        )


def no_base_figures(facts: Facts) -> Iterator[Insight]:
    """Figures of the fine-tuned model alone."""
    if any(metric.compared for metric in whole(facts).values()) or not (facts.metrics or facts.imported):
        return
    yield Insight(
        "no_base_figures",
        "There are no figures of the base model, so what fine-tuning changed is not known.",
        ("run.json, imported" if facts.imported else "evaluation.json, metrics: none with both models",),
        "0 metrics compared",
        "base figures on the same questions were there",
    )


def cannot_tell(facts: Facts) -> Iterator[Insight]:
    """Compared metrics whose difference cannot be told from none, with what could have been told."""
    for metric in unclear(facts):
        sentence = f"Whether {metric.label} changed is inconclusive"
        sentence += f": {change_text(metric)}" if metric.difference is not None else ""
        if metric.reason:
            sentence += f" ({words(metric.reason)})"
        fine = [text for text in (detectable(metric), required(metric)) if text]
        sentence += "; ".join(["", *fine]) + "."
        if metric.stated != "cannot tell":
            sentence += f" The file says “{verdict_mark(metric.stated)}”, which its own numbers do not support."
        yield Insight(
            "cannot_tell",
            sentence,
            (f"evaluation.json, metrics, {metric.name}" + (f": {p_value(metric.p)}" if metric.p is not None else ""),),
            change_text(metric),
            "the interval of the difference excluded zero",
            subject=metric.name,
        )


def older_rule(facts: Facts) -> Iterator[Insight]:
    """The verdicts are an older rule's, whose intervals were narrower and whose parts were judged by themselves."""
    from medqa_core.evaluation.rule import VERSION  # brings scipy, which the first words of a page can do without

    said = facts.evaluation.rule if facts.evaluation is not None else None
    if facts.imported or facts.evaluation is None or not facts.metrics or (said or 0) >= VERSION:
        return
    version = "an older rule" if said is None else f"version {said} of the rule"
    yield Insight(
        "older_rule",
        f"Its verdicts were made by {version}; the present one, version {VERSION}, is stricter: `{PROGRAM} evaluate "
        f"{facts.run.id}` judges again.",
        (f"evaluation.json, rule: {'not stated' if said is None else said}",),
        f"{VERSION - (said or 0)} versions behind" if said else "version not stated",
        f"evaluation.json named version {VERSION} of the rule",
    )


def no_mmlu(facts: Facts) -> Iterator[Insight]:
    """Medical knowledge was not tested."""
    metric = facts.metric("mmlu")
    stated = facts.record.imported is not None and "mmlu" in facts.record.imported.figures
    if facts.mmlu is not None or stated or (metric is not None and metric.fine_tuned is not None):
        return
    yield Insight(
        "no_mmlu",
        "There is no MMLU result, so nothing is known about a change in medical knowledge.",
        ("mmlu_results/results.json: none that can be read",),
        "0 subsets",
        "the run held MMLU results",
    )


def at_chance(facts: Facts) -> Iterator[Insight]:
    """The fine-tuned model's MMLU accuracy is not significantly above chance."""
    tuned, base = accuracy(facts, "fine_tuned"), accuracy(facts, "base")
    if tuned is None or tuned.above:
        return
    what = f"MMLU accuracy, {percent(tuned.share)} of {plural(tuned.n, 'question')}"
    chance = percent(tuned.chance, 0)
    if chance != percent(CHANCE, 0):
        chance += " with the same choices"
    fell = base is not None and base.above
    sentence = f"{what}, is not significantly above chance ({chance}): it says nothing about medical knowledge."
    if fell and base is not None:
        sentence = (
            f"{what}, is not significantly above chance ({chance}), and the base model’s {percent(base.share)} is: "
            "fine-tuning took away what the base model knew, or how to answer such questions."
        )
    yield Insight(
        "mmlu_fell_to_chance" if fell else "mmlu_at_chance",
        sentence,
        (f"MMLU: {percent(tuned.share)} of {tuned.n:,}, exact binomial test {p_value(tuned.p)}",),
        f"{percent(tuned.share)} against {chance}",
        f"accuracy was above {chance} at p ≤ 0.025",
    )


def no_predictions(facts: Facts) -> Iterator[Insight]:
    """No row a question, so no figure can be traced to answers."""
    if facts.predictions is None:
        yield Insight(
            "no_predictions",
            "There are no data by question, so no figure here can be traced to the answers behind it.",
            ("predictions.parquet: none that can be read",),
            "0 rows",
            "the run held a predictions.parquet with rows",
        )


def rouge_is_overlap(facts: Facts) -> Iterator[Insight]:
    """A ROUGE figure is there."""
    said = facts.record.imported.figures if facts.record.imported else {}
    names = [n for n in ROUGE if n in said or any(n == name for name, _ in facts.metrics)]
    if names:
        yield Insight(
            "rouge_is_overlap",
            "ROUGE measures the overlap of words with a reference answer and not whether an answer is correct.",
            tuple(f"figure: {METRICS[name].label}" for name in names),
            plural(len(names), "ROUGE figure"),
            "the run held no ROUGE figure",
        )


def unclear(facts: Facts) -> list[MetricView]:
    """The compared metrics on which the evaluation cannot tell."""
    return [metric for metric in whole(facts).values() if metric.compared and metric.verdict == "cannot tell"]


MEASURES: tuple[Rule, ...] = (
    no_evaluation,
    no_base_figures,
    cannot_tell,
    older_rule,
    no_mmlu,
    at_chance,
    no_predictions,
    rouge_is_overlap,
)
