"""The texts behind a run's question ids. MedQuAD's sentences are not stored in a run, so they are looked up."""

from medqa_core.data.pairs import Pair
from medqa_core.data.sources import SOURCES, load
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema import RunRecord


def texts(record: RunRecord, settings: Settings) -> tuple[dict[str, Pair] | None, str]:
    """Pair by question id, and "" — or None and why the texts cannot be shown."""
    name = record.config.dataset if record.config else None
    if name not in SOURCES:
        return None, "This run does not say which questions it was tested on."
    try:
        return {pair.id: pair for pair in load(name, settings).pairs}, ""
    except MedQAError as error:
        return None, str(error)
