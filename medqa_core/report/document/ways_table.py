"""Fine-tuning, sources, or both, as a table."""

from medqa_core.evaluation.ways import Figure, Ways
from medqa_core.foundation.format import capital, number, percent
from medqa_core.report.document.model import Cell, Column, Table
from medqa_core.report.names import METRICS
from medqa_core.report.wording.metric import change_text
from medqa_core.report.wording.ways import NAMES, content

_SHARES: dict[Figure, str] = {
    "supported": "Words its passages hold",
    "repetition": "Repeated",
    "ended": "Ended by itself",
}


def ways_table(found: Ways) -> Table:
    """A row a way: content F1 with the reader's difference and verdict, other scores, and how answers came out."""
    rows = []
    for way in found.ways:
        view, values = content(found, way.name), way.values
        rows.append(
            (
                capital(NAMES[way.name]),
                number(values.get("content_f1"), 4),
                None if view is None else change_text(view),
                Cell(None) if view is None else Cell.of_verdict(view.verdict, (view.reason,) if view.reason else ()),
                *(number(values[n], METRICS[n].digits) if n in values else None for n in ("specifics", "rougeL")),
                *(percent(values[name]) if name in values else None for name in _SHARES),
                number(values["words"], 0) if "words" in values else None,
            )
        )
    heads = ("Content F1", "The reader's difference")
    more = ("Specifics", "ROUGE-L", *_SHARES.values(), "Words")
    return Table.of(
        ("Answers", *(Column(head, "number") for head in heads), "The reader is", *(Column(m, "number") for m in more)),
        rows,
    )
