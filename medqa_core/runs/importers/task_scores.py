"""Every task of an lm-evaluation-harness results object with its figures, and how it was asked as far as it says."""

import re
from typing import Any

from medqa_core.runs.importers.draft import Figures
from medqa_core.runs.importers.source import line, number
from medqa_core.runs.schema.record import TaskScore

MOST = 400
_NO_SCORE = frozenset({"alias", "name", "sample_len", "sample_count", "samples"})


def task_scores(value: dict[str, Any]) -> list[TaskScore]:
    """A score a task and metric, in the file's order; a standard error that is no number is not known."""
    results, samples, shots = (_object(value.get(name)) for name in ("results", "n-samples", "n-shot"))
    found = []
    for task, row in results.items():
        for key, stated in _object(row).items():
            metric, _, filtered = str(key).partition(",")
            score = number(stated)
            if score is None or metric in _NO_SCORE or metric.endswith("_stderr"):
                continue
            error = number(row.get(f"{metric}_stderr,{filtered}" if filtered else f"{metric}_stderr"))
            count = _object(samples.get(task)).get("effective")
            found.append(
                TaskScore(
                    task=line(task, 120),
                    metric=line(metric if filtered in ("", "none") else f"{metric} ({filtered})", 80),
                    value=float(score),
                    stderr=float(error) if error is not None and error >= 0 else None,
                    n=count if type(count) is int and 0 < count < 10**9 else None,
                    shots=shot if type(shot := shots.get(task)) is int and 0 <= shot < 1000 else None,
                )
            )
    return found[:MOST]


def asked(figures: Figures, main: dict[str, Any], arguments: dict[str, str]) -> None:
    """How the model was asked: adapter, chat template, examples as turns, system instruction."""
    config = _object(main.get("config"))
    figures.add("adapter", arguments.get("peft"))
    sha = main.get("chat_template_sha", config.get("chat_template_sha"))
    template = main.get("chat_template", config.get("chat_template"))
    if sha or template:
        figures.add("chat_template", "applied")
    elif "chat_template_sha" in main or "chat_template" in main:
        figures.add("chat_template", "none")
    figures.add("chat_template_sha", line(sha, 64))
    turns = main.get("fewshot_as_multiturn", config.get("fewshot_as_multiturn"))
    if isinstance(turns, bool):
        figures.add("fewshot_as_multiturn", "yes" if turns else "no")
    figures.add("system_instruction_sha", line(main.get("system_instruction_sha"), 64))


def model_arguments(config: dict[str, Any]) -> dict[str, str]:
    """`model_args` as a mapping, whether the file gives one or `pretrained=…,peft=…`; absolute folders cut to names."""
    stated = config.get("model_args")
    if isinstance(stated, str):
        pairs = re.findall(r"(?:^|,)([A-Za-z_]\w*)=([^,]*)", stated)
        return {name: line(value, 120) for name, value in pairs}
    return {str(name): line(value, 120) for name, value in _object(stated).items() if isinstance(value, str)}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
