"""Whether verdicts hold on the questions whose reference training had not seen a piece of."""

from collections.abc import Iterator

from medqa_core.foundation.format import capital, p_value, percent, plural
from medqa_core.report.facts import Facts
from medqa_core.report.names import verdict_mark, verdict_word
from medqa_core.report.rules.insight import Insight
from medqa_core.report.views.metric import clean, one
from medqa_core.report.wording.caveats import NO_OVERLAP
from medqa_core.report.wording.metric import change_text, detectable, values_text

WORDING = "rougeL"
"""Reciting what was trained on raises it most."""
NOUNS = {"better": "gain", "worse": "loss of quality", "equivalent": "lack of a change"}
WRONG_IF = {
    "clean_holds": "the clean subset disagreed",
    "clean_fails": "the clean subset agreed",
    "clean_unclear": "the verdict on the clean subset was a clear one",
}


def clean_subset(facts: Facts) -> Iterator[Insight]:
    """The primary metric's verdict on all questions against the clean subset's; of ROUGE-L only one that is lost."""
    if facts.evaluation is None:
        return
    primary = str(facts.evaluation.primary_metric)
    yield from _against_clean(facts, primary, subject="")
    if primary != WORDING:
        lost = _against_clean(facts, WORDING, subject=WORDING)
        yield from (found for found in lost if found.kind != "clean_holds")


def _against_clean(facts: Facts, name: str, subject: str) -> Iterator[Insight]:
    """One metric; nothing where there is no verdict, or no clean subset of its own."""
    whole, part = one(facts, name), clean(facts).get(name)
    if whole is None or part is None or not part.compared or not part.n or part.n == whole.n:
        return
    verdict, there = whole.verdict, part.verdict
    if verdict == "cannot tell":
        return
    label, noun = whole.label, NOUNS[verdict]
    asked = f"the {plural(part.n, 'question')} whose reference answer has {NO_OVERLAP}"
    figures = f"{values_text(part)}, {change_text(part)}"
    if there == verdict:
        kind, sentence = "clean_holds", f"The {noun} on {label} holds on {asked}: {figures}."
    elif there == "cannot tell":
        limit = f" {capital(detectable(part))}." if detectable(part) else ""
        kind = "clean_unclear"
        sentence = f"Whether the {noun} on {label} holds on {asked} is inconclusive: {figures}.{limit}"
    else:
        kind = "clean_fails"
        sentence = f"The {noun} on {label} does not hold on {asked}: {figures}, {verdict_word(there)}."
    tested = f", {p_value(part.p)}" if part.p is not None else ""
    share = f" ({percent(part.n / whole.n)} of all)" if whole.n else ""
    yield Insight(
        kind,
        sentence,
        (
            f"evaluation.json, metrics, {name}: {verdict_mark(verdict)}, {change_text(whole)}",
            f"evaluation.json, clean, {name}: {verdict_mark(there)}{tested}, {plural(part.n, 'question')}{share}",
        ),
        change_text(part),
        WRONG_IF[kind],
        subject,
    )
