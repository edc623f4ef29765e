"""Files of a run folder as an earlier version wrote them, brought to the names of today before they are validated.

Each function takes what was read and gives it back with today's names; what is no object, or is of today already,
comes back as it is. Nothing is written: a run keeps its files until something else about it changes.
"""

from collections.abc import Mapping
from typing import Any

RUN_FIELDS = {"objective": "description"}
CONFIG_FIELDS = {
    "objective": "description",
    "accumulation": "gradient_accumulation_steps",
    "pass_tokens": "max_tokens_per_forward",
}
FIGURES = {"accumulation": "gradient_accumulation_steps"}
METRIC_FIELDS = {"smallest_detectable": "min_detectable_effect", "questions_to_settle": "required_n"}
EVALUATION_FIELDS = {"grounded": "with_sources"}


def upgrade_run(value: Any) -> Any:
    """`run.json` of schema 1 (MedQA Lab 0.1) as schema 2."""
    if not _is_first(value):
        return value
    run = _renamed(value, RUN_FIELDS) | {"schema_version": 2}
    run["config"] = _renamed(run.get("config"), CONFIG_FIELDS)
    imported = run.get("imported")
    if isinstance(imported, Mapping):
        run["imported"] = {**imported, "figures": _renamed(imported.get("figures", {}), FIGURES)}
    return run


def upgrade_evaluation(value: Any) -> Any:
    """`evaluation.json` of schema 1 (MedQA Lab 0.1) as schema 2."""
    if not _is_first(value):
        return value
    evaluation = _renamed(value, EVALUATION_FIELDS) | {"schema_version": 2}
    for name in ("metrics", "clean"):
        if name in evaluation:
            evaluation[name] = _metrics(evaluation[name])
    for name in ("by_question_type", "by_source"):
        if isinstance(evaluation.get(name), Mapping):
            evaluation[name] = {part: _metrics(metrics) for part, metrics in evaluation[name].items()}
    sources = evaluation.get("with_sources")
    if isinstance(sources, Mapping):
        against = {n: _metrics(sources[n]) for n in ("against_base", "against_fine_tuned") if n in sources}
        evaluation["with_sources"] = {**sources, **against}
    return evaluation


def _is_first(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("schema_version", 1) == 1


def _metrics(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: _renamed(metric, METRIC_FIELDS) for name, metric in value.items()}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    return {names.get(key, key): one for key, one in value.items()} if isinstance(value, Mapping) else value
