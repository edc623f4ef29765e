"""An imported run's own prose: quoted as what the source claims, each line beside what its figures support."""

import re

from medqa_core.foundation.format import listing, without_emoji, words
from medqa_core.report.document.model import Table
from medqa_core.report.facts import Facts, Points
from medqa_core.report.rules.curve import training_fell, validation_trend
from medqa_core.report.statistics.trends import ALPHA
from medqa_core.report.views.figures import LABELS, figures

MOST = 60
_LONE_I = re.compile(r"\bi\b")
_NUMBER = re.compile(r"(?<![\w.])\d+(?:,\d{3})*(?:\.\d+)?(?:[eE]-?\d+)?")
_VALIDATION = re.compile(r"validation|overfit|generaliz|generalis", re.IGNORECASE)
_LOSS_FELL = re.compile(r"loss.{0,40}(decreas|fell|drop|declin|reduc|lower)|converge|model learned", re.IGNORECASE)
_JUDGEMENT = re.compile(r"\b(good|better|improv\w*|strong|excellent|success\w*|effective\w*)\b", re.IGNORECASE)


def quotation(facts: Facts) -> Table | None:
    """The source's claims; None where it makes none."""
    imported = facts.record.imported
    if imported is None:
        return None
    lines = [(head, text) for head, lines in imported.sections.items() for text in _whole(lines)]
    rows: list[tuple[str, ...]] = []
    for head, text in lines[:MOST]:
        heading = _LONE_I.sub("I", without_emoji(words(head, 60)).strip(" :").capitalize())
        rows.append((heading, f"“{text}”", support(facts, text)))
    if len(lines) > MOST:
        rows.append(("", f"{len(lines) - MOST:,} more lines", "not shown"))
    return Table.of(("Heading", "The source claims", "What its figures support"), rows) if rows else None


def support(facts: Facts, line: str) -> str:
    """What the run's data say of one claim."""
    said = []
    if _VALIDATION.search(line) and (_LOSS_FELL.search(line) or re.search(r"overfit|track", line, re.IGNORECASE)):
        said.append(_validation(facts))
    elif _LOSS_FELL.search(line):
        said.append(_training(facts))
    said += _numbers(facts, line)
    if _JUDGEMENT.search(line) and not any(metric.base is not None for _, metric in facts.metrics):
        said.append("A judgement that cannot be checked: the source gives no base figure to compare with.")
    return " ".join(said) or "No figure of this run bears on it."


def _whole(lines: list[str]) -> list[str]:
    """The lines as one says them: one that goes on in the next, in lower case, is joined with it."""
    found: list[str] = []
    for line in lines:
        text = without_emoji(words(line))
        if text and found and text[0].islower() and found[-1][-1] not in ".!?:":
            found[-1] = words(f"{found[-1]} {text}")
        elif text:
            found.append(text)
    return found


def _validation(facts: Facts) -> str:
    points = Points.of(facts.metrics_log.validation)
    if not len(points):
        return "Cannot be checked: the source gives no validation curve."
    found = list(validation_trend(facts))
    return (
        found[0].sentence if found else f"Cannot be checked: {len(points)} validation losses are too few for a trend."
    )


def _training(facts: Facts) -> str:
    points = Points.of(facts.metrics_log.train)
    if not len(points):
        return "Cannot be checked: the source gives no loss curve."
    found = list(training_fell(facts))
    return found[0].sentence if found else f"The {len(points)} logged training losses show no fall at p < {ALPHA}."


def _numbers(facts: Facts, line: str) -> list[str]:
    """Figures of the run that the line repeats."""
    values = {float(n.replace(",", "")) for n in _NUMBER.findall(line)}
    named = {name: f.value for name, f in figures(facts).items() if isinstance(f.value, int | float)}
    stated = facts.record.imported.figures if facts.record.imported else {}
    same = [LABELS[name][0] for name, value in named.items() if float(value) in values]
    same += [
        words(name.replace("_", " "), 40)
        for name, value in stated.items()
        if name not in LABELS and isinstance(value, int | float) and float(value) in values and value not in (0, 1, 2)
    ]
    return [f"The number is the one it reports as {listing(same)}."] if same else []
