"""A question-answer pair, and a set of them with its provenance."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from medqa_core.data.words import words

_GAP = re.compile(r"\s+")
_FIRST_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class QAPair:
    """One question with its reference answer."""

    id: str
    document: str
    """The page or leaflet that it is from: pairs of one document share facts."""
    topic: str
    """What it is about (MedQuAD calls it Focus)."""
    question_type: str
    question: str
    answer: str
    source: str
    url: str | None = None
    layout: str | None = None
    """The answer with its paragraphs and lists (data.layout), where the source has them; None where it is one line."""
    original: str | None = None
    """The answer as the data set has it, where `answer` was prepared (data.preparation)."""
    synonyms: tuple[str, ...] = ()
    """Other names of the topic, as the data set gives them."""
    concepts: tuple[str, ...] = ()
    """Identifiers of the topic in a vocabulary, such as UMLS CUIs."""
    references: tuple[str, ...] = ()
    """Other right answers, where the data set gives several to the question: scored against, not trained on."""
    chosen: bool = False
    """Whether the answer is one of the options in the question: two questions may share it and nothing else."""

    @property
    def source_answer(self) -> str:
        """The answer as the data set has it: splits go by it, so that preparing answers moves no pair."""
        return self.answer if self.original is None else self.original


@dataclass(frozen=True, eq=False)
class PairSet:
    """All usable pairs of one data set, and what was done to get them; equal to itself alone, so that it is cheap to
    look up what was computed from it."""

    name: str
    title: str
    licence: str
    pairs: tuple[QAPair, ...]
    pairs_parsed: int
    """Questions found, with or without an answer."""
    pairs_answered: int
    duplicates_dropped: int
    """Pairs with the question and the answer of an earlier one, after normalisation."""
    filters: tuple[str, ...]
    """What was done to the texts, in words."""
    split_sizes: tuple[int | None, int | None, int | None] = (None, None, None)
    """Training, validation and test pairs where nobody asks for others; None is a share of what there is."""


def normalise(text: str) -> str:
    """Words only, lower case, compatibility forms folded: the key under which two texts count as the same."""
    return " ".join(words(text))


def first_normalise(text: str) -> str:
    """`normalise` as splits of version 1 have it: without combining marks, a Chinese sentence in one piece."""
    return " ".join(_FIRST_WORD.findall(unicodedata.normalize("NFKC", text).lower()))


def tidy(text: str) -> str:
    """`text` on one line with single spaces; nothing but white space changes."""
    return _GAP.sub(" ", text).strip()


def references_of(questions: Iterable[QAPair], pairs: Iterable[QAPair]) -> list[tuple[str, ...]]:
    """For each question its own answer first, then the other answers that `pairs` give to the same question."""
    known: dict[str, dict[str, str]] = {}
    for pair in sorted(pairs, key=lambda pair: pair.id):
        for answer in (pair.answer, *pair.references):
            known.setdefault(normalise(pair.question), {}).setdefault(normalise(answer), answer)
    found = []
    for own in questions:
        others = {normalise(answer): answer for answer in own.references} | known.get(normalise(own.question), {})
        found.append((own.answer, *(text for key, text in others.items() if key != normalise(own.answer))))
    return found


def with_unique_ids(pairs: Iterable[QAPair]) -> list[QAPair]:
    """`pairs` in their order; where an id occurs again, the second one gets `~2`."""
    seen: Counter[str] = Counter()
    unique = []
    for pair in pairs:
        seen[pair.id] += 1
        unique.append(pair if seen[pair.id] == 1 else replace(pair, id=f"{pair.id}~{seen[pair.id]}"))
    return unique


def without_duplicates(pairs: list[QAPair]) -> tuple[QAPair, ...]:
    """`pairs` without those whose question and answer both repeat an earlier one's, after normalisation."""
    seen: dict[tuple[str, str], QAPair] = {}
    for pair in pairs:
        seen.setdefault((normalise(pair.question), normalise(pair.answer)), pair)
    return tuple(seen.values())
