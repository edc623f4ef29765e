"""What of a split's test set the training set already holds, measured and not taken from how the split was made."""

from collections.abc import Sequence

from medqa_core.data.groups import RELATIONS, keys
from medqa_core.data.overlap import NgramIndex
from medqa_core.data.pairs import QAPair
from medqa_core.data.split import Split
from medqa_core.runs.schema.record import OverlapRecord


def measure(split: Split) -> OverlapRecord:
    """How many test questions share what with training, and the share of test answers that repeat its n-grams."""
    shared = {relation: _shared(relation, split) for relation in RELATIONS}
    known = NgramIndex(pair.answer for pair in split.train)
    repeated = [known.share(pair.answer) for pair in split.test]
    return OverlapRecord(
        **shared,
        ngram13_any=_above(repeated, 0.0),
        ngram13_over_half=_above(repeated, 0.5),
        ngram13_over_80=_above(repeated, 0.8),
    )


def _shared(relation: str, split: Split) -> int:
    trained = _values(relation, split.train)
    return sum(bool(_values(relation, [pair]) & trained) for pair in split.test)


def _values(relation: str, pairs: Sequence[QAPair]) -> set[str]:
    return {value for pair in pairs for name, value in keys(pair) if name == relation}


def _above(values: Sequence[float], limit: float) -> float:
    """The share of `values` above `limit`, in four digits; of none, 0."""
    return round(sum(value > limit for value in values) / len(values), 4) if values else 0.0
