"""The starter set: a few hundred pairs written for this project, shipped with it, not reviewed by a clinician."""

from importlib import resources

from medqa_core.data.pairs import PairSet, QAPair, without_duplicates
from medqa_core.foundation.files import loads


def load() -> PairSet:
    """Every pair of the starter set; a topic is a document."""
    text = resources.files("medqa_core.data").joinpath("starter.jsonl").read_text("utf-8")
    pairs = [
        QAPair(
            id=f"starter:{row['id']}",
            document=row["topic"],
            topic=row["topic"],
            question_type=row["question_type"],
            question=row["question"],
            answer=row["answer"],
            source="starter",
        )
        for row in map(loads, text.splitlines())
    ]
    kept = without_duplicates(pairs)
    return PairSet(
        name="starter",
        title="the starter set",
        licence="MIT (written for this project; unreviewed demo text)",
        pairs=kept,
        pairs_parsed=len(pairs),
        pairs_answered=len(pairs),
        duplicates_dropped=len(pairs) - len(kept),
        filters=(),
    )
