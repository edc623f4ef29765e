"""Answers prepared so that a model can learn to answer with them: read as a person would write them, and to their end.

Two things happen at two places. `data_for` cleans every answer of the data set, references included, and keeps all of
them: paragraphs and lists become lines, a repeated question and a heading at the beginning go, and so do lines that
say again what another one says. Training answers alone are also cut: those that are mostly template to their own
sentences (`own_part`), and those that are too long at a sentence's end (`sentences.trim`).
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import Literal

from medqa_core.data import sources
from medqa_core.data.pairs import PairSet, QAPair, normalise
from medqa_core.data.sentences import starts
from medqa_core.data.split import TEST_FILE, TRAINED_ON
from medqa_core.data.templates import Templates
from medqa_core.data.words import word_spans, words
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import plural
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.config import EvaluationConfig, QuestionsConfig, TrainConfig

Step = Literal["lines", "heading", "question", "repeated"]
"""What was done to one answer: lines kept, a heading dropped, the question dropped, repeated lines dropped."""
CLEANING = (
    "paragraphs and list items on lines of their own",
    'a leading "Key Points" or "Summary" left out',
    "the question left out where an answer opens with it",
    "lines that repeat another line of the answer left out",
)
"""What is done to every answer, in words."""
_HEADING = re.compile(r"(?:Key Points\b *:?|Summary *:)\s*(?:(?<!\n)[-–—] )?", re.IGNORECASE)
_OPENING = re.compile(r"(?:- )?([^\n?]{3,300}\?)[\s:–—-]*")
MOST_NEW = 0.5
"""An opening question with a larger share of words that the question lacks, small words aside, is no echo of it."""
_SMALL = frozenset(
    words(
        "a an and are be been being can do does for from have how i in is may might of on or s signs the there to what "
        "which who with would you your"
    )
)
_STEM = 5
"""Letters that words have to share to be one: treatment, treated."""
OWN = 0.5
"""A sentence with a larger share of template is none of an answer's own."""
LEAST_WORDS = 8
"""Fewer words of its own are no answer."""


@dataclass(frozen=True)
class Cleaned:
    """An answer after cleaning, and what was done to it."""

    text: str
    steps: frozenset[Step]


@dataclass(frozen=True)
class Sample:
    """One answer before and after its preparation."""

    pair: QAPair
    before: str
    after: str
    steps: frozenset[Step]


def data_for(config: QuestionsConfig, settings: Settings, *, fetch: bool = True) -> PairSet:
    """The data set that `config` names, its answers prepared as it says. Raises as `sources.load`.

    Of a model that was trained elsewhere also the pairs that it was trained on, where they are known; with a test file
    of its own also that.
    """
    version = config.reading_version
    data = sources.load(config.dataset, settings, config.columns, version=version, fetch=fetch)
    if isinstance(config, EvaluationConfig) and config.trained_on is not None:
        data = _with_training_set(data, training_pairs(config, settings, fetch=fetch))
    if isinstance(config, TrainConfig) and config.test_dataset is not None:
        columns = {} if config.test_dataset.strip() in sources.SOURCES else config.columns
        with _errors_of("test_dataset", "columns"):
            test = sources.load(config.test_dataset, settings, columns, version=version, fetch=fetch)
        data = _with_test_file(data, test)
    return data if config.preparation == "none" else cleaned(data)


def training_pairs(config: EvaluationConfig, settings: Settings, *, fetch: bool = True) -> PairSet:
    """The data that an imported model was trained on, where they are known: `trained_on` is not None.

    Raises as `sources.load`; what does not fit is said of these data, not of the questions.
    """
    assert config.trained_on is not None
    columns, version = config.trained_on_columns, config.reading_version
    with _errors_of("trained_on", "trained_on_columns"):
        return sources.load(config.trained_on, settings, columns, version=version, fetch=fetch)


@contextmanager
def _errors_of(data_field: str, columns_field: str) -> Iterator[None]:
    """The block loads a data set that these fields name; what does not fit is said of them."""
    try:
        yield
    except InputError as error:
        field = columns_field if error.field == "columns" else data_field
        raise InputError(error.reason, field=field) from error


@lru_cache(maxsize=2)
def _with_training_set(data: PairSet, trained_on: PairSet) -> PairSet:
    """Both; the training pairs' ids say so, since two files may number their rows alike."""
    training = (replace(pair, id=f"{TRAINED_ON}{pair.id}") for pair in trained_on.pairs)
    about = f"{len(trained_on.pairs):,} pairs of {trained_on.title}, which the model was trained on, stand beside"
    return replace(data, pairs=(*data.pairs, *training), filters=(*data.filters, about))


@lru_cache(maxsize=2)
def _with_test_file(data: PairSet, test: PairSet) -> PairSet:
    """Both; the test pairs' ids say so. Pairs that both files hold stay in both: that is a leak, and it is measured."""
    asked = (replace(pair, id=f"{TEST_FILE}{pair.id}") for pair in test.pairs)
    are = "is" if len(test.pairs) == 1 else "are"
    about = f"{plural(len(test.pairs), 'pair')} of {test.title} {are} the test questions"
    read = (f"test file: {line}" for line in test.filters if line not in data.filters)
    return replace(
        data,
        title=f"{data.title} with {test.title} as its test",
        pairs=(*data.pairs, *asked),
        pairs_parsed=data.pairs_parsed + test.pairs_parsed,
        pairs_answered=data.pairs_answered + test.pairs_answered,
        duplicates_dropped=data.duplicates_dropped + test.duplicates_dropped,
        filters=(*data.filters, about, *read),
        split_sizes=(*data.split_sizes[:2], None),
    )


@lru_cache(maxsize=2)
def cleaned(data: PairSet) -> PairSet:
    """`data` with every answer cleaned; the pairs, their ids and what a split goes by stay."""
    pairs = (replace(p, answer=clean(p).text, original=p.answer, references=_references(p)) for p in data.pairs)
    return replace(data, pairs=tuple(pairs), filters=(*data.filters, *CLEANING))


def _references(pair: QAPair) -> tuple[str, ...]:
    """The other right answers of a pair, each cleaned as its own is."""
    return tuple(clean(replace(pair, answer=answer, layout=None)).text for answer in pair.references)


def clean(pair: QAPair) -> Cleaned:
    """The answer of a pair, cleaned; as it was where nothing would be left of it."""
    laid = pair.layout or pair.source_answer
    steps: set[Step] = {"lines"} if pair.layout else set()
    text = _HEADING.sub("", laid, count=1) if _HEADING.match(laid) else laid
    if text != laid:
        steps.add("heading")
    opening = _OPENING.match(text)
    if opening is not None and _echoes(opening[1], pair):
        steps.add("question")
        text = text[opening.end() :]
    lines = text.splitlines()
    kept = _without_repeated(lines)
    if len(kept) < len(lines):
        steps.add("repeated")
    text = "\n".join(kept)
    return Cleaned(text, frozenset(steps)) if words(text) else Cleaned(laid, frozenset())


def counts(pairs: Iterable[QAPair]) -> Counter[Step]:
    """How many of the answers each step changed."""
    return Counter(step for pair in pairs for step in clean(pair).steps)


def samples(pairs: Sequence[QAPair], most: int) -> list[Sample]:
    """Answers before and after, those first to which most was done."""
    found = [(pair, clean(pair)) for pair in pairs]
    found.sort(key=lambda one: (-len(one[1].steps), one[0].id))
    return [Sample(pair, pair.source_answer, one.text, one.steps) for pair, one in found[:most] if one.steps]


def _echoes(opening: str, pair: QAPair) -> bool:
    """Whether a leading question is the pair's own in other words."""
    asked = {word[:_STEM] for word in (*words(pair.question), *words(pair.topic)) if word not in _SMALL}
    said = [word[:_STEM] for word in words(opening) if word not in _SMALL]
    return bool(said) and sum(word not in asked for word in said) <= MOST_NEW * len(said)


def _without_repeated(lines: Sequence[str]) -> list[str]:
    """The lines that no line before them is, and that the next one does not begin with."""
    kept: list[str] = []
    seen: set[str] = set()
    keys = [normalise(line) for line in lines]
    for place, (line, key) in enumerate(zip(lines, keys, strict=True)):
        following = keys[place + 1] if place + 1 < len(keys) else ""
        if key and key not in seen and not following.startswith(f"{key} "):
            kept.append(line)
            seen.add(key)
    return kept


def own_part(pair: QAPair, templates: Templates, most: float) -> str:
    """The answer if at most the share `most` of its words is template, else its sentences that mostly are not.

    Returns:
        The text; "" where too little is left of it to be an answer.
    """
    text = pair.answer
    mask = templates.mask(text, pair.topic)
    if sum(mask) <= most * len(mask):
        return text
    spans = word_spans(text)
    kept = []
    for start, stop in pairwise([*starts(text), len(text)]):
        inside = [template for (first, _), template in zip(spans, mask, strict=True) if start <= first < stop]
        if inside and sum(inside) <= OWN * len(inside):
            kept.append(text[start:stop])
    left = "".join(kept).strip()
    return left if len(words(left)) >= LEAST_WORDS else ""
