"""`training.json`: what a training left at its end, or an import took in, so that whatever is changed later shows.

It is no signature. Who can write the run's files can write this one too; what holds then are the checks of `verify`
that compute a file's content from another one's (`evaluation.chain`).
"""

from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from medqa_core.foundation.errors import OutsideStore, UnreadableFile
from medqa_core.foundation.files import loads, sha256, write_json
from medqa_core.foundation.lines import read_lines
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs import records
from medqa_core.runs.artifacts.weights import weights_file
from medqa_core.runs.metrics_log.log import METRICS_LOG
from medqa_core.runs.reading import Reading, read_optional_model
from medqa_core.runs.schema.record import Line, Record
from medqa_core.runs.schema.status import Best, now

TRAINING = "training.json"
LAST_BYTES = 64 * 2**10
"""Of metrics.jsonl, in which its last row is looked for."""
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class TrainingRecord(Record):
    """The whole of `training.json`."""

    schema_version: Literal[1] = 1
    written_at: AwareDatetime
    written_by: Literal["training", "afterwards", "import"]
    """`afterwards`: made of what was there later; it says nothing about what came before. `import`: of a model that was
    trained elsewhere, when it came in."""
    code_version: Line
    run_sha256: Sha256
    """Of run.json: configuration, base, data and split."""
    weights: dict[str, Sha256]
    """Every file of `adapter/` or `model/` by its path, the configuration included."""
    metrics_sha256: Sha256 | None = None
    """Of metrics.jsonl; None where there is none."""
    last_row: dict[str, Any] | None = None
    """The last row of metrics.jsonl, as it stands there."""
    best: Best | None = None
    """The validation whose weights were kept."""
    split_hash: Line | None = None
    changed: bool | None = None
    """Whether the weights that were kept differ from the base's; None: not looked at."""


def write_training_record(
    folder: Path,
    *,
    by: Literal["training", "afterwards", "import"],
    code_version: str,
    best: Best | None,
    changed: bool | None,
) -> TrainingRecord:
    """Write the record of the run in `folder` as it is now.

    Raises:
        UnreadableFile, OutsideStore: a file of it cannot be read or lies elsewhere.
        OSError: the record cannot be written.
    """
    found = _found(folder)
    made = TrainingRecord(
        written_at=now(), written_by=by, code_version=code_version, best=best, changed=changed, **asdict(found)
    )
    write_json(folder / TRAINING, made.model_dump(mode="json"))
    return made


def read_training_record(folder: Path) -> Reading[TrainingRecord | None]:
    """The run's record; None where it is missing, as in runs of versions before 0.3, or cannot be read."""
    return read_optional_model(folder, TRAINING, TrainingRecord)


def differences(folder: Path, stated: TrainingRecord) -> list[str]:
    """What of the run in `folder` is not what the record says, one sentence each.

    Raises:
        UnreadableFile, OutsideStore: a file of it cannot be read or lies elsewhere.
    """
    here = _found(folder)
    problems = []
    for name in sorted({*here.weights, *stated.weights}):
        if name not in stated.weights:
            problems.append(f"{name} was not there when the record was made.")
        elif name not in here.weights:
            problems.append(f"{name} is missing.")
        elif here.weights[name] != stated.weights[name]:
            problems.append(f"{name} is not the file that the record names.")
    if here.run_sha256 != stated.run_sha256:
        problems.append(f"{records.RECORD} was changed: configuration, base, data or split are not those trained with.")
    if here.metrics_sha256 != stated.metrics_sha256:
        problems.append(f"{METRICS_LOG} was changed.")
    if here.last_row != stated.last_row:
        problems.append(f"The last row of {METRICS_LOG} is another one.")
    if here.split_hash != stated.split_hash:
        problems.append("The split is another one.")
    return problems


@dataclass(frozen=True)
class _Found:
    """What a record says of a run's files, under its names."""

    run_sha256: str
    weights: dict[str, str]
    metrics_sha256: str | None
    last_row: dict[str, Any] | None
    split_hash: str | None


def _found(folder: Path) -> _Found:
    record = records.record(folder).value
    return _Found(
        run_sha256=_sum(folder, records.RECORD),
        weights=_weights(folder),
        metrics_sha256=_sum(folder, METRICS_LOG) if (folder / METRICS_LOG).is_file() else None,
        last_row=_last_row(folder),
        split_hash=record.data.split_hash if record is not None and record.data is not None else None,
    )


def _weights(folder: Path) -> dict[str, str]:
    file = weights_file(folder)
    if file is None:
        return {}
    names = sorted(path.relative_to(folder).as_posix() for path in file.parent.rglob("*") if not path.is_dir())
    return {name: _sum(folder, name) for name in names}


def _sum(folder: Path, name: str) -> str:
    path = resolve_inside(folder, *name.split("/"))
    try:
        return sha256(path)
    except OSError as error:
        raise UnreadableFile(f"{name} cannot be read: {error.strerror or error}.") from error


def _last_row(folder: Path) -> dict[str, Any] | None:
    """The last whole row; None where there is none."""
    try:
        path = resolve_inside(folder, METRICS_LOG)
        lines = read_lines(path, LAST_BYTES)[0] if path.is_file() else []
    except (OSError, OutsideStore):
        return None
    for line in reversed(lines):
        with suppress(ValueError):
            row = loads(line)
            if isinstance(row, dict):
                return row
    return None
