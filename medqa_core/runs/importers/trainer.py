"""A Hugging Face Trainer output folder becomes a draft. Only its JSON is read: its other files are pickles."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from medqa_core.foundation.errors import InputError
from medqa_core.runs.artifacts.series import Series
from medqa_core.runs.importers import checks
from medqa_core.runs.importers.draft import (
    NO_ANSWERS,
    NO_BASE_FIGURES,
    NO_MMLU,
    TEST_FIGURES,
    Draft,
    Figures,
    evaluation_of,
    modified,
)
from medqa_core.runs.importers.log_rows import as_number
from medqa_core.runs.importers.source import (
    file_name,
    left_aside,
    lenient_json,
    line,
    number,
    read_bytes,
    slug,
    unused,
)
from medqa_core.runs.importers.trainer_history import History, curve_check, read_history
from medqa_core.runs.schema.evaluation import ROUGE
from medqa_core.runs.schema.record import BaseModelRecord, Check, EnvironmentRecord

STATE = "trainer_state.json"
NO_LOG = "trainer_state.json without a log: nothing to draw."
CHECKPOINTS_TRIED = 20

STATE_FIGURES = {
    "global_step": "steps",
    "max_steps": "planned_steps",
    "num_train_epochs": "epochs",
    "epoch": "epochs_done",
    "train_batch_size": "batch_size",
    "best_metric": "best_metric",
    "best_global_step": "best_step",
    "total_flos": "total_flos",
}
RESULT_FIGURES = {
    "train_loss": "mean_train_loss",
    "train_runtime": "train_seconds",
    "train_samples_per_second": "samples_per_second",
    "train_steps_per_second": "steps_per_second",
    "train_samples": "train_size",
    "eval_loss": "validation_loss",
    "eval_samples": "validation_size",
    "perplexity": "perplexity",
    **{f"eval_{name}": f"validation_{name}" for name in ROUGE},
    **{
        f"{split}_{theirs}": ours
        for split in ("test", "predict")
        for theirs, ours in (
            ("loss", "test_loss"),
            ("samples", "test_size"),
            *((name, name) for name in ROUGE),
        )
    },
}
NO_DATA = "Data set, how it was split, and the split's hash."
NO_TEST_LOSS = "Test loss: the output states losses of training and validation only."
NEVER_SAID = (
    NO_BASE_FIGURES,
    NO_ANSWERS,
    NO_DATA,
    "Learning rate, weight decay, warm-up and seed: they are in a pickle (training_args.bin), which is never opened.",
    "Device, and the versions of Python and PyTorch.",
    NO_MMLU,
    "Date: the output states none; the file's own date stands in.",
)


def has_trainer_output(folder: Path) -> bool:
    """Whether `folder` holds a file that Trainer writes."""
    names = (STATE, "all_results.json", "train_results.json")
    return any((folder / name).is_file() for name in names) or bool(checkpoints(folder))


def read_trainer(folder: Path) -> Draft:
    """A Trainer output folder as a draft.

    Raises:
        InputError: none of its files can be read.
    """
    problems: list[str] = []
    state, where = _state(folder, problems)
    results = _results(folder, problems)
    if state is None and not results:
        raise InputError(f"{file_name(folder)}: {problems[0] if problems else 'no usable Trainer file.'}")
    return _draft(folder, file_name(folder), where, state or {}, results, problems)


def read_state_file(path: Path, content: bytes, state: dict[str, Any]) -> Draft:
    """A trainer_state.json on its own as a draft."""
    draft = _draft(path.parent, Path(file_name(path)).stem, path, state, {}, [])
    draft.sha256 = hashlib.sha256(content).hexdigest()
    return draft


def read_log(path: Path, rows: list[dict[str, Any]]) -> Draft:
    """Rows of figures by step, from whichever file or folder, as a draft; only what such rows hold is said."""
    draft = _draft(path, file_name(path), path, {"log_history": rows}, {}, [])
    of_an_output = {*NEVER_SAID, no_base_model(draft.figures)}
    draft.missing = [one for one in draft.missing if one not in of_an_output]
    return draft


def _draft(
    folder: Path, name: str, where: Path | None, state: dict[str, Any], results: dict[str, Any], problems: list[str]
) -> Draft:
    history = read_history([row for row in state.get("log_history") or [] if isinstance(row, dict)])
    figures = Figures()
    for theirs, ours in STATE_FIGURES.items():
        figures.add(ours, number(as_number(state.get(theirs))))
    logged = {key: value for row in history.rows for key, value in row.items() if key.startswith(("train_", "eval_"))}
    stated = {key: as_number(value) for key, value in ({**logged, **results}).items()}
    scaled, scale_note = _shares(stated)
    for key, value in scaled.items():
        if key in RESULT_FIGURES:
            figures.add(RESULT_FIGURES[key], number(value))
    figures.add("last_train_loss", history.last_loss)
    model, version = _model(folder, figures)
    kind = figures.values.get("model_type")
    first = where if where is not None else folder / "all_results.json"
    label = f"{first.parent.name}/{STATE}" if first.parent != folder else first.name
    draft = Draft(
        format="trainer",
        source=line(f"{name}: {label}", 200),
        sha256=_digest(first),
        figures=figures,
        suggested_id=slug(name),
        title=f"{model or (f'a {kind} model' if kind else 'Trainer output')} ({name})",
        created_at=modified(first),
        base_model=BaseModelRecord(id=model) if model else None,
        environment=EnvironmentRecord(transformers=version),
        missing=list(NEVER_SAID),
        notes=[*history.notes(), *scale_note, *_not_kept(state, results, logged)],
        training=history.training,
        series=[_as_share(one) if scale_note else one for one in history.series],
        metrics_lines=history.lines,
        # a perplexity among Trainer's results is the validation set's
        evaluation=evaluation_of(figures, {m: n for m, n in TEST_FIGURES.items() if m != "perplexity"}),
    )
    if draft.evaluation is not None and (n := figures.count("test_size")) is not None:
        told = {name: metric.model_copy(update={"n": n}) for name, metric in draft.evaluation.metrics.items()}
        draft.evaluation = draft.evaluation.model_copy(update={"metrics": told})
    if not history.lines and not history.series:
        draft.missing.append("Loss curve: the output holds no log history.")
    if history.odd:
        draft.missing.append(f"{history.odd} row{'s' * (history.odd > 1)} of the log history without a usable step.")
    if "test_loss" not in figures.values:
        draft.missing.append(NO_TEST_LOSS)
    if model is None:
        draft.missing.append(no_base_model(figures))
    draft.missing += problems[:10]
    draft.checks = _checks(figures, history)
    return draft


def no_base_model(figures: Figures) -> str:
    """What a draft's `missing` says where the output does not name its base model."""
    kind = figures.values.get("model_type")
    return "Base model: " + (f"only its kind, {kind}, is named." if kind else "no config names it.")


def _not_kept(state: dict[str, Any], results: dict[str, Any], logged: dict[str, Any]) -> list[str]:
    """What the state and the results hold beside figures and log, by name; what both or the log hold is named there."""
    of_results = unused(results, {*RESULT_FIGURES, *state, *logged})
    return [
        *left_aside(unused(state, {*STATE_FIGURES, "log_history"}), f"Not kept, of {STATE}"),
        *left_aside(of_results, "Not kept, of the results files"),
    ]


def _shares(stated: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The figures with ROUGE as a share of one, and what is said where the source gives it on a 0 to 100 scale."""
    keys = [key for key in stated if key in RESULT_FIGURES and key.split("_", 1)[-1] in ROUGE]
    values = {key: value for key in keys if (value := number(stated[key])) is not None}
    if not values or not 1 < max(values.values()) <= 100 or min(values.values()) < 0:
        return stated, []
    shown = max(values, key=lambda key: key.endswith("rougeL"))
    note = (
        f"ROUGE is stated on a 0 to 100 scale and shown as a share of one: {shown.split('_', 1)[-1]} "
        f"{values[shown]:g} as {values[shown] / 100:.4g}."
    )
    return stated | {key: round(value / 100, 12) for key, value in values.items()}, [note]


def _as_share(series: Series) -> Series:
    """A series of ROUGE on a 0 to 100 scale as shares of one; any other as it is."""
    if not series.name.lower().startswith("rouge"):
        return series
    values = [None if value is None else round(value / 100, 12) for value in series.values]
    return series.model_copy(update={"values": values})


def _checks(figures: Figures, history: History) -> list[Check]:
    found = [
        checks.throughput(figures),
        checks.step_rate(figures),
        checks.perplexity(figures, "validation_loss"),
        curve_check(history, figures.count("steps")),
    ]
    if any(name in figures.values for name in ROUGE):
        found.append(checks.rouge(figures))
    return found + checks.training_against_test(figures)


def _state(folder: Path, problems: list[str]) -> tuple[dict[str, Any] | None, Path | None]:
    """The state at the end of training, or the newest checkpoint's that can be read."""
    paths = [folder / STATE, *(checkpoint / STATE for checkpoint in checkpoints(folder)[:CHECKPOINTS_TRIED])]
    for path in paths:
        if not os.path.lexists(path):
            continue
        try:
            state = lenient_json(read_bytes(path), STATE if path.parent == folder else f"{path.parent.name}/{STATE}")
        except InputError as error:
            problems.append(line(str(error)))
            continue
        if isinstance(state, dict) and isinstance(state.get("log_history"), list):
            return state, path
        problems.append(NO_LOG if path.parent == folder else line(f"{path.parent.name}/{NO_LOG}"))
    return None, None


def _results(folder: Path, problems: list[str]) -> dict[str, Any]:
    """What all_results.json and its siblings state; the first to state a key counts."""
    merged: dict[str, Any] = {}
    for name in ("all", "train", "eval", "test", "predict"):
        path = folder / f"{name}_results.json"
        if not os.path.lexists(path):
            continue
        try:
            value = lenient_json(read_bytes(path), path.name)
        except InputError as error:
            problems.append(line(str(error)))
            continue
        if isinstance(value, dict):
            merged = value | merged
    return merged


def checkpoints(folder: Path) -> list[Path]:
    """What a folder holds under a checkpoint's name, newest first; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = [(int(m[1]), e.path) for e in entries if (m := re.fullmatch(r"checkpoint-(\d{1,15})", e.name))]
    except (OSError, ValueError):
        return []
    return [Path(path) for _, path in sorted(found, reverse=True)]


def _model(folder: Path, figures: Figures) -> tuple[str | None, str | None]:
    """The model's name and the version of transformers, from the configuration beside the output."""
    name = version = None
    for file, key in (("adapter_config.json", "base_model_name_or_path"), ("config.json", "_name_or_path")):
        try:
            config = lenient_json(read_bytes(folder / file, 2**20), file)
        except InputError:
            continue
        if isinstance(config, dict):
            name = name or line(config.get(key), 120) or None
            version = version or line(config.get("transformers_version"), 40) or None
            figures.add("model_type", line(config.get("model_type"), 80))
    figures.add("base_model", name)
    figures.add("transformers", version)
    return name, version


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(read_bytes(path)).hexdigest()
    except InputError:
        return None
