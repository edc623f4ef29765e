"""A data set and its split described: the same figures for the command line, the Data page and a run."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from medqa_core.data import leakage
from medqa_core.data.pairs import PairSet, QAPair, normalise
from medqa_core.data.sizes import PARTS
from medqa_core.data.split import METHODS, Split, split_pairs
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import OverlapRecord, SplitSizes

SHARED = {
    "document": "are from a document that the training set holds too",
    "focus": "are on a topic that the training set holds too",
    "question": "repeat a training question",
    "answer": "have a training answer word for word",
}
"""Each relation of a test question to the training set, as the end of a sentence that starts with a number."""


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

    def facts(self) -> dict[str, Any]:
        """Everything countable, ready for JSON; all but the tokens, for which a tokenizer is needed."""
        data = self.data
        return {
            "source": data.name,
            "licence": data.licence,
            "pairs_parsed": data.pairs_parsed,
            "pairs_answered": data.pairs_answered,
            "duplicates_dropped": data.duplicates_dropped,
            "topics": topics(data.pairs),
            "by_source": tally(pair.source for pair in data.pairs),
            "by_question_type": tally(pair.question_type for pair in data.pairs),
            "filters": list(data.filters),
            "split": self.sizes.model_dump(),
            "split_method": METHODS[self.config.split_method],
            "split_seed": self.config.split_seed,
            "split_hash": self.split.hash,
            "overlap": self.overlap.model_dump(),
        }


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
    split = split_pairs(data.pairs, config)
    return Description(data, config, split, leakage.measure(split))


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
    """Whether any test question shares a document, topic, question or answer with the training set."""
    return any(getattr(overlap, relation) for relation in SHARED)


def leakage_sentence(overlap: OverlapRecord, test: int) -> str:
    """What leaks of `test` test questions, in one sentence."""
    if not test:
        return "There is no test question that could leak."
    if not leaks(overlap):
        return "No test question shares its document, topic, question or answer with the training set."
    found = [f"{n:,} ({n / test:.1%}) {words}" for key, words in SHARED.items() if (n := getattr(overlap, key))]
    listed = f"{', '.join(found[:-1])} and {found[-1]}" if len(found) > 1 else found[0]
    return f"The test set leaks: of {test:,} test questions {listed}."
