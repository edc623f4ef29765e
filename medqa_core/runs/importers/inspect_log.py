"""A log of Inspect becomes a draft: what it states of every scorer, and which of its questions were answered right.

Where the task is MMLU as `inspect_evals` asks it, its medical subsets are counted from the samples and stand beside
those of lm-evaluation-harness.
"""

import os
import re
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import dumps, sha256, sha256_text
from medqa_core.foundation.format import count, plural
from medqa_core.runs.artifacts.mmlu import GENERATED, SUBSETS, parse_results
from medqa_core.runs.importers.draft import Draft, Figures
from medqa_core.runs.importers.inspect_file import SUFFIX, InspectLog, Sample, Spec, Stated, dump
from medqa_core.runs.importers.lm_eval import NEVER_SAID, NO_ITEMS, mmlu_evaluation, say_missing
from medqa_core.runs.importers.source import file_name, left_aside, line, number, slug
from medqa_core.runs.schema.record import BaseModelRecord, Check, EnvironmentRecord, TaskScore

WRITTEN = (
    "Inspect has the model write its answer and reads the letter in it: other figures than from likelihoods, which is "
    "how lm-evaluation-harness and this program ask MMLU."
)
_MMLU = re.compile(r"(?:.*/)?mmlu(?:_(?P<shots>\d+)_shot)?")
_SHOTS = re.compile(r".*?(?P<shots>\d+)[_-]shot.*")
_JSON_LOG = re.compile(r"\d{4}-\d\d-\d\dT.*\.json")
_VALUES = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0, "yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
"""As Inspect's own `value_to_float`."""
_LOCAL = ("hf", "vllm", "sglang", "llama-cpp-python", "transformer-lens", "nnterp")
"""Providers whose models go by their names on the hub."""
_SAME = 0.0005
"""Accuracies that differ by less are the same but for rounding."""
MOST = 400
"""Figures that are kept."""
Rows = list[tuple[str, str, str, float]]


def newest_log(folder: Path) -> Path | None:
    """The newest log of Inspect in a folder, by its name, which begins with its date; None where there is none."""
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except OSError:
        return None
    logs = [name for name in names if name.endswith(SUFFIX) or _JSON_LOG.fullmatch(name)]
    return folder / max(logs) if logs else None


def read_inspect(path: Path, log: InspectLog) -> Draft:
    """A log as a draft.

    Raises:
        InputError: it holds neither a figure nor a scored question, or cannot be read to its end.
    """
    header, name = log.header, file_name(path)
    spec, model = header.eval, _model(header.eval)
    mmlu = _is_mmlu(spec)
    rows, left = _items(log.samples, line(spec.task, 120), mmlu=mmlu)
    scores = header.results.scores if header.results is not None else []
    tasks = _tasks(log)
    if not rows and not tasks:
        raise InputError(f"{name} holds no score: the evaluation ended as {line(header.status, 20)!r}.")
    results = _mmlu_results(rows, spec) if mmlu else None
    figures = Figures()
    figures.add("base_model", model)
    figures.add("n_shot", _shots(spec.task))
    for ours, value in (
        ("limit", spec.config.get("limit")),
        ("temperature", header.plan.config.get("temperature")),
        ("seed", header.plan.config.get("seed")),
    ):
        figures.add(ours, number(value))
    parsed = parse_results(results) if results is not None else None
    for score in parsed.fine_tuned if parsed is not None else []:
        figures.add(f"mmlu_{score.subset}", score.accuracy)
        figures.add(f"mmlu_{score.subset}_n", score.n)
    draft = Draft(
        format="inspect",
        source=name,
        sha256=sha256(path),
        figures=figures,
        suggested_id=slug(f"{'mmlu' if parsed is not None else spec.task}-{model}"),
        title=f"{'MMLU' if parsed is not None else line(spec.task, 60)} of {model}",
        created_at=_date(spec.created),
        base_model=BaseModelRecord(id=model) if model else None,
        environment=EnvironmentRecord(packages=_packages(spec)),
        missing=[one for one in NEVER_SAID if not rows or one != NO_ITEMS],
        tasks=tasks,
        items=pd.DataFrame(rows, columns=["task", "item", "metric", "value"]) if rows else None,
        checks=[check for one in scores if (check := _check(one.name, one.metrics, rows)) is not None],
        mmlu=dumps(results, indent=2).encode() if results is not None else None,
        evaluation=mmlu_evaluation(parsed) if parsed is not None else None,
    )
    say_missing(draft, parsed)
    draft.missing += _left_out(left, name)
    draft.notes += _notes(log, mmlu=parsed is not None)
    return draft


def _model(spec: Spec) -> str:
    """The model as others name it: without the provider where that only says what ran it here."""
    provider, _, name = spec.model.partition("/")
    if provider not in _LOCAL or not name:
        return line(spec.model, 120)
    path = spec.model_args.get("model_path")
    return line(path if name == "local" and isinstance(path, str) else name, 120)


def _is_mmlu(spec: Spec) -> bool:
    """Whether the questions are MMLU's own, in English: translations go by the same name of a task."""
    language = spec.task_args.get("language", "EN_US")
    place = f"{spec.dataset.location} {spec.dataset.name}".lower()
    return _MMLU.fullmatch(spec.task) is not None and language == "EN_US" and "mmmlu" not in place


def _shots(task: str) -> int | None:
    found = _SHOTS.fullmatch(task)
    return int(found["shots"]) if found and len(found["shots"]) < 4 else None


def _items(samples: Iterable[Sample | None], task: str, *, mmlu: bool) -> tuple[Rows, Counter[str]]:
    """A row a question, scorer and, of MMLU, subject, in the log's order; and what was left out, counted.

    A question that was asked several times has the mean of its values, as Inspect's own figures count it.
    """
    found: dict[tuple[str, str, str], list[float]] = {}
    left: Counter[str] = Counter()
    for sample in samples:
        if sample is None:
            left["unreadable"] += 1
            continue
        subject = (sample.metadata or {}).get("subject") if mmlu else None
        of = f"mmlu_{line(subject, 80)}" if isinstance(subject, str) else task
        left["unscored"] += not sample.scores
        for scorer, score in (sample.scores or {}).items():
            value = _share(score.value)
            if value is None:
                left["unscored"] += 1
            else:
                found.setdefault((of, _question(sample), line(scorer, 60)), []).append(value)
    rows = [(of, item, scorer, sum(values) / len(values)) for (of, item, scorer), values in found.items()]
    return rows, left


def _question(sample: Sample) -> str:
    """What makes two samples the same question: the last turn and the choices, whatever stood before them."""
    asked: Any = sample.input if isinstance(sample.input, str) else [turn.content for turn in sample.input][-1:]
    while isinstance(asked, list) and len(asked) == 1:  # a turn's text may stand in a list of its parts
        asked = asked[0].get("text") if isinstance(asked[0], dict) else asked[0]
    return sha256_text(dumps([asked, sorted(sample.choices or [])]))[:32]


def _share(value: Any) -> float | None:
    """A score between 0 and 1; None where it is none, as that of an answer that could not be scored (NaN)."""
    if isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        return _VALUES.get(value, _VALUES.get(value.lower()))
    given = number(value)
    return float(given) if given is not None and 0 <= given <= 1 else None


def _tasks(log: InspectLog) -> list[TaskScore]:
    """A score a scorer and figure, as stated."""
    results, task = log.header.results, log.header.eval.task
    found = []
    for scorer in results.scores if results is not None else []:
        error = number(scorer.metrics["stderr"].value) if "stderr" in scorer.metrics else None
        n = scorer.scored_samples or (results.completed_samples if results is not None else None)
        for name, stated in scorer.metrics.items():
            value = number(stated.value)
            if value is None or "stderr" in name:
                continue
            found.append(
                TaskScore(
                    task=line(task, 120),
                    metric=line(f"{name} ({scorer.name})", 80),
                    value=float(value),
                    stderr=float(error) if error is not None and error >= 0 else None,
                    n=n if n else None,
                    shots=_shots(task),
                )
            )
    return found[:MOST]


def _mmlu_results(rows: Rows, spec: Spec) -> dict[str, Any] | None:
    """The medical subsets as lm-evaluation-harness writes them, counted; None where none was asked."""
    by: dict[str, list[float]] = {}
    scorer = "choice" if any(row[2] == "choice" for row in rows) else rows[0][2] if rows else ""
    for task, _, metric, value in rows:
        if metric == scorer and task.removeprefix("mmlu_") in SUBSETS:
            by.setdefault(task, []).append(value)
    if not by:
        return None
    shots = _shots(spec.task)
    return {
        "results": {task: {"acc,none": sum(values) / len(values)} for task, values in sorted(by.items())},
        "n-samples": {task: {"effective": len(values)} for task, values in sorted(by.items())},
        "n-shot": dict.fromkeys(sorted(by), shots) if shots is not None else {},
        "config": {"model": "inspect_ai", "scoring": GENERATED},
    }


def _check(scorer: str, metrics: dict[str, Stated], rows: Rows) -> Check | None:
    """The accuracy that is stated is the one of the samples; None where one of the two is not there."""
    values = [row[3] for row in rows if row[2] == line(scorer, 60)]
    stated = number(metrics["accuracy"].value) if "accuracy" in metrics else None
    if stated is None or not values:
        return None
    counted = sum(values) / len(values)
    return Check(
        name=f"Accuracy ({line(scorer, 60)})",
        passed=abs(counted - stated) < _SAME,
        detail=f"{stated:.4f} stated; {counted:.4f} counted from {plural(len(values), 'question')}.",
    )


def _left_out(left: Counter[str], name: str) -> list[str]:
    said = []
    if left["unreadable"]:
        said.append(f"{plural(left['unreadable'], 'sample')} cannot be read here. {dump(name)}")
    if left["unscored"]:
        said.append(f"{plural(left['unscored'], 'answer')} without a score between 0 and 1.")
    return said


def _notes(log: InspectLog, *, mmlu: bool) -> list[str]:
    status, results, epochs = log.header.status, log.header.results, log.header.eval.config.get("epochs")
    said = [WRITTEN] if mmlu else []
    if status != "success":
        done = f" after {count(results.completed_samples)} of {count(results.total_samples)}" if results else ""
        said.append(f"The evaluation ended as {line(status, 20)!r}{done}.")
    if type(epochs) is int and epochs > 1:
        said.append(f"Each question was asked {count(epochs)} times; it counts with the mean of its scores.")
    return said + left_aside(log.header.unused(), "Not kept, of the log")


def _packages(spec: Spec) -> dict[str, str]:
    version = line(spec.packages.get("inspect_ai"), 40)
    return {"inspect_ai": version} if version else {}


def _date(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
