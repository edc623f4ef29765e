"""Whether verdicts hold on the questions whose reference training had not seen a piece of."""

from collections.abc import Iterator

from medqa_core.foundation.format import capital, p_value, percent, plural
from medqa_core.report.facts import Facts
from medqa_core.report.names import verdict_mark
from medqa_core.report.precision import smallest
from medqa_core.report.rules.insight import Insight
from medqa_core.report.verdict import METRICS, change_text, is_compared, supported, values_text

WORDING = "rougeL"
"""Reciting what was trained on raises it most."""
NOUNS = {"better": "gain", "worse": "loss of quality", "equivalent": "lack of a change"}


def clean_part(facts: Facts) -> Iterator[Insight]:
    """The primary metric's verdict on all questions against the clean part's; of ROUGE-L only one that is lost."""
    if facts.evaluation is None:
        return
    primary = str(facts.evaluation.primary_metric)
    yield from _against_clean(facts, primary, "")
    if primary != WORDING:
        lost = _against_clean(facts, WORDING, f":{WORDING}")
        yield from (found for found in lost if not found.rule.startswith("clean_holds"))


def _against_clean(facts: Facts, name: str, suffix: str) -> Iterator[Insight]:
    """One metric; nothing where there is no verdict, or no clean part of its own."""
    assert facts.evaluation is not None
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
        f"{rule}{suffix}",
        sentence,
        (
            f"evaluation.json, metrics, {name}: {verdict_mark(verdict)}, {change_text(name, whole)}",
            f"evaluation.json, clean, {name}: {verdict_mark(there)}{tested}, {plural(part.n, 'question')}{share}",
        ),
        change_text(name, part),
        f"the verdict on the clean part were {'another one' if there != 'cannot tell' else 'a clear one'}",
    )
