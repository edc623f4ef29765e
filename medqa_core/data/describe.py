"""A data set and its split described: the same figures for the command line, the Data page and a run."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from medqa_core.data import leakage
from medqa_core.data.cells import is_bare_question
from medqa_core.data.pairs import PairSet, QAPair, normalise
from medqa_core.data.sizes import PARTS
from medqa_core.data.split import Split, method, split_set
from medqa_core.data.templates import Templates
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import OverlapRecord, SplitSizes

LONGEST = 10
"""Templates that are listed."""
SHARED = {
    "document": "are from a document that the training set holds too",
    "focus": "are on a topic that the training set holds too",
    "question": "repeat a training question",
    "answer": "have a training answer word for word",
    "synonym": "are on a topic of which the training set holds a name",
    "concept": "are on a topic of which the training set holds a specific concept",
    "near_duplicate": "have nearly the text of a training answer",
}
"""Each relation of a test question to the training set, as the end of a sentence that starts with a number."""
SHARES = "its document, a name or specific concept of its topic, its question or (nearly) its answer"
"""All relations, for the sentence that none was found."""


@dataclass(frozen=True)
class Description:
    """A data set, the split that a configuration makes of it, and what leaks through that split."""

    data: PairSet
    config: TrainConfig
    split: Split
    overlap: OverlapRecord

    @property
    def sizes(self) -> SplitSizes:
        """Pairs in each part."""
        return self.split.sizes

    @property
    def parts(self) -> dict[str, tuple[QAPair, ...]]:
        """The pairs of each part, by its name in words."""
        return {"training": self.split.train, "validation": self.split.validation, "test": self.split.test}

    @property
    def unused(self) -> int:
        """Usable pairs that are in no part, since the sizes ask for fewer."""
        return len(self.data.pairs) - sum(len(pairs) for pairs in self.parts.values())

    @property
    def bare_questions(self) -> int:
        """Usable pairs whose answer is a question and nothing else; they stay, as references too."""
        return sum(is_bare_question(pair.answer) for pair in self.data.pairs)

    def facts(self) -> dict[str, Any]:
        """Everything countable, ready for JSON; all but the tokens, for which a tokenizer is needed."""
        data = self.data
        return {
            "source": data.name,
            "licence": data.licence,
            "pairs_parsed": data.pairs_parsed,
            "pairs_answered": data.pairs_answered,
            "duplicates_dropped": data.duplicates_dropped,
            "bare_questions": self.bare_questions,
            "topics": topics(data.pairs),
            "by_source": tally(pair.source for pair in data.pairs),
            "by_question_type": tally(pair.question_type for pair in data.pairs),
            "filters": list(data.filters),
            "split": self.sizes.model_dump(),
            "split_method": method(self.config),
            "split_version": self.config.split_version,
            "split_seed": self.config.split_seed,
            "split_hash": self.split.hash,
            "overlap": self.overlap.model_dump(),
            "templates": {
                "share": self.template_share(),
                "by_question_type": self.template_shares(),
                "longest": [asdict(one) for one in self.templates.longest(LONGEST)],
            },
        }

    @cached_property
    def templates(self) -> Templates:
        """What is template text in the data set; learnt when first asked for."""
        return Templates.learn(self._ordered)

    @property
    def _ordered(self) -> list[QAPair]:
        """All pairs by their ids, as the split has them too: what it learnt is learnt once."""
        return sorted(self.data.pairs, key=lambda pair: pair.id)

    def template_shares(self) -> dict[str, float]:
        """The share of the words of all usable answers that is template text, by question type, the largest first."""
        found: dict[str, Counter[str]] = {}
        for pair, (inside, words) in zip(self._ordered, self.templates.counts(), strict=True):
            found.setdefault(pair.question_type, Counter()).update(inside=inside, words=words)
        shares = {kind: _share(one["inside"], one["words"]) for kind, one in found.items()}
        return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))

    def template_share(self) -> float:
        """The share of the words of all usable answers that is template text, 0 to 1."""
        counted = self.templates.counts()
        return _share(sum(inside for inside, _ in counted), sum(words for _, words in counted))


def with_default_sizes(config: TrainConfig, data: PairSet) -> TrainConfig:
    """`config` with the data set's own sizes where it gives none at all."""
    if any(size is not None for size in (config.train_size, config.validation_size, config.test_size)):
        return config
    names = (f"{part}_size" for part in PARTS)
    return config.model_copy(update=dict(zip(names, data.split_sizes, strict=True)))


def describe(data: PairSet, config: TrainConfig) -> Description:
    """Split `data` as `config` says and measure what leaks; which data set `config` names does not matter.

    Raises:
        InputError: a part asks for more pairs than there are for it.
    """
    split = split_set(data, config)
    return Description(data, config, split, leakage.measure(split, data.pairs))


def _share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def topics(pairs: Sequence[QAPair]) -> int:
    """How many topics there are, as the split tells them apart."""
    return len({normalise(pair.topic) for pair in pairs} - {""})


def tally(values: Iterable[str]) -> dict[str, int]:
    """Each value with its count, the most frequent first, equals by name."""
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def counts(found: Description, field: Literal["source", "question_type"]) -> dict[str, dict[str, int]]:
    """Pairs by each value of `field`: of all usable ones (`all`) and of each part; largest first, equals by name."""
    columns = {"all": found.data.pairs, **found.parts}
    tallies = {name: Counter(getattr(pair, field) for pair in pairs) for name, pairs in columns.items()}
    values = tally(getattr(pair, field) for pair in found.data.pairs)
    return {value: {name: counted[value] for name, counted in tallies.items()} for value in values}


def leaks(overlap: OverlapRecord) -> bool:
    """Whether any test question shares with the training set what was measured."""
    return any(getattr(overlap, relation) for relation in SHARED)


def leakage_sentence(overlap: OverlapRecord, test: int) -> str:
    """What leaks of `test` test questions, in one sentence."""
    if not test:
        return "There is no test question that could leak."
    if not leaks(overlap):
        return f"No test question shares {SHARES} with the training set."
    found = [f"{n:,} ({n / test:.1%}) {words}" for key, words in SHARED.items() if (n := getattr(overlap, key))]
    listed = f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else found[0]
    return f"The test set leaks: of {test:,} test questions {listed}."
