"""Whether a run's figures still follow from its files, its data and its models: every check that can be made."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.passages import passages_of
from medqa_core.data.pairs import QAPair, references_of
from medqa_core.data.preparation import data_for
from medqa_core.data.split import Split, split_pairs
from medqa_core.evaluation.content import Content
from medqa_core.evaluation.controls import control_answers
from medqa_core.evaluation.proof import base_problem
from medqa_core.evaluation.recompute import (
    columns_problem,
    evaluation_problem,
    mmlu_problem,
    nats_problem,
    scores_problem,
    with_sources_scores_problem,
)
from medqa_core.evaluation.rows import Tested, derived_columns
from medqa_core.evaluation.rule import VERSION
from medqa_core.evaluation.with_sources_rows import derived_columns as with_sources_columns
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError, ModelUnavailable
from medqa_core.foundation.files import sha256
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.visible import plain
from medqa_core.models import folders
from medqa_core.models.locate import locate
from medqa_core.models.variants import load_variants
from medqa_core.runs.artifacts.manifest import MANIFEST, check_manifest
from medqa_core.runs.artifacts.mmlu import ANSWERS, RESULTS
from medqa_core.runs.artifacts.predictions import PREDICTIONS
from medqa_core.runs.artifacts.with_sources import WITH_SOURCES
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation, RetrievalProtocol
from medqa_core.runs.schema.record import Check

SHOWN = 3
"""Problems of the manifest that are named one by one."""
Progress = Callable[[str], None]
Outcome = tuple[bool | None, str]


def verify(run: Run, settings: Settings, progress: Progress = lambda _: None) -> list[Check]:
    """Check `run` against itself, its data and its models; nothing is written.

    A check that cannot be made has `passed` None and says why. None raises: a damaged file is what they are for.

    Args:
        progress: is called with what is checked next.
    """
    if run.record.kind == "imported":
        return _imported(run)
    return [
        Check(name=name, passed=passed, detail=plain(detail)[:1000])
        for name, (passed, detail) in _outcomes(run, settings, progress)
    ]


def _imported(run: Run) -> list[Check]:
    about = run.record.imported
    why = "imported: its figures are the source's; no data, answers or weights came with them"
    passed, detail = _manifest(run)
    checks = [Check(name="manifest", passed=passed, detail=plain(detail)[:1000])]
    stated = about.checks if about else []
    checks += [Check(name=f"source: {one.name}", passed=one.passed, detail=one.detail) for one in stated]
    return checks + [Check(name=name, passed=None, detail=why) for name in NAMES[1:]]


NAMES = (
    "manifest",
    "evaluation.json",
    "MMLU accuracies",
    "answer scores",
    "content and controls",
    "split",
    "weights",
    "base weights",
    "base answers",
)
"""Every check, in the order in which they are made."""


def _outcomes(run: Run, settings: Settings, progress: Progress) -> Iterator[tuple[str, Outcome]]:
    evaluation, rows, answers = run.evaluation(), run.predictions(), run.mmlu_answers()

    def made(name: str, check: Callable[[], Outcome]) -> tuple[str, Outcome]:
        progress(name)
        return name, _safe(check)

    yield made("manifest", lambda: _manifest(run))
    yield made("evaluation.json", lambda: _evaluation(run, evaluation, rows, answers))
    yield made("MMLU accuracies", lambda: _mmlu(run, answers))
    data = _Data(run, settings)
    yield made("answer scores", lambda: _scores(run, rows, data))
    yield made("content and controls", lambda: _content(run, rows, evaluation, data))
    yield made("split", lambda: _split(run, rows, data))
    yield made("weights", lambda: _weights(run, evaluation))
    yield made("base weights", lambda: _base_weights(run, evaluation, settings))
    yield made("base answers", lambda: _base_answers(run, settings))


def _safe(check: Callable[[], Outcome]) -> Outcome:
    try:
        return check()
    except (DataUnavailable, InputError, ModelUnavailable) as error:
        return None, str(error)
    except (MedQAError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        return False, str(error) or type(error).__name__


class _Data:
    """The run's data set, read when it is first needed."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._run, self._settings = run, settings
        self._found: tuple[Sequence[QAPair], Split] | None = None

    def parts(self) -> tuple[Sequence[QAPair], Split]:
        """All pairs and the run's split of them.

        Raises:
            DataUnavailable, InputError: they are not available.
        """
        config = self._run.record.config
        if config is None:
            raise InputError("run.json holds no configuration: its data set is not known.")
        if self._found is None:
            pairs = data_for(config, self._settings, fetch=False).pairs
            self._found = pairs, split_pairs(pairs, config)
        return self._found


def _manifest(run: Run) -> Outcome:
    if not os.path.lexists(run.folder / MANIFEST):
        return None, f"{MANIFEST} is missing: `report` writes it, older runs have none."
    problems = check_manifest(run.folder)
    more = f" And {len(problems) - SHOWN} more." if len(problems) > SHOWN else ""
    if problems:
        return False, " ".join(problems[:SHOWN]) + more
    return True, "every file is the one that was written"


def _unread(run: Run, name: str) -> str | None:
    """What is wrong with a file that is there and could not be read."""
    return next(iter(run.snapshot().problems_by_file.get(name, ())), None)


def _evaluation(
    run: Run, evaluation: Evaluation | None, rows: pd.DataFrame | None, answers: pd.DataFrame | None
) -> Outcome:
    if evaluation is None:
        problem = _unread(run, "evaluation.json")
        return (
            (False, problem) if problem else (None, "This run has not been evaluated: there are no figures to check.")
        )
    counted = "mmlu" in evaluation.metrics and evaluation.metrics["mmlu"].p is not None
    needed = [(rows, PREDICTIONS)] * (set(evaluation.metrics) != {"mmlu"}) + [(answers, ANSWERS)] * counted
    for frame, name in needed:
        if frame is None:
            problem = _unread(run, name)
            return (False, problem) if problem else (None, f"{name} is missing: the figures were computed from it.")
    with_sources = run.with_sources() if evaluation.with_sources else None
    if evaluation.with_sources and with_sources is None:
        return False, _unread(run, WITH_SOURCES) or f"{WITH_SOURCES} is missing: figures were computed from it."
    count, problem = evaluation_problem(
        evaluation, rows, answers if "mmlu" in evaluation.metrics else None, with_sources
    )
    older = (
        "" if evaluation.rule == VERSION else "; intervals and verdicts of another version of the rule are not compared"
    )
    return problem is None, problem or f"{count} figures recomputed{older}"


def _mmlu(run: Run, answers: pd.DataFrame | None) -> Outcome:
    results = run.mmlu()
    for found, name in ((results, RESULTS), (answers, ANSWERS)):
        if found is None:
            problem = _unread(run, name)
            return (False, problem) if problem else (None, f"{name} is missing.")
    assert results is not None and answers is not None
    count, problem = mmlu_problem(results, answers)
    return problem is None, problem or f"{count} accuracies recomputed from {len(answers)} answers"


def _scores(run: Run, rows: pd.DataFrame | None, data: _Data) -> Outcome:
    if rows is None:
        problem = _unread(run, PREDICTIONS)
        return (False, problem) if problem else (None, "predictions.parquet is missing: no answers are stored.")
    pairs, _ = data.parts()
    known = {pair.id: pair for pair in pairs}
    unknown = [id_ for id_ in rows["question_id"] if id_ not in known]
    if unknown:
        return False, f"{len(unknown)} questions are not in the data set, {unknown[0]} first"
    questions = [known[id_] for id_ in rows["question_id"]]
    # Runs of before several references counted were scored against the question's own answer.
    several = bool(rows["references"].notna().any())
    own: list[tuple[str, ...]] = [(one.answer,) for one in questions]
    references = references_of(questions, pairs) if several else own
    count, problem = scores_problem(rows, references)
    if problem is None and (with_sources := run.with_sources()) is not None:
        more, problem = with_sources_scores_problem(
            with_sources, dict(zip(rows["question_id"], references, strict=True))
        )
        count += more
    return problem is None, problem or f"{count} scores of {len(rows)} questions recomputed from the answers"


def _content(run: Run, rows: pd.DataFrame | None, evaluation: Evaluation | None, data: _Data) -> Outcome:
    asked = evaluation.protocol.controls if evaluation else None
    if rows is None or asked is None:
        return None, "Nothing was measured outside templates, and no controls: an older evaluation."
    pairs, parts = data.parts()
    if rows["question_id"].tolist() != [pair.id for pair in parts.test]:
        return False, "the questions of predictions.parquet are not the split's test questions"
    content = Content.of(pairs)
    tested = Tested(parts, references_of(parts.test, pairs), content)
    controls = control_answers(parts, asked.most_words)
    count, problem = nats_problem(rows)
    if problem is None:
        more, problem = columns_problem(rows, derived_columns(rows, tested, controls))
        count += more
    with_sources = run.with_sources()
    if problem is None and with_sources is not None and with_sources["words"].notna().any():
        method = evaluation.with_sources.protocol.retrieval if evaluation and evaluation.with_sources else None
        more, problem = _content_with_sources(with_sources, tested, method, asked.most_words)
        count += more
    return problem is None, problem or f"{count} values recomputed from the answers, the tokens' nats and the data"


def _content_with_sources(
    rows: pd.DataFrame, tested: Tested, retrieval: RetrievalProtocol | None, most_words: int
) -> tuple[int, str | None]:
    """The same of answers with sources; what passages bear out only where BM25 found them, which can be repeated."""
    parts = tested.parts
    known = {question.id: (question, texts) for question, texts in zip(parts.test, tested.references, strict=True)}
    asked = [known[id_][0] for id_ in rows["question_id"]]
    mine = replace(tested, references=[known[id_][1] for id_ in rows["question_id"]])
    answers = rows["answer"].tolist()
    if retrieval is None or retrieval.method != BM25.name:
        recomputed = tested.content.columns(answers, asked, mine.references)
        return columns_problem(rows, recomputed)
    index = BM25(passages_of(parts.train))
    read: list[list[str]] = []
    for question, ids in zip(asked, rows["passages"], strict=True):
        found = {one.question_id: one.text for one in index.search(question.question, retrieval.passages)}
        if ids is None or not found.keys() >= set(ids):
            return len(read), f"passages of {question.id}: {retrieval.method} finds others"
        read.append([found[id_] for id_ in ids])
    return columns_problem(rows, with_sources_columns(answers, mine, asked, read, most_words))


def _split(run: Run, rows: pd.DataFrame | None, data: _Data) -> Outcome:
    recorded = run.record.data.split_hash if run.record.data else None
    if recorded is None:
        return None, "run.json records no split hash."
    _, parts = data.parts()
    if recorded != parts.hash:
        return False, f"recorded {recorded[:12]}…, but the data available give {parts.hash[:12]}…"
    test = {pair.id for pair in parts.test}
    if rows is not None and set(rows["question_id"]) != test:
        return False, "the questions of predictions.parquet are not the split's test questions"
    return True, f"hash {recorded[:12]}…, {len(test)} test questions"


def _weights(run: Run, evaluation: Evaluation | None) -> Outcome:
    weights = run.weights_file()
    stated = evaluation.protocol.fine_tuned_sha256 if evaluation else None
    if weights is None:
        return None, "This run holds no adapter and no model."
    if stated is None:
        return None, "No evaluation says which weights were measured."
    sums = {f"{weights.parent.name}/{weights.name}": sha256(weights), "evaluation.json": stated}
    results = run.mmlu()
    asked = results.fine_tuned_sha256 if results else None
    return _equal(sums | ({RESULTS: asked} if asked else {}))


def _base_weights(run: Run, evaluation: Evaluation | None, settings: Settings) -> Outcome:
    base = run.record.base_model
    measured = evaluation.protocol.base_sha256 if evaluation else None
    stated = {"run.json": base.sha256 if base else None, "evaluation.json": measured}
    known = {name: value for name, value in stated.items() if value}
    if base is None or not known:
        return None, "Neither run.json nor evaluation.json says which base weights these were."
    same, detail = _equal(known)
    if not same:
        return same, detail
    located = locate(base.id, base.revision, settings=settings)
    with TemporaryDirectory() as nothing_known:  # the checksums that the cache remembers may be out of date
        here = folders.weights_sha256(located.folder, located.name, Path(nothing_known))
    return _equal({**known, "the base here": here})


def _equal(sums: dict[str, str]) -> Outcome:
    if len(set(sums.values())) == 1:
        return True, f"{next(iter(sums.values()))[:12]}… in {', '.join(sums)}"
    return False, ", ".join(f"{name} has {value[:12]}…" for name, value in sums.items())


def _base_answers(run: Run, settings: Settings) -> Outcome:
    problem = base_problem(load_variants(run, settings), settings)
    if problem is not None:
        return False, f"{problem.failure.value} ({problem.question})" if problem.question else problem.failure.value
    return True, "the base variant is bit for bit the base loaded alone, the fine-tuned variant is not"
