"""Files of a run folder as an earlier version wrote them, brought to the names of today before they are validated.

Each function takes what was read and gives it back with today's names; what is no object, or is of today already,
comes back as it is. Nothing is written: a run keeps its files until something else about it changes.
"""

from collections.abc import Mapping
from typing import Any

from medqa_core.runs.schema.upgrade_protocol import upgrade_protocol

RUN_FIELDS = {"objective": "description"}
CONFIG_FIELDS = {
    "objective": "description",
    "accumulation": "gradient_accumulation_steps",
    "pass_tokens": "max_tokens_per_forward",
}
FIGURES = {"accumulation": "gradient_accumulation_steps"}
METRIC_FIELDS = {"smallest_detectable": "min_detectable_effect", "questions_to_settle": "required_n"}
EVALUATION_FIELDS = {"grounded": "with_sources"}
RETRIEVAL_FIELDS = {"seconds_a_question": "seconds_per_question"}


def upgrade_run(value: Any) -> Any:
    """`run.json` of schema 1 (MedQA Lab 0.1) as schema 2; a configuration without versions has the first ones."""
    if not isinstance(value, Mapping):
        return value
    run = dict(value)
    if _is_first(value):
        run = _first_run(value)
    if isinstance(run.get("config"), Mapping):
        run["config"] = {"split_version": 1, "reading_version": 1, **run["config"]}
    return run


def _first_run(value: Mapping[str, Any]) -> dict[str, Any]:
    run: dict[str, Any] = _renamed(value, RUN_FIELDS) | {"schema_version": 2}
    if "config" in run:
        run["config"] = _renamed(run["config"], CONFIG_FIELDS)
    imported = run.get("imported")
    if isinstance(imported, Mapping) and "figures" in imported:
        run["imported"] = {**imported, "figures": _renamed(imported["figures"], FIGURES)}
    return run


def upgrade_evaluation(value: Any) -> Any:
    """`evaluation.json` of schema 1 (MedQA Lab 0.1) or 2 (without controls and templates) as schema 3."""
    if isinstance(value, Mapping) and value.get("schema_version") == 2:
        return {**value, "schema_version": 3}
    if not _is_first(value):
        return value
    evaluation = _renamed(value, EVALUATION_FIELDS) | {"schema_version": 3}
    for name in ("metrics", "clean"):
        if name in evaluation:
            evaluation[name] = _metrics(evaluation[name])
    for name in ("by_question_type", "by_source"):
        if isinstance(evaluation.get(name), Mapping):
            evaluation[name] = {part: _metrics(metrics) for part, metrics in evaluation[name].items()}
    if "protocol" in evaluation:
        evaluation["protocol"] = upgrade_protocol(evaluation["protocol"])
    if isinstance(evaluation.get("with_sources"), Mapping):
        evaluation["with_sources"] = _with_sources(evaluation["with_sources"])
    return evaluation


def upgrade_retrieval(value: Any) -> Any:
    """`retrieval.json` of schema 1 (MedQA Lab 0.1) as schema 2."""
    return _renamed(value, RETRIEVAL_FIELDS) | {"schema_version": 2} if _is_first(value) else value


def _is_first(value: Any) -> bool:
    """Whether it says that it is of schema 1; 0.1 wrote no file without a version."""
    return isinstance(value, Mapping) and value.get("schema_version") == 1


def _with_sources(part: Mapping[str, Any]) -> dict[str, Any]:
    upgraded = dict(part)
    for name in ("against_base", "against_fine_tuned"):
        if name in upgraded:
            upgraded[name] = _metrics(upgraded[name])
    if "protocol" in upgraded:
        upgraded["protocol"] = upgrade_protocol(upgraded["protocol"])
    return upgraded


def _metrics(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {name: _renamed(metric, METRIC_FIELDS) for name, metric in value.items()}


def _renamed(value: Any, names: Mapping[str, str]) -> Any:
    return {names.get(key, key): one for key, one in value.items()} if isinstance(value, Mapping) else value
