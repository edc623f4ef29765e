"""What of a split's test set the training set already holds, measured and not taken from how the split was made."""

from collections import Counter
from collections.abc import Sequence

from medqa_core.data.groups import RELATIONS, all_keys
from medqa_core.data.overlap import NgramIndex
from medqa_core.data.pairs import QAPair
from medqa_core.data.split import Split
from medqa_core.runs.schema.record import OverlapRecord


def measure(split: Split, pairs: Sequence[QAPair] = ()) -> OverlapRecord:
    """How many test questions share what with training, and the share of test answers that repeat its n-grams.

    Every relation is measured, those that the split's version does not look at too. `pairs`: all of the data set, which
    decide what concept is general and what template text; those of the split where there are none.
    """
    known = all_keys(pairs or (*split.train, *split.validation, *split.test))
    trained = {key for pair in split.train for key in known[pair.id]}
    shared = Counter(
        relation for pair in split.test for relation in {key[0] for key in known[pair.id] if key in trained}
    )
    ngrams = NgramIndex(pair.answer for pair in split.train)
    repeated = [ngrams.share(pair.answer) for pair in split.test]
    return OverlapRecord(
        **{relation: shared[relation] for relation in RELATIONS},
        ngram13_any=_above(repeated, 0.0),
        ngram13_over_half=_above(repeated, 0.5),
        ngram13_over_80=_above(repeated, 0.8),
    )


def _above(values: Sequence[float], limit: float) -> float:
    """The share of `values` above `limit`, in four digits; of none, 0."""
    return round(sum(value > limit for value in values) / len(values), 4) if values else 0.0
