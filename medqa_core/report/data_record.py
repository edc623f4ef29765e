"""What run.json says of a run's data, as one table for the report and the Data page."""

from medqa_core.foundation.format import count, percent, words
from medqa_core.report.headline import place
from medqa_core.runs.schema.record import DataRecord

MOST_FILTERS = 12


def data_rows(data: DataRecord) -> list[tuple[str, str]]:
    """Label and text of everything that is stated; what a source wrote is cut and cleaned, never markup."""
    split = data.split
    sizes = f"{split.train:,} training / {split.validation:,} validation / {split.test:,} test" if split else ""
    share = data.truncated_share
    rows = [
        ("Data", place(data.source)),
        ("Licence of the data", words(data.licence or "", 120)),
        ("Pairs parsed", _count(data.pairs_parsed)),
        ("Pairs with an answer", _count(data.pairs_answered)),
        ("Duplicates dropped", _count(data.duplicates_dropped)),
        ("Split", sizes),
        ("Split method", words(data.split_method or "")),
        ("Split hash", data.split_hash or ""),
        ("Filters", "; ".join(words(text, 120) for text in data.filters[:MOST_FILTERS])),
        ("Examples truncated", percent(share) if share is not None else ""),
    ]
    return [(label, text) for label, text in rows if text]


def _count(value: int | None) -> str:
    return "" if value is None else count(value)
