"""The way in: which format PATH is, and the run folder made of it."""

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import write_bytes, write_json, write_text
from medqa_core.foundation.paths import check_run_id
from medqa_core.runs.artifacts.items import write_items
from medqa_core.runs.artifacts.series import write_series
from medqa_core.runs.importers.curve import event_files, is_curve, read_curve, read_events
from medqa_core.runs.importers.draft import Draft, modified
from medqa_core.runs.importers.inspect_file import SUFFIX, is_log, log_of, open_archive
from medqa_core.runs.importers.inspect_log import newest_log, read_inspect
from medqa_core.runs.importers.lm_eval import parse_file, read_lm_eval, results_file
from medqa_core.runs.importers.source import file_name, kind_of, lenient_json, line, read_bytes
from medqa_core.runs.importers.summary import read_summary
from medqa_core.runs.importers.trainer import NO_LOG, has_trainer_output, read_state_file, read_trainer
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import ImportRecord, RunRecord
from medqa_core.runs.schema.status import now
from medqa_core.runs.store.run_store import RunStore

LOOKED_FOR = (
    "Looked for a summary text (lines such as `Test Loss: 2.04`), a Trainer output folder (trainer_state.json, "
    "all_results.json or checkpoint-*/trainer_state.json), lm-evaluation-harness's results.json, Inspect's log (.eval "
    "or JSON), and a curve (CSV or lines of JSON with a step, TensorBoard's event files, Trackio's database)."
)


def import_path(
    path: Path, store: RunStore, *, run_id: str | None = None, title: str | None = None, keep_prose: bool = True
) -> Run:
    """Turn a foreign run into a run of kind `imported`; the store gets it complete or not at all.

    `keep_prose=False` leaves the source's own sentences out, for a run that is passed on.

    Raises:
        InputError: PATH is none of the formats in LOOKED_FOR, or the run id is not valid or taken; in one line.
        RunError: the store cannot be written.
    """
    if run_id is not None:
        check_run_id(run_id)
    try:
        draft = read_draft(path, keep_prose)
    except InputError as error:
        raise InputError(f"{error} {LOOKED_FOR}") from error
    try:
        record = record_of(path, draft, run_id or store.free_id(draft.suggested_id), title)
    except ValidationError as error:
        raise InputError(f"{file_name(path)} holds values that no run can hold. {LOOKED_FOR}") from error
    return store.create(record, lambda folder: write_draft(folder, draft))


def read_draft(path: Path, keep_prose: bool) -> Draft:
    """What PATH holds, whichever format it is.

    Raises:
        InputError: none of those in LOOKED_FOR.
    """
    kind, name = kind_of(path), file_name(path)
    if kind == "folder":
        return _in_folder(path, name)
    if kind != "file":
        raise InputError(f"{name} is {kind}.")
    if path.suffix == SUFFIX:
        return read_inspect(path, open_archive(path))
    content = read_bytes(path)
    if is_curve(content, path.name):
        return read_curve(path, content)
    if content.lstrip()[:1] not in (b"{", b"["):
        return read_summary(path, content, keep_prose)
    return _in_json(path, content, lenient_json(content, name))


def _in_folder(path: Path, name: str) -> Draft:
    if has_trainer_output(path):
        return read_trainer(path)
    results = results_file(path)
    if results is not None:
        content, value = parse_file(results)
        return read_lm_eval(results, content, value)
    if event_files(path):
        return read_events(path)
    log = newest_log(path)
    if log is None:
        raise InputError(f"{name} holds no run that can be imported.")
    return read_draft(log, keep_prose=False)


def _in_json(path: Path, content: bytes, value: Any) -> Draft:
    known = value if isinstance(value, dict) else {}
    if isinstance(known.get("log_history"), list):
        return read_state_file(path, content, known)
    if "global_step" in known and "results" not in known:
        raise InputError(f"{file_name(path)}: {NO_LOG}")
    if is_log(value):
        return read_inspect(path, log_of(known, file_name(path)))
    return read_lm_eval(path, content, value)


def record_of(path: Path, draft: Draft, run_id: str, title: str | None) -> RunRecord:
    """The record of an imported run, as its source states it.

    Raises:
        ValidationError: the draft holds values that no run can hold.
    """
    return RunRecord(
        id=run_id,
        number=draft.number,
        title=line(title, 120) or line(draft.title, 120) or run_id,
        description=line(draft.description, 1000),
        kind="imported",
        created_at=draft.created_at or modified(path) or now(),
        base_model=draft.base_model,
        data=draft.data(),
        environment=draft.environment,
        imported=ImportRecord(
            format=draft.format,
            source=draft.source,
            sha256=draft.sha256,
            figures=draft.figures.values,
            sections=draft.sections,
            missing=draft.missing,
            tasks=draft.tasks,
            notes=draft.notes,
            training=draft.training,
            checks=draft.checks,
        ),
    )


def write_draft(folder: Path, draft: Draft) -> None:
    """The files of an imported run but its record."""
    if draft.evaluation is not None:
        write_json(folder / "evaluation.json", draft.evaluation.model_dump(mode="json"))
    if draft.metrics_lines:
        write_text(folder / "metrics.jsonl", "".join(draft.metrics_lines))
    if draft.series:
        write_series(folder, draft.series)
    if draft.items is not None:
        write_items(folder, draft.items)
    if draft.mmlu is not None:
        write_bytes(folder / "mmlu_results" / "results.json", draft.mmlu)
