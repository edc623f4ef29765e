"""run.json and status.json as they are now, and the state that they tell: what a list of runs is made from.

Apart from the other readers because those load pandas and Arrow, which neither a list nor the head of a page waits for.
"""

from pathlib import Path

from medqa_core.runs.reading import Reading, read_optional_model
from medqa_core.runs.schema.record import RunRecord
from medqa_core.runs.schema.status import Status, derived_state

RECORD, STATUS = "run.json", "status.json"


def record(folder: Path) -> Reading[RunRecord | None]:
    """`run.json`."""
    return read_optional_model(folder, RECORD, RunRecord)


def status(folder: Path) -> Reading[Status | None]:
    """What the worker last said; None where no worker ever wrote (an imported run)."""
    return read_optional_model(folder, STATUS, Status)


def state_of(record: RunRecord, status: Status | None) -> str:
    """The state to show of a run at this moment: `imported`, `unknown` where no worker left a readable word."""
    if record.kind == "imported":
        return "imported"
    return derived_state(status) if status is not None else "unknown"


def is_elsewhere(status: Status | None) -> bool:
    """Whether a process of another machine trains the run, as far as its status says."""
    return status is not None and status.process is not None and status.process.elsewhere
