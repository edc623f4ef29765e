"""Did fine-tuning help? The answer that evaluation.json supports, in one or two sentences."""

import math

from medqa_core.foundation.format import capital, count, general, interval, listing, number, percent, plural
from medqa_core.report import precision
from medqa_core.report.facts import Facts
from medqa_core.report.names import FAMILIES, METRICS, Spec, plainly
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation, Metric, Verdict

__all__ = [
    "METRICS",
    "Spec",
    "change_text",
    "figures_line",
    "is_compared",
    "sentence",
    "supported",
    "value_text",
    "values_text",
]


def sentence(run: Run | Facts) -> str:
    """The plain answer with its uncertainty."""
    facts = Facts.of(run)
    evaluation = facts.evaluation
    if evaluation is None or not any(m.base is not None or m.fine_tuned is not None for _, m in facts.metrics):
        if facts.imported:
            return "The source reports no base figures, so this run cannot say whether fine-tuning helped."
        return (
            "This run has not been evaluated, so whether fine-tuning helped is not known. "
            f"Measure it with `python -m medqa_core evaluate {facts.run.id}`."
        )
    compared = [(name, metric) for name, metric in facts.metrics if is_compared(metric)]
    if not compared:
        who = "The source reports" if facts.imported else "The evaluation holds"
        variant = "base" if all(metric.base is None for _, metric in facts.metrics) else "paired"
        return f"{who} no {variant} figures, so this run cannot say whether fine-tuning helped."
    chosen = _chosen(dict(compared), evaluation.primary_metric)
    answer = _answer(chosen)
    answer = f"As the source reports it, {answer}" if facts.imported else capital(answer)
    return " ".join(text for text in (answer, _on_clean(evaluation, chosen), figures_line(facts)) if text)


def figures_line(run: Run | Facts) -> str:
    """The end of `sentence`: the primary metric's figures with their uncertainty; empty where nothing was compared."""
    facts = Facts.of(run)
    compared = {name: metric for name, metric in facts.metrics if is_compared(metric)}
    if facts.evaluation is None or not compared:
        return ""
    primary = facts.evaluation.primary_metric
    return _detail(*_chosen(compared, primary)[0], primary=primary)


def is_compared(metric: Metric) -> bool:
    """Whether both models have a figure."""
    return metric.base is not None and metric.fine_tuned is not None


def supported(name: str, metric: Metric) -> Verdict:
    """The file's verdict if its own numbers bear it out, else `cannot tell`."""
    if not is_compared(metric) or metric.verdict == "cannot tell":
        return "cannot tell"
    if metric.verdict == "equivalent":
        within = metric.ci is not None and (metric.margin is None or max(map(abs, metric.ci)) <= metric.margin)
        return "equivalent" if within else "cannot tell"
    sign = -1.0 if METRICS[name].lower_is_better else 1.0
    sign = sign if metric.verdict == "better" else -sign
    difference = metric.difference
    if difference is None or difference * sign <= 0:
        return "cannot tell"
    if metric.ci is not None:
        clear = min(bound * sign for bound in metric.ci) > 0
    else:
        clear = metric.p is not None and metric.p < 1 - (metric.level or 0.95)
    return metric.verdict if clear else "cannot tell"


def value_text(name: str, value: float | None) -> str:
    """A metric's value with the digits it deserves."""
    if name == "mmlu":
        return percent(value)
    return number(None if value is None else float(value), METRICS[name].digits)


def change_text(name: str, metric: Metric) -> str:
    """A metric's difference with its interval; MMLU in percentage points."""
    if name == "mmlu":
        text = interval(metric.difference, metric.ci, 1, scale=100)
        return text if metric.difference is None else f"{text} points"
    return interval(metric.difference, metric.ci, max(2, METRICS[name].digits - 1))


def level_text(metric: Metric) -> str:
    """The interval's level, "95%"; the convention where the file does not say."""
    return f"{general(round((metric.level or 0.95) * 100, 4))}%"


def values_text(name: str, metric: Metric) -> str:
    """Base and fine-tuned with an arrow between."""
    return f"{value_text(name, metric.base)} → {value_text(name, metric.fine_tuned)}"


def _chosen(compared: dict[str, Metric], primary: str) -> list[tuple[str, Metric]]:
    """One metric a family, the primary one first."""
    names = [primary] if primary in compared else []
    for family in FAMILIES:
        if primary in family and names:
            continue
        names += [name for name in family if name in compared][:1]
    return [(name, compared[name]) for name in names]


def _answer(chosen: list[tuple[str, Metric]]) -> str:
    """`yes: after fine-tuning the model …; whether it … cannot be told.` Told first, in the order of the metrics."""
    verdicts = [(name, supported(name, metric)) for name, metric in chosen]
    told = [(name, verdict) for name, verdict in verdicts if verdict != "cannot tell"]
    unclear = [name for name, verdict in verdicts if verdict == "cannot tell"]
    groups: dict[str, list[str]] = {}
    before: str | None = None
    for name, verdict in sorted(told, key=lambda item: [v for _, v in told].index(item[1])):
        groups.setdefault(verdict, []).append(plainly(name, verdict, before))
        before = name
    parts = [listing(clauses) for clauses in groups.values()]
    if {"better", "worse"} <= set(groups):
        parts[1] = f"but {parts[1]}"
    clauses = []
    for name in unclear:
        clauses.append(plainly(name, "cannot tell", before))
        before = name
    if not told:
        return f"cannot tell whether {' or '.join(clauses)}."
    parts += [f"whether {' or '.join(clauses)} cannot be told"] * bool(clauses)
    return f"{_lead([verdict for _, verdict in verdicts])}: {'; '.join(parts)}."


def _on_clean(evaluation: Evaluation, chosen: list[tuple[str, Metric]]) -> str:
    """Gains that are not found again where training held no piece of the reference: they may be memory."""
    lost, asked = [], 0
    for name, metric in chosen:
        part = next((m for n, m in evaluation.clean.items() if n == name), None)
        if part is None or not is_compared(part) or not part.n or part.n == metric.n:
            continue
        if supported(name, metric) == "better" != supported(name, part):
            lost.append(METRICS[name].label)
            asked = part.n
    if not lost:
        return ""
    return (
        f"On the {plural(asked, 'question')} whose reference shares no run of 13 words with training, the gain on "
        f"{listing(lost)} is not confirmed."
    )


def _lead(verdicts: list[Verdict]) -> str:
    """The answer in a word or two; the first verdict is the primary metric's."""
    if "better" in verdicts:
        return "yes" if verdicts[0] == "better" and "worse" not in verdicts else "in part"
    return "no" if "worse" in verdicts else "cannot tell" if verdicts[0] == "cannot tell" else "about the same"


def _detail(name: str, metric: Metric, *, primary: str) -> str:
    """The first metric's figures: from what to what, by how much, on how many questions."""
    spec = METRICS[name]
    what = "the primary metric"
    if name != primary:
        what = f"shown because the primary metric, {METRICS[primary].label}, was not compared"
    unit = f" {spec.unit}" if spec.unit and name != "mmlu" else ""
    text = f"{capital(spec.label)}, {what}: {values_text(name, metric)}{unit}"
    if metric.difference is not None and math.isfinite(metric.difference):
        text += f", a difference of {change_text(name, metric)}"
    about = [f"{level_text(metric)} interval"] * (metric.ci is not None and metric.difference is not None)
    about += [f"{count(metric.n)} questions"] * (metric.n is not None)
    text = f"{text} ({', '.join(about)})." if about else f"{text}."
    verdict = supported(name, metric)
    if verdict == "equivalent" and (margin := precision.within(name, metric)):
        text += f" The interval lies within the margin: {margin}."
    if verdict == "cannot tell" and (limit := precision.smallest(name, metric)):
        text += f" {capital(limit)}."
    return text
