"""The pairs that a run was trained on: read and split once, then kept in the cache, as that takes tens of seconds."""

import logging
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

import medqa_core
from medqa_core.data.lookup import fingerprint_of, split_of
from medqa_core.data.pairs import QAPair
from medqa_core.foundation.errors import DataUnavailable
from medqa_core.foundation.files import sha256_text
from medqa_core.foundation.settings import Settings
from medqa_core.models.build_cache import kept
from medqa_core.runs.run import Run

RECIPE = f"training pairs/1 medqa-lab {medqa_core.__version__}"
_FILE = "pairs.json"
_PAIRS = TypeAdapter(tuple[QAPair, ...])

log = logging.getLogger("medqa.answering")


def training_pairs(run: Run, settings: Settings) -> tuple[QAPair, ...]:
    """The training pairs of `run`, in the order of its split.

    Raises:
        MedQAError: the data set is not available or not known, or is not the one that the run was trained on.
    """
    record = run.record
    if record.questions is not None and not record.training_set_known:
        raise DataUnavailable(
            f"It is not known what {run.id} was trained on: import it again with --trained-on to compare and to "
            "search its training answers."
        )
    key = None if record.questions is None else fingerprint_of(record.questions, settings)
    if record.questions is None or key is None:
        return split_of(record, settings)[1].train
    recorded = record.data.split_hash if record.data else None
    named = sha256_text(f"{record.questions.model_dump_json()} {key} {recorded}")[:32]
    return kept(
        settings.cache / "training-pairs" / named,
        RECIPE,
        lambda: split_of(record, settings)[1].train,
        write=_write,
        read=lambda folder: _PAIRS.validate_json((folder / _FILE).read_bytes()),
        unwritable="The training set is read anew by each process.",
        damaged="The kept training pairs in %s are damaged (%s); delete them.",
        log=log,
    )


def _write(pairs: tuple[QAPair, ...], folder: Path) -> dict[str, Any]:
    (folder / _FILE).write_bytes(_PAIRS.dump_json(pairs))
    return {"pairs": len(pairs)}
