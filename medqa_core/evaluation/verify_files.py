"""Whether the files of a run agree with each other: no data and no model is needed."""

import os
from collections.abc import Callable, Mapping, Sequence

import pandas as pd

import medqa_core
from medqa_core.evaluation.chain import settings_problem
from medqa_core.evaluation.recompute import evaluation_problem, judge_problem, mmlu_problem
from medqa_core.evaluation.rule import VERSION
from medqa_core.runs.artifacts.labels import LABELS
from medqa_core.runs.artifacts.manifest import MANIFEST, check_manifest, written_by
from medqa_core.runs.artifacts.mmlu import ANSWERS, RESULTS
from medqa_core.runs.artifacts.model_judge import JUDGE, JUDGE_ROWS
from medqa_core.runs.artifacts.predictions import PREDICTIONS
from medqa_core.runs.artifacts.training_record import TRAINING, differences
from medqa_core.runs.artifacts.with_sources import WITH_SOURCES
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation

SHOWN = 3
"""Problems of the manifest, or of the training record, that are named one by one."""
WriteUps = Callable[[Run], Mapping[str, str]]
"""What renders each write-up of a run, by the name of its file."""
Outcome = tuple[bool | None, str]
"""Whether a check passed, None where it could not be made, and what it found."""


def manifest_outcome(run: Run) -> Outcome:
    """Every file is the one that the manifest names."""
    if not os.path.lexists(run.folder / MANIFEST):
        return None, f"{MANIFEST} is missing: `report` writes it, older runs have none."
    problems = check_manifest(run.folder)
    if problems:
        return False, _first(problems)
    return True, "every file is the one that was written"


def training_record_outcome(run: Run) -> Outcome:
    """Weights, log and settings are those of the record that the training left."""
    record = run.snapshot().training_record
    if record is None:
        problem = unread(run, TRAINING)
        why = (
            f"{TRAINING} is missing: versions before 0.3 left no record of what a training produced. That the weights "
            "are this training's rests on their validation loss alone."
            if run.state() in ("completed", "imported")
            else f"{TRAINING} is missing: the training has not come to its end."
        )
        return (False, problem) if problem else (None, why)
    found = differences(run.folder, record)
    if found:
        return False, _first(found)
    moment = record.written_at.strftime("%Y-%m-%d %H:%M")
    if record.written_by == "import":
        return True, f"weights, their configuration and log are those of the import, {moment}"
    if record.written_by == "afterwards":
        return True, f"nothing changed since the record of {moment}, which was made after the training"
    return True, f"weights, their configuration, log and settings are those of the training's end, {moment}"


def settings_outcome(run: Run) -> Outcome:
    """The figures of adapter and log follow from the configuration."""
    config = run.record.config
    if config is None and run.record.evaluated_on is not None:
        return None, "It was trained elsewhere: its settings are the source's word."
    if config is None:
        return None, "run.json holds no configuration."
    count, problem = settings_problem(run, config)
    if problem is None and not count:
        return None, "No adapter and no log to compare the configuration with."
    return problem is None, problem or f"{count} figures of adapter and log follow from the configuration"


def evaluation_outcome(
    run: Run, evaluation: Evaluation | None, rows: pd.DataFrame | None, answers: pd.DataFrame | None
) -> Outcome:
    """The figures of evaluation.json follow from the rows."""
    if evaluation is None:
        problem = unread(run, "evaluation.json")
        return (
            (False, problem) if problem else (None, "This run has not been evaluated: there are no figures to check.")
        )
    counted = "mmlu" in evaluation.metrics and evaluation.metrics["mmlu"].p is not None
    needed = [(rows, PREDICTIONS)] * (set(evaluation.metrics) != {"mmlu"}) + [(answers, ANSWERS)] * counted
    for frame, name in needed:
        if frame is None:
            problem = unread(run, name)
            return (False, problem) if problem else (None, f"{name} is missing: the figures were computed from it.")
    with_sources = run.with_sources() if evaluation.with_sources else None
    if evaluation.with_sources and with_sources is None:
        return False, unread(run, WITH_SOURCES) or f"{WITH_SOURCES} is missing: figures were computed from it."
    count, problem = evaluation_problem(
        evaluation, rows, answers if "mmlu" in evaluation.metrics else None, with_sources
    )
    older = (
        "" if evaluation.rule == VERSION else "; intervals and verdicts of another version of the rule are not compared"
    )
    return problem is None, problem or f"{count} figures recomputed{older}"


def mmlu_outcome(run: Run, answers: pd.DataFrame | None) -> Outcome:
    """The accuracies of results.json follow from the answers."""
    results = run.mmlu()
    for found, name in ((results, RESULTS), (answers, ANSWERS)):
        if found is None:
            problem = unread(run, name)
            return (False, problem) if problem else (None, f"{name} is missing.")
    assert results is not None and answers is not None
    count, problem = mmlu_problem(results, answers)
    return problem is None, problem or f"{count} accuracies recomputed from {len(answers)} answers"


def was_judged(run: Run) -> bool:
    """Whether a judge model left anything."""
    return any(os.path.lexists(run.folder / name) for name in (JUDGE, JUDGE_ROWS))


def judge_outcome(run: Run) -> Outcome:
    """The figures of judge.json follow from its rows."""
    snapshot = run.snapshot()
    if snapshot.judge is None or snapshot.judge_rows is None:
        problems = [line for name in (JUDGE, JUDGE_ROWS) for line in snapshot.problems_by_file.get(name, ())]
        return False, problems[0] if problems else f"one of {JUDGE} and {JUDGE_ROWS} is missing"
    count, problem = judge_problem(snapshot.judge, snapshot.judge_rows)
    return problem is None, problem or f"{count} figures recomputed from {len(snapshot.judge_rows)} judged questions"


def write_ups_outcome(run: Run, write_ups: WriteUps | None) -> Outcome:
    """Each write-up that is there is what the run's files give."""
    made = write_ups(run) if write_ups is not None else {}
    there = [name for name in made if os.path.lexists(run.folder / name)]
    if not there:
        return None, "No write-up to compare: `report` writes them."
    for name in there:
        if run.write_up(name) != made[name]:
            version = written_by(run.folder)
            if version != medqa_core.__version__:
                return None, f"{name} was written by version {version or 'before 0.3'}: `report` writes it anew."
            if os.path.lexists(run.folder / LABELS):  # the title is part of a write-up, and may change at any time
                return None, f"{name} may have been written before the run was renamed: `report` writes it anew."
            if run.snapshot().votes:
                return None, f"{name} is not what the files give now; votes may have come since it was written."
            return False, f"{name} is not what the run's files give; `report` writes it anew"
    return True, f"{', '.join(there)} written anew: not a character differs"


def unread(run: Run, name: str) -> str | None:
    """What is wrong with a file that is there and could not be read."""
    return next(iter(run.snapshot().problems_by_file.get(name, ())), None)


def _first(problems: Sequence[str]) -> str:
    """The first SHOWN of them, and how many there are besides."""
    more = f" And {len(problems) - SHOWN} more." if len(problems) > SHOWN else ""
    return " ".join(problems[:SHOWN]) + more
