"""lm-evaluation-harness's results.json becomes a draft: accuracy by medical subset."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import JSON_LIMIT, dumps, loads
from medqa_core.foundation.format import listing
from medqa_core.runs.artifacts.mmlu import MMLUResults, parse_results, subset_of
from medqa_core.runs.importers import checks
from medqa_core.runs.importers.draft import NO_BASE, NO_DATE, Draft, Figures, date_from
from medqa_core.runs.importers.samples import read_samples
from medqa_core.runs.importers.source import (
    file_name,
    left_aside,
    lenient_json,
    line,
    number,
    read_bytes,
    slug,
    unused,
    without_paths,
)
from medqa_core.runs.importers.task_scores import asked, model_arguments, task_scores
from medqa_core.runs.schema.evaluation import Evaluation, Metric, MMLUProtocol, Protocol
from medqa_core.runs.schema.record import BaseModelRecord, EnvironmentRecord, TaskScore

NO_ITEMS = "Per-question answers: no paired test between models."
NEVER_SAID = ("Training: settings, data, loss curve, test loss, ROUGE.", NO_ITEMS)
FOLDERS_TRIED = 200
DEEPEST = 3
"""Levels below the folder."""
USED = frozenset({
    "results", "n-samples", "n-shot", "config", "date", "model_name", "lm_eval_version", "transformers_version",
    "chat_template", "chat_template_sha", "fewshot_as_multiturn", "system_instruction_sha",
})  # fmt: skip
"""Of a results object."""
USED_CONFIG = frozenset({
    "model_args", "random_seed", "fewshot_seed", "limit", "model_num_parameters", "device", "metric", "scoring",
    "chat_template", "chat_template_sha", "fewshot_as_multiturn",
})  # fmt: skip
SETTINGS = {"random_seed": "seed", "fewshot_seed": "fewshot_seed", "limit": "limit"}


def results_file(folder: Path) -> Path | None:
    """The results file in `folder`, or in a folder up to three below it: `results.json`, else the newest dated one.

    So lie what `lm_eval --output_path` writes (a folder a model) and leaderboards' archives (an organisation, a model).
    """
    left, tried = [(folder, 0)], 0
    while left and tried < FOLDERS_TRIED:
        place, depth = left.pop(0)
        tried += 1
        try:
            with os.scandir(place) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError:
            continue
        names = [e.name for e in entries if re.fullmatch(r"results(_.*)?\.json", e.name) and e.is_file()]
        if depth > 1 and "results.json" in names:  # so far down that is anybody's name; a dated one is the harness's
            names.remove("results.json")
        if names:
            return place / ("results.json" if "results.json" in names else max(names))
        if depth < DEEPEST:
            left += [(Path(e.path), depth + 1) for e in entries if e.is_dir() and not e.name.startswith(".")]
    return None


def read_lm_eval(path: Path, content: bytes, value: Any) -> Draft:
    """A results.json as a draft; one with medical subsets of MMLU itself goes into the run.

    Raises:
        InputError: it holds no task with a figure, or is nested too deeply.
    """
    name = file_name(path)
    if len(content) > JSON_LIMIT:
        raise InputError(f"{name} is larger than {JSON_LIMIT // 2**20} MiB; it was not read.")
    try:
        results = _results(value)
        mmlu = _copy(content, value) if results is not None else None
    except RecursionError as error:
        raise InputError(f"{name} is not usable JSON: nested too deeply.") from error
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error
    main = value["fine_tuned"] if isinstance(value.get("fine_tuned"), dict) else value
    config = main["config"] if isinstance(main.get("config"), dict) else {}
    tasks = task_scores(main)

    figures = Figures()
    arguments = model_arguments(config)
    model = line(main.get("model_name"), 120) or arguments.get("pretrained", "")
    figures.add("base_model", model)
    asked(figures, main, arguments)
    for theirs, ours in SETTINGS.items():
        figures.add(ours, number(config.get(theirs)))
    both = (("base_", results.base or []), ("", results.fine_tuned)) if results is not None else ()
    for prefix, scores in both:
        for score in scores:
            figures.add(f"{prefix}mmlu_{score.subset}", score.accuracy)
            figures.add(f"{prefix}mmlu_{score.subset}_stderr", score.stderr)
            figures.add(f"{prefix}mmlu_{score.subset}_n", score.n)
    _shots(figures, main.get("n-shot"))

    draft = Draft(
        format="lm-eval",
        source=name,
        sha256=hashlib.sha256(content).hexdigest(),
        figures=figures,
        suggested_id=slug(f"{'mmlu' if results is not None else 'tasks'}-{model or Path(name).stem}"),
        title=_title(results, tasks, model or name, arguments.get("peft", "")),
        created_at=date_from(main.get("date")),
        base_model=BaseModelRecord(id=model, parameters=_parameters(config)) if model else None,
        environment=_environment(main, config),
        missing=list(NEVER_SAID),
        tasks=tasks,
        notes=_not_shown(main, config, whole=mmlu is not None),
        mmlu=mmlu,
    )
    say_missing(draft, results)
    draft.items, problems = read_samples(path, {score.task for score in tasks})
    draft.missing += problems[:10]
    if draft.items is not None:
        draft.missing.remove(NO_ITEMS)
    for prefix, scores in both:
        draft.checks += checks.mmlu(scores, prefix.replace("_", " "))
    draft.evaluation = mmlu_evaluation(results) if results is not None else None
    return draft


def _results(value: Any) -> MMLUResults | None:
    """The medical subsets of MMLU; None where the file has other tasks alone.

    Raises:
        ValueError: it has neither.
    """
    try:
        return parse_results(value)
    except ValueError:
        main = value.get("fine_tuned", value) if isinstance(value, dict) else None
        if not isinstance(main, dict) or not isinstance(main.get("results"), dict):
            raise
    if not task_scores(main):
        raise ValueError("its results hold no task with a figure.")
    return None


def _not_shown(main: dict[str, Any], config: dict[str, Any], *, whole: bool) -> list[str]:
    """What the file states and nothing here uses, by name. `whole`: the run holds the file itself."""
    names = [*unused(main, USED), *(f"config.{name}" for name in unused(config, USED_CONFIG))]
    return left_aside(names, "Kept in mmlu_results/results.json, not shown" if whole else "Not kept")


def _title(results: MMLUResults | None, tasks: list[TaskScore], model: str, adapter: str) -> str:
    names = list(dict.fromkeys(score.task for score in tasks))
    more = [f"{len(names) - 3} more"] if len(names) > 3 else []
    what = "MMLU" if results is not None else listing([*names[:3], *more])
    return f"{what} of {model}" + (f" with adapter {adapter}" if adapter else "")


def mmlu_evaluation(results: MMLUResults) -> Evaluation | None:
    """Accuracy over all questions, or None where a subset's size is not known."""
    tuned = results.pooled(results.fine_tuned)
    base = results.pooled(results.base) if results.base else None
    if tuned is None:
        return None
    metric = Metric(
        base=base,
        fine_tuned=tuned,
        difference=None if base is None else tuned - base,
        n=sum(score.n or 0 for score in results.fine_tuned),
        verdict="cannot tell",
        reason=NO_BASE if base is None else "The source holds no per-question answers: no paired test.",
    )
    protocol = Protocol(mmlu=MMLUProtocol(pooled_on_import=True))
    return Evaluation(primary_metric="mmlu", metrics={"mmlu": metric}, protocol=protocol)


def _copy(content: bytes, value: Any) -> bytes:
    """The file byte for byte if it is strict JSON and names no folder of a machine; otherwise written anew."""
    clean = _clean(value)
    try:
        if loads(content.decode("utf-8")) == clean:
            return content
    except ValueError:
        pass
    return dumps(clean, indent=2).encode("utf-8", "replace")


def _clean(value: Any) -> Any:
    """`value` as strict JSON holds it: no NaN, no absolute path."""
    if isinstance(value, dict):
        return {without_paths(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, str):
        return without_paths(value)
    if isinstance(value, float):
        return number(value)
    return value


def say_missing(draft: Draft, results: MMLUResults | None) -> None:
    """What an evaluation of one model leaves out."""
    if results is None or results.base is None:
        draft.missing.append(
            "Whether the model measured is the base or the fine-tuned one, and the other one's scores."
        )
    if results is not None and any(score.n is None for score in results.fine_tuned):
        draft.missing.append("Questions asked in each subset: no accuracy over all of them.")
    there = {score.subset for score in results.fine_tuned} if results is not None else set()
    absent = sorted(set(checks.OFFICIAL_SIZES) - there)
    if absent and results is not None:
        draft.missing.append(f"MMLU subsets: {', '.join(absent)}.")
    if draft.created_at is None:
        draft.missing.append(NO_DATE)
    if not draft.base_model:
        draft.missing.append("Model: the file names none.")


def _parameters(config: dict[str, Any]) -> int | None:
    count = config.get("model_num_parameters")
    return count if type(count) is int and 0 <= count < 2**53 else None


def _environment(main: dict[str, Any], config: dict[str, Any]) -> EnvironmentRecord:
    version = line(main.get("lm_eval_version"), 40)
    return EnvironmentRecord(
        device=line(config.get("device"), 80) or None,
        transformers=line(main.get("transformers_version"), 40) or None,
        packages={"lm_eval": version} if version else {},
    )


def _shots(figures: Figures, shots: Any) -> None:
    """The number of examples in the prompt: one figure where all tasks, or MMLU's medical subsets, had the same."""
    if not isinstance(shots, dict):
        return
    every = {task: n for task, n in shots.items() if type(n) is int}
    counts = {task: n for task, n in every.items() if subset_of(task) is not None} or every
    if len(set(counts.values())) == 1:
        figures.add("n_shot", next(iter(counts.values())))
    else:
        for task, n in counts.items():
            figures.add(f"n_shot_{line(task, 60)}", n)


def parse_file(path: Path) -> tuple[bytes, Any]:
    """A results file's content and value.

    Raises:
        InputError: it cannot be read, or is not JSON.
    """
    content = read_bytes(path)
    return content, lenient_json(content, file_name(path))
