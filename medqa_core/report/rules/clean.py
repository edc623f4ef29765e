"""Whether the primary metric's verdict holds on the questions whose reference training had not seen a piece of."""

from collections.abc import Iterator

from medqa_core.report.facts import Facts
from medqa_core.report.format import capital, p_value, percent, plural, verdict_mark
from medqa_core.report.precision import smallest
from medqa_core.report.rules.insight import Insight
from medqa_core.report.verdict import METRICS, change_text, is_compared, supported, values_text

NOUNS = {"better": "gain", "worse": "loss of quality", "equivalent": "lack of a change"}


def clean_part(facts: Facts) -> Iterator[Insight]:
    """The verdict on the whole test set against that on its clean part; nothing where there is no verdict."""
    if facts.evaluation is None:
        return
    name = str(facts.evaluation.primary_metric)
    whole = facts.metric(name)
    part = next((m for n, m in facts.evaluation.clean.items() if n == name), None)
    if whole is None or part is None or not is_compared(part) or not part.n or part.n == whole.n:
        return
    verdict, there = supported(name, whole), supported(name, part)
    if verdict == "cannot tell":
        return
    label, noun = METRICS[name].label, NOUNS[verdict]
    asked = f"the {plural(part.n, 'question')} whose reference shares no run of 13 words with training"
    figures = f"{values_text(name, part)}, {change_text(name, part)}"
    if there == verdict:
        rule, sentence = "clean_holds", f"The {noun} on {label} holds on {asked}: {figures}."
    elif there == "cannot tell":
        limit = f" {capital(smallest(name, part))}." if smallest(name, part) else ""
        rule = "clean_unclear"
        sentence = f"Whether the {noun} on {label} holds on {asked} cannot be told: {figures}.{limit}"
    else:
        rule, word = "clean_fails", verdict_mark(there).split(" ", 1)[1]
        sentence = f"The {noun} on {label} does not hold on {asked}: {figures}, {word}."
    tested = f", {p_value(part.p)}" if part.p is not None else ""
    share = f" ({percent(part.n / whole.n)} of all)" if whole.n else ""
    yield Insight(
        rule,
        sentence,
        (
            f"evaluation.json, metrics, {name}: {verdict_mark(verdict)}, {change_text(name, whole)}",
            f"evaluation.json, clean, {name}: {verdict_mark(there)}{tested}, {plural(part.n, 'question')}{share}",
        ),
        change_text(name, part),
        f"the verdict on the clean part were {'another one' if there != 'cannot tell' else 'a clear one'}",
    )
