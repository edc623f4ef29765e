"""Two imported evaluations judged item by item, where their sources brought the samples."""

from collections.abc import Sequence
from dataclasses import dataclass

from medqa_core.evaluation.paired_items import PairedTask, paired_tasks
from medqa_core.report.facts import Facts
from medqa_core.runs.artifacts.items import read_items


@dataclass(frozen=True)
class PairedItems:
    """The second evaluation against the first."""

    first: Facts
    second: Facts
    tasks: tuple[PairedTask, ...]
    """Empty where the two hold the answers to no question in common."""


def paired_items(facts: Sequence[Facts]) -> PairedItems | None:
    """The first two of the runs that hold items; None where fewer do."""
    found = [(one, held) for one in facts if (held := read_items(one.run.folder).value) is not None]
    if len(found) < 2:
        return None
    (first, one), (second, other) = found[:2]
    return PairedItems(first, second, tuple(paired_tasks(one, other)))
