"""Whether a run's figures still follow from its files, its data and its models: every check that can be made."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

import medqa_core
from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.data import leakage
from medqa_core.data.pairs import QAPair, references_of
from medqa_core.data.preparation import data_for
from medqa_core.data.split import Split, split_pairs
from medqa_core.evaluation.chain import (
    BFLOAT16_TOLERANCE,
    LOSS_TOLERANCE,
    recorded_best,
    sample_problem,
    sampled,
    settings_problem,
    validation_problem,
)
from medqa_core.evaluation.content import Content
from medqa_core.evaluation.controls import control_answers, top_passages
from medqa_core.evaluation.measure import Questions
from medqa_core.evaluation.passages import Shelf, read_for, shelf_of
from medqa_core.evaluation.proof import base_problem
from medqa_core.evaluation.recompute import (
    columns_problem,
    evaluation_problem,
    judge_problem,
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
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.visible import plain
from medqa_core.models import folders
from medqa_core.models.locate import locate
from medqa_core.models.prompt import Example
from medqa_core.models.variants import ModelVariants, load_variants
from medqa_core.runs.artifacts.manifest import MANIFEST, check_manifest, written_by
from medqa_core.runs.artifacts.mmlu import ANSWERS, RESULTS
from medqa_core.runs.artifacts.model_judge import JUDGE, JUDGE_ROWS
from medqa_core.runs.artifacts.predictions import PREDICTIONS
from medqa_core.runs.artifacts.training_record import TRAINING, differences
from medqa_core.runs.artifacts.weights import config_file
from medqa_core.runs.artifacts.with_sources import WITH_SOURCES
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation, RetrievalProtocol
from medqa_core.runs.schema.record import Check, SplitSizes
from medqa_core.runs.schema.self_test import Failure

SHOWN = 3
"""Problems of the manifest that are named one by one."""
WriteUps = Mapping[str, Callable[[Run], str]]
ValidatedOn = Callable[[Run, ModelVariants], Sequence[Example]]
Outcome = tuple[bool | None, str]


def verify(
    run: Run,
    settings: Settings,
    progress: Progress = silent,
    write_ups: WriteUps | None = None,
    validated_on: ValidatedOn | None = None,
) -> list[Check]:
    """Check `run` against itself, its data and its models; nothing is written.

    A check that cannot be made has `passed` None and says why. None raises: a damaged file is what they are for.

    Args:
        progress: is called with what is checked next.
        write_ups: what renders each write-up of a run, by the name of its file; without it they are not compared.
        validated_on: what makes the validation examples of task `open_book`, whose passages the training looks up.
    """
    if run.record.kind == "imported":
        return _imported(run)
    return [
        Check(name=name, passed=passed, detail=plain(detail)[:1000])
        for name, (passed, detail) in _outcomes(run, settings, progress, write_ups or {}, validated_on)
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
    "training record",
    "settings",
    "evaluation.json",
    "MMLU accuracies",
    "answer scores",
    "content and controls",
    "split",
    "write-ups",
    "weights",
    "base weights",
    "base answers",
    "validation loss",
    "test losses",
)
"""Every check, in the order in which they are made; after the scores comes `judge model` where one was asked."""


def _outcomes(
    run: Run, settings: Settings, progress: Progress, write_ups: WriteUps, validated_on: ValidatedOn | None
) -> Iterator[tuple[str, Outcome]]:
    evaluation, rows, answers = run.evaluation(), run.predictions(), run.mmlu_answers()

    def made(name: str, check: Callable[[], Outcome]) -> tuple[str, Outcome]:
        progress(name)
        return name, _safe(check)

    yield made("manifest", lambda: _manifest(run))
    yield made("training record", lambda: _training_record(run))
    yield made("settings", lambda: _settings(run))
    yield made("evaluation.json", lambda: _evaluation(run, evaluation, rows, answers))
    yield made("MMLU accuracies", lambda: _mmlu(run, answers))
    data = _Data(run, settings)
    yield made("answer scores", lambda: _scores(run, rows, data))
    yield made("content and controls", lambda: _content(run, rows, evaluation, data))
    if any(os.path.lexists(run.folder / name) for name in (JUDGE, JUDGE_ROWS)):
        yield made("judge model", lambda: _judge(run))
    yield made("split", lambda: _split(run, evaluation, rows, data))
    yield made("write-ups", lambda: _write_ups(run, write_ups))
    yield made("weights", lambda: _weights(run, evaluation))
    yield made("base weights", lambda: _base_weights(run, evaluation, settings))
    models = _Models(run, settings)
    yield made("base answers", lambda: _base_answers(run, models, settings))
    yield made("validation loss", lambda: _validation_loss(run, data, models, validated_on))
    yield made("test losses", lambda: _test_losses(run, evaluation, rows, data, models, settings))


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

    def by_id(self) -> dict[str, QAPair]:
        """All pairs by their id. Raises as `parts`."""
        return {pair.id: pair for pair in self.parts()[0]}

    def shelf(self, retrieval: RetrievalProtocol | None) -> Shelf | None:
        """What passages were found in; None where none were, or not by BM25, which alone can be repeated here."""
        config = self._run.record.config
        if config is None or retrieval is None or retrieval.method != BM25.name:
            return None
        return shelf_of(self._run, config, self._settings, retrieval.library)


class _Models:
    """The run's two models, loaded when they are first needed."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._run, self._settings = run, settings
        self._found: ModelVariants | MedQAError | None = None

    def variants(self) -> ModelVariants:
        """Both models.

        Raises:
            MedQAError: as `load_variants`, at each call.
        """
        if self._found is None:
            try:
                self._found = load_variants(self._run, self._settings)
            except MedQAError as error:
                self._found = error
        if isinstance(self._found, MedQAError):
            raise self._found
        return self._found


def _training_record(run: Run) -> Outcome:
    record = run.snapshot().training_record
    if record is None:
        problem = _unread(run, TRAINING)
        why = (
            f"{TRAINING} is missing: versions before 0.3 left no record of what a training produced. That the weights "
            "are this training's rests on their validation loss alone."
            if run.state() == "completed"
            else f"{TRAINING} is missing: the training has not come to its end."
        )
        return (False, problem) if problem else (None, why)
    found = differences(run.folder, record)
    if found:
        more = f" And {len(found) - SHOWN} more." if len(found) > SHOWN else ""
        return False, " ".join(found[:SHOWN]) + more
    moment = record.written_at.strftime("%Y-%m-%d %H:%M")
    if record.written_by == "afterwards":
        return True, f"nothing changed since the record of {moment}, which was made after the training"
    return True, f"weights, their configuration, log and settings are those of the training's end, {moment}"


def _settings(run: Run) -> Outcome:
    config = run.record.config
    if config is None:
        return None, "run.json holds no configuration."
    count, problem = settings_problem(run, config)
    if problem is None and not count:
        return None, "No adapter and no log to compare the configuration with."
    return problem is None, problem or f"{count} figures of adapter and log follow from the configuration"


def _write_ups(run: Run, renderers: WriteUps) -> Outcome:
    there = [name for name in renderers if os.path.lexists(run.folder / name)]
    if not there:
        return None, "No write-up to compare: `report` writes them."
    for name in there:
        if run.write_up(name) != renderers[name](run):
            version = written_by(run.folder)
            if version != medqa_core.__version__:
                return None, f"{name} was written by version {version or 'before 0.3'}: `report` writes it anew."
            if run.snapshot().votes:
                return None, f"{name} is not what the files give now; votes may have come since it was written."
            return False, f"{name} is not what the run's files give; `report` writes it anew"
    return True, f"{', '.join(there)} written anew: not a character differs"


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
    known = data.by_id()
    unknown = [id_ for id_ in rows["question_id"] if id_ not in known]
    if unknown:
        return False, f"{len(unknown)} questions are not in the data set, {unknown[0]} first"
    questions = [known[id_] for id_ in rows["question_id"]]
    # Runs of before several references counted were scored against the question's own answer.
    several = bool(rows["references"].notna().any())
    own: list[tuple[str, ...]] = [(one.answer,) for one in questions]
    references = references_of(questions, known.values()) if several else own
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
    tested = Tested(parts, references_of(parts.test, pairs), Content.of(pairs))
    controls = control_answers(parts, asked.most_words)
    if shelf := data.shelf(evaluation.protocol.retrieval if evaluation else None):
        controls["top_passage"] = top_passages([shelf.search(one) for one in parts.test], asked.most_words)
    count, problem = nats_problem(rows)
    if problem is None:
        more, problem = columns_problem(rows, derived_columns(rows, tested, controls))
        count += more
    with_sources = run.with_sources()
    if problem is None and with_sources is not None and with_sources["words"].notna().any():
        shelf = data.shelf(
            evaluation.with_sources.protocol.retrieval if evaluation and evaluation.with_sources else None
        )
        more, problem = _content_with_sources(with_sources, tested, shelf, asked.most_words)
        count += more
    return problem is None, problem or f"{count} values recomputed from the answers, the tokens' nats and the data"


def _content_with_sources(
    rows: pd.DataFrame, tested: Tested, shelf: Shelf | None, most_words: int
) -> tuple[int, str | None]:
    """The same of answers with sources; what passages bear out only where BM25 found them, which can be repeated."""
    parts = tested.parts
    known = {question.id: (question, texts) for question, texts in zip(parts.test, tested.references, strict=True)}
    asked = [known[id_][0] for id_ in rows["question_id"]]
    mine = replace(tested, references=[known[id_][1] for id_ in rows["question_id"]])
    answers = rows["answer"].tolist()
    if shelf is None:
        recomputed = tested.content.columns(answers, asked, mine.references)
        return columns_problem(rows, recomputed)
    read: list[list[str]] = []
    for question, ids in zip(asked, rows["passages"], strict=True):
        found = {one.question_id: one.text for one in shelf.search(question)}
        if ids is None or not found.keys() >= set(ids):
            return len(read), f"passages of {question.id}: {BM25.name} finds others"
        read.append([found[id_] for id_ in ids])
    return columns_problem(rows, with_sources_columns(answers, mine, asked, read, most_words))


def _judge(run: Run) -> Outcome:
    snapshot = run.snapshot()
    if snapshot.judge is None or snapshot.judge_rows is None:
        problems = [line for name in (JUDGE, JUDGE_ROWS) for line in snapshot.problems_by_file.get(name, ())]
        return False, problems[0] if problems else f"one of {JUDGE} and {JUDGE_ROWS} is missing"
    count, problem = judge_problem(snapshot.judge, snapshot.judge_rows)
    return problem is None, problem or f"{count} figures recomputed from {len(snapshot.judge_rows)} judged questions"


def _split(run: Run, evaluation: Evaluation | None, rows: pd.DataFrame | None, data: _Data) -> Outcome:
    recorded = run.record.data.split_hash if run.record.data else None
    pairs, parts = data.parts()
    if recorded is not None and recorded != parts.hash:
        return False, f"recorded {recorded[:12]}…, but the data available give {parts.hash[:12]}…"
    sizes = run.record.data.split if run.record.data else None
    if sizes is not None and sizes != parts.sizes:
        return False, f"run.json counts {_counts(sizes)}; the data available give {_counts(parts.sizes)}"
    test = {pair.id for pair in parts.test}
    if rows is not None and set(rows["question_id"]) != test:
        return False, "the questions of predictions.parquet are not the split's test questions"
    overlap = evaluation.overlap if evaluation else None
    if overlap is not None and overlap != (found := leakage.measure(parts, pairs)):
        return False, f"evaluation.json states that the test set shares {overlap}; measured: {found}"
    if recorded is None:
        return None, "run.json records no split hash."
    return True, f"hash {recorded[:12]}…, {len(test)} test questions"


def _counts(sizes: SplitSizes) -> str:
    return f"{sizes.train} training, {sizes.validation} validation and {sizes.test} test pairs"


def _weights(run: Run, evaluation: Evaluation | None) -> Outcome:
    weights = run.weights_file()
    stated = evaluation.protocol.fine_tuned_sha256 if evaluation else None
    if weights is None:
        return None, "This run holds no adapter and no model."
    if stated is None:
        return None, "No evaluation says which weights were measured."
    sums = {f"{weights.parent.name}/{weights.name}": sha256(weights), "evaluation.json": stated}
    results, config = run.mmlu(), config_file(weights)
    asked = results.fine_tuned_sha256 if results else None
    same, detail = _equal(sums | ({RESULTS: asked} if asked else {}))
    measured = evaluation.protocol.fine_tuned_config_sha256 if evaluation else None
    if not same or measured is None:
        return same, detail if not same else f"{detail}; with which configuration, this evaluation does not say"
    sums = {f"{config.parent.name}/{config.name}": sha256(config), "evaluation.json": measured}
    asked = results.fine_tuned_config_sha256 if results else None
    fits, more = _equal(sums | ({RESULTS: asked} if asked else {}))
    return fits, f"{detail}; configuration {more}" if fits else more


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


def _base_answers(run: Run, models: _Models, settings: Settings) -> Outcome:
    problem = base_problem(models.variants(), settings)
    if problem is None:
        return True, "the base variant is bit for bit the base loaded alone, the fine-tuned variant is not"
    if problem.failure is Failure.NOTHING_CHANGED and run.snapshot().outcome.unchanged:
        return True, "both variants are bit for bit the base: its training changed nothing, as the run says"
    return False, f"{problem.failure.value} ({problem.question})" if problem.question else problem.failure.value


def _validation_loss(run: Run, data: _Data, models: _Models, validated_on: ValidatedOn | None) -> Outcome:
    config, stated = run.record.config, recorded_best(run)
    if config is None or stated is None:
        return None, "The run states no validation loss."
    if config.quantization != "none":
        return None, f"The training validated on a base in {config.quantization} weights, which are not computed here."
    variants = models.variants()
    if config.task == "open_book":
        if validated_on is None:
            return None, "The training validated on questions behind passages, which are not put together here."
        examples = validated_on(run, variants)
    else:
        asked = data.parts()[1].validation[: config.eval_examples]
        examples = Questions.of(variants, asked, variants.prompt, config.max_tokens).examples
    tolerance = LOSS_TOLERANCE if run.record.precision == "float32" else BFLOAT16_TOLERANCE
    found, problem = validation_problem(variants, examples[: config.eval_examples], stated[1], tolerance)
    return problem is None, problem or f"{found:.4f} nats per token computed from the weights, as step {stated[0]} says"


def _test_losses(
    run: Run,
    evaluation: Evaluation | None,
    rows: pd.DataFrame | None,
    data: _Data,
    models: _Models,
    settings: Settings,
) -> Outcome:
    config = run.record.config
    if rows is None or rows.empty or config is None:
        return None, "No losses of test questions are stored."
    tokens = evaluation.protocol.loss_tokens if evaluation else None
    known = data.by_id()
    if not set(rows["question_id"]) <= set(known):
        return None, "Its questions are not in the data set."
    some, variants = sampled(rows), models.variants()
    asked = [known[id_] for id_ in some["question_id"]]
    prompts: Sequence[str] = []
    if config.task == "open_book":
        shelf = shelf_of(run, config, settings, "data set")
        prompts, _ = read_for(variants, asked, shelf.search, config.max_new_tokens, silent)
    count, problem = sample_problem(variants, some, asked, tokens or config.max_tokens, prompts)
    return problem is None, problem or f"{count} losses of test questions computed from the models"
