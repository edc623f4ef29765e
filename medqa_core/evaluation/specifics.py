"""What an answer states that can be looked up: gene symbols, numbers with a unit, proper names.

They are found by their form alone, in texts of Latin script:

* gene: HGNC's form (Bruford et al., "Guidelines for human gene nomenclature", Nature Genetics 52, 2020: capitals and
  digits, a letter first; C9orf72), if it holds a digit behind two letters or more, or stands beside the word gene;
* number: digits with one of UNITS behind them; of a range both ends;
* name: capitalised words in a row, not at the beginning of a sentence or of a list's entry.

A gene or name counts as borne out by a text that holds its words in a row; a number, by the same number with the same
unit. Words in templates and the question's own words state nothing.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import get_args

from medqa_core.data.words import words
from medqa_core.runs.schema.evaluation import SpecificKind

UNITS = {
    "%": "percent", "percent": "percent", "year": "year", "month": "month", "week": "week", "day": "day",
    "hour": "hour", "minute": "minute", "second": "second", "kg": "kg", "g": "g", "gram": "g", "mg": "mg",
    "milligram": "mg", "mcg": "mcg", "µg": "mcg", "microgram": "mcg", "l": "l", "liter": "l", "litre": "l", "dl": "dl",
    "ml": "ml", "milliliter": "ml", "mm": "mm", "millimeter": "mm", "cm": "cm", "centimeter": "cm", "m": "m",
    "meter": "m", "inch": "inch", "inches": "inch", "pound": "pound", "ounce": "ounce", "mmhg": "mmhg", "iu": "iu",
    "unit": "unit", "degree": "degree", "°c": "degree", "°f": "degree", "time": "time", "people": "people",
    "newborn": "newborn", "birth": "birth", "individual": "people", "person": "people", "case": "case",
    "chromosome": "chromosome", "copy": "copy", "copies": "copy", "gene": "gene", "kcal": "kcal", "calorie": "kcal",
}  # fmt: skip
"""Each way a unit is written, without the s of its plural, and what it counts as."""

_GENE = re.compile(r"\b(?:[A-Z][A-Z0-9]{1,9}(?:-[A-Z0-9]{1,3})?|C\d{1,2}orf\d{1,3})\b")
_WITH_DIGIT = re.compile(r"[A-Z]{2,}[A-Z0-9]*\d|C\d{1,2}orf\d")
_BESIDE_GENE = re.compile(r"\W+(?:(?:and|or|,)\W+(?:the\W+)?[A-Z0-9]+\W+)*(?:gene|genes|protein|mutation|mutations)\b")
_AFTER_GENE = re.compile(r"\b(?:gene|genes)\W+(?:called |named )?\W*$")
_NUMBER = re.compile(
    r"(?<![\w.,])(\d[\d,]*(?:\.\d+)?)(?:\s?(?:-|–|to|or|and)\s?(\d[\d,]*(?:\.\d+)?))?[\s-]?(%|°[CF]|[A-Za-zµ]+)"
)
_NAME = re.compile(r"[A-Z][a-z]+(?:['’-][A-Z]?[a-z]+)*(?:\s+(?:of\s+(?:the\s+)?)?[A-Z][a-z]+(?:['’-][A-Z]?[a-z]+)*)*")
_BEGINS = re.compile(r"(?:^|[.!?:;•*]|(?:^|\s)[-–]|[.!?]['\")\]])\s*['\"(\[]?$")

Specifics = Mapping[SpecificKind, frozenset[str]]
"""By kind, in the form in which they are compared."""


def specifics(text: str, ignored: Callable[[int, int], bool] = lambda start, end: False) -> Specifics:
    """What `text` states.

    Args:
        ignored: whether the piece from one character to another states nothing, as in a template.
    """
    found: dict[SpecificKind, set[str]] = {kind: set() for kind in get_args(SpecificKind)}
    for match in _GENE.finditer(text):
        if not ignored(*match.span()) and _is_gene(text, match):
            found["gene"].add(match.group().lower())
    for match in _NUMBER.finditer(text):
        unit = UNITS.get(match.group(3).lower()) or UNITS.get(match.group(3).lower().removesuffix("s"))
        if unit is not None and not ignored(*match.span()):
            found["number"] |= {f"{number.replace(',', '')} {unit}" for number in match.group(1, 2) if number}
    for match in _NAME.finditer(text):
        if not ignored(*match.span()) and not _BEGINS.search(text[max(0, match.start() - 4) : match.start()]):
            found["name"].add(" ".join(words(match.group())))
    return {kind: frozenset(some) for kind, some in found.items()}


def _is_gene(text: str, match: re.Match[str]) -> bool:
    if _WITH_DIGIT.match(match.group()):
        return True
    return bool(_BESIDE_GENE.match(text, match.end()) or _AFTER_GENE.search(text[: match.start()][-30:]))


class Stated:
    """A text, and what it bears out."""

    def __init__(self, text: str) -> None:
        self._words = f" {' '.join(words(text))} "
        self._numbers = specifics(text)["number"]

    def bears_out(self, kind: SpecificKind, stated: Collection[str]) -> frozenset[str]:
        """Those of `stated` that stand in the text."""
        if kind == "number":
            return frozenset(stated) & self._numbers
        return frozenset(one for one in stated if f" {' '.join(words(one))} " in self._words)


def specifics_f1(answer: Specifics, answer_text: Stated, reference: Specifics, reference_text: Stated) -> float | None:
    """Harmonic mean of the share of the answer's specifics that the reference bears out, and the reverse, 0 to 1.

    None where the reference states none.
    """
    kinds: tuple[SpecificKind, ...] = get_args(SpecificKind)
    said, wanted = (sum(len(one[kind]) for kind in kinds) for one in (answer, reference))
    if not wanted:
        return None
    right = sum(len(reference_text.bears_out(kind, answer[kind])) for kind in kinds)
    found = sum(len(answer_text.bears_out(kind, reference[kind])) for kind in kinds)
    precision, recall = (right / said if said else 0.0), found / wanted
    return 2 * precision * recall / (precision + recall) if precision and recall else 0.0
