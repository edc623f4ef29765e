"""lm-evaluation-harness's results.json becomes a draft: accuracy by medical subset."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import JSON_LIMIT, dumps, loads
from medqa_core.runs.artifacts.mmlu import MMLUResults, parse_results
from medqa_core.runs.importers import checks
from medqa_core.runs.importers.draft import NO_BASE, Draft, Figures, date_from
from medqa_core.runs.importers.source import file_name, lenient_json, line, number, read_bytes, slug, without_paths
from medqa_core.runs.schema.evaluation import Evaluation, Metric, MMLUProtocol, Protocol
from medqa_core.runs.schema.record import BaseModelRecord, EnvironmentRecord

NEVER_SAID = (
    "Training: settings, data, loss curve, test loss, ROUGE.",
    "Per-question answers: no paired test between models.",
)
FOLDERS_TRIED = 50
SETTINGS = {"random_seed": "seed", "fewshot_seed": "fewshot_seed", "limit": "limit"}


def results_file(folder: Path) -> Path | None:
    """The results file in `folder` or in one of its folders: `results.json`, else the newest `results_DATE.json`."""
    try:
        with os.scandir(folder) as entries:
            inner = sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return None
    for place in (folder, *inner[:FOLDERS_TRIED]):
        try:
            with os.scandir(place) as entries:
                names = [e.name for e in entries if re.fullmatch(r"results(_.*)?\.json", e.name) and e.is_file()]
        except OSError:
            continue
        if names:
            return place / ("results.json" if "results.json" in names else max(names))
    return None


def read_lm_eval(path: Path, content: bytes, value: Any) -> Draft:
    """A results.json as a draft; the file itself goes into the run.

    Raises:
        InputError: it holds none of the six medical MMLU subsets, or is nested too deeply.
    """
    name = file_name(path)
    if len(content) > JSON_LIMIT:
        raise InputError(f"{name} is larger than {JSON_LIMIT // 2**20} MiB; it was not read.")
    try:
        results = parse_results(value)
        mmlu = _copy(content, value)
    except RecursionError as error:
        raise InputError(f"{name} is not usable JSON: nested too deeply.") from error
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error
    main = value["fine_tuned"] if isinstance(value.get("fine_tuned"), dict) else value
    config = main["config"] if isinstance(main.get("config"), dict) else {}

    figures = Figures()
    model = _model(main, config)
    figures.add("base_model", model)
    for theirs, ours in SETTINGS.items():
        figures.add(ours, number(config.get(theirs)))
    for prefix, scores in (("base_", results.base or []), ("", results.fine_tuned)):
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
        suggested_id=slug(f"mmlu-{model or Path(name).stem}"),
        title=f"MMLU of {model or name}",
        created_at=date_from(main.get("date")),
        base_model=BaseModelRecord(id=model, parameters=_parameters(config)) if model else None,
        environment=_environment(main, config),
        missing=list(NEVER_SAID),
        mmlu=mmlu,
    )
    _say_missing(draft, results)
    for variant, scores in (("base ", results.base or []), ("", results.fine_tuned)):
        draft.checks += checks.mmlu(scores, variant)
    draft.evaluation = _evaluation(results)
    return draft


def _evaluation(results: MMLUResults) -> Evaluation | None:
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


def _say_missing(draft: Draft, results: MMLUResults) -> None:
    if results.base is None:
        draft.missing.append(
            "Whether the model measured is the base or the fine-tuned one, and the other one's scores."
        )
    if any(score.n is None for score in results.fine_tuned):
        draft.missing.append("Questions asked in each subset: no accuracy over all of them.")
    absent = sorted(set(checks.OFFICIAL_SIZES) - {score.subset for score in results.fine_tuned})
    if absent:
        draft.missing.append(f"MMLU subsets: {', '.join(absent)}.")
    if draft.created_at is None:
        draft.missing.append("Date: none that can be read; the file's own date stands in.")
    if not draft.base_model:
        draft.missing.append("Model: the file names none.")


def _model(main: dict[str, Any], config: dict[str, Any]) -> str:
    named = line(main.get("model_name"), 120)
    arguments = config.get("model_args")
    if not named and isinstance(arguments, dict):
        named = line(arguments.get("pretrained"), 120)
    if not named and isinstance(arguments, str) and (found := re.search(r"(?:^|,)pretrained=([^,]+)", arguments)):
        named = line(found[1], 120)
    return named


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
    """The number of examples in the prompt: one figure where all medical subsets had the same."""
    if not isinstance(shots, dict):
        return
    counts = {task: n for task, n in shots.items() if type(n) is int and task.endswith(tuple(checks.OFFICIAL_SIZES))}
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
