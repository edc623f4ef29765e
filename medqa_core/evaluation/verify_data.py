"""Whether a run's rows follow from its data set: questions, scores, content, controls and split."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pandas as pd

from medqa_core.answering.retrieval.bm25 import BM25
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.retrieval.reranking import Reranked
from medqa_core.answering.retrieval.retriever import by_words
from medqa_core.data import leakage
from medqa_core.data.pairs import QAPair, references_of
from medqa_core.data.preparation import data_for
from medqa_core.data.split import Split, split_pairs
from medqa_core.evaluation.content import Content
from medqa_core.evaluation.controls import control_answers, top_passages
from medqa_core.evaluation.passages import Shelf, shelf_of
from medqa_core.evaluation.recompute import columns_problem, nats_problem, scores_problem, with_sources_scores_problem
from medqa_core.evaluation.rows import Tested, derived_columns
from medqa_core.evaluation.verify_files import Outcome, unread
from medqa_core.evaluation.with_sources_rows import derived_columns as with_sources_columns
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.artifacts.predictions import PREDICTIONS
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation, RetrievalProtocol
from medqa_core.runs.schema.record import SplitSizes


class RunData:
    """The run's data set, read when it is first needed."""

    def __init__(self, run: Run, settings: Settings) -> None:
        self._run, self._settings = run, settings
        self._found: tuple[Sequence[QAPair], Split] | None = None

    def parts(self) -> tuple[Sequence[QAPair], Split]:
        """All pairs and the run's split of them.

        Raises:
            DataUnavailable, InputError: they are not available.
        """
        config = self._run.record.questions
        if config is None:
            raise InputError("run.json holds no configuration: its data set is not known.")
        if self._found is None:
            pairs = data_for(config, self._settings, fetch=False).pairs
            self._found = pairs, split_pairs(pairs, config)
        return self._found

    def asked(self, evaluation: Evaluation | None) -> tuple[Sequence[QAPair], Split]:
        """The same, of the test questions only those that the evaluation asked. Raises as `parts`."""
        pairs, parts = self.parts()
        return pairs, parts.with_test_sample(evaluation.protocol.test_questions if evaluation else None)

    def by_id(self) -> dict[str, QAPair]:
        """All pairs by their id. Raises as `parts`."""
        return {pair.id: pair for pair in self.parts()[0]}

    def shelf(self, retrieval: RetrievalProtocol | None) -> Shelf | None:
        """What passages were found in; None where none were, or not by BM25, which alone can be repeated here."""
        config = self._run.record.questions
        if config is None or retrieval is None or retrieval.method not in (BM25.name, Reranked.name):
            return None
        shelf = shelf_of(self._run, config, replace(self._settings, embeddings=None), retrieval.library)
        return shelf if retrieval.method == Reranked.name else replace(shelf, retriever=by_words(shelf.retriever))


def scores_outcome(run: Run, rows: pd.DataFrame | None, evaluation: Evaluation | None, data: RunData) -> Outcome:
    """The scores of the answers follow from them and the data."""
    if rows is None:
        problem = unread(run, PREDICTIONS)
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
    if problem is None and (with_sources := _with_sources(run, evaluation)) is not None:
        more, problem = with_sources_scores_problem(
            with_sources, dict(zip(rows["question_id"], references, strict=True))
        )
        count += more
    return problem is None, problem or f"{count} scores of {len(rows)} questions recomputed from the answers"


def content_outcome(run: Run, rows: pd.DataFrame | None, evaluation: Evaluation | None, data: RunData) -> Outcome:
    """Content, controls and losses outside templates follow from answers, nats and data."""
    asked = evaluation.protocol.controls if evaluation else None
    if rows is None or asked is None:
        return None, "Nothing was measured outside templates, and no controls: an older evaluation."
    pairs, parts = data.asked(evaluation)
    if rows["question_id"].tolist() != [pair.id for pair in parts.test]:
        return False, "the questions of predictions.parquet are not the split's test questions"
    tested = Tested(parts, references_of(parts.test, pairs), Content.of(pairs))
    controls = control_answers(parts, asked.most_words)
    read: list[list[str]] = []
    count, problem = nats_problem(rows)
    if shelf := data.shelf(evaluation.protocol.retrieval if evaluation else None):
        found = [shelf.search(one) for one in parts.test]
        controls["top_passage"] = top_passages(found, asked.most_words)
        if rows["passages"].notna().all():
            read, others = _read_again(parts.test, found, rows["passages"])
            problem = problem or others
    if problem is None:
        more, problem = columns_problem(rows, derived_columns(rows, tested, controls, read))
        count += more
    with_sources = _with_sources(run, evaluation)
    if problem is None and with_sources is not None and with_sources["words"].notna().any():
        shelf = data.shelf(
            evaluation.with_sources.protocol.retrieval if evaluation and evaluation.with_sources else None
        )
        more, problem = _content_with_sources(with_sources, tested, shelf, asked.most_words)
        count += more
    return problem is None, problem or f"{count} values recomputed from the answers, the tokens' nats and the data"


def _with_sources(run: Run, evaluation: Evaluation | None) -> pd.DataFrame | None:
    """The answers with sources that the evaluation is about; None where it is about none.

    They lie beside an evaluation with other decoding, or on fewer questions, which is not about them.
    """
    return run.with_sources() if evaluation is not None and evaluation.with_sources is not None else None


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
    read, others = _read_again(asked, map(shelf.search, asked), rows["passages"])
    if others is not None:
        return len(read), others
    return columns_problem(rows, with_sources_columns(answers, mine, asked, read, most_words))


def _read_again(
    asked: Iterable[QAPair], found: Iterable[Sequence[Passage]], ids: Iterable[Sequence[str] | None]
) -> tuple[list[list[str]], str | None]:
    """The texts of the passages that were read, question by question, up to the first of which one is found no more.

    Args:
        asked: the questions.
        found: what is found for each now.
        ids: of the passages that were read before it.
    """
    read: list[list[str]] = []
    for question, few, wanted in zip(asked, found, ids, strict=True):
        texts = {one.question_id: one.text for one in few}
        if wanted is None or not texts.keys() >= set(wanted):
            return read, f"passages of {question.id}: {BM25.name} finds others"
        read.append([texts[id_] for id_ in wanted])
    return read, None


def split_outcome(run: Run, evaluation: Evaluation | None, rows: pd.DataFrame | None, data: RunData) -> Outcome:
    """The data give the recorded split, the rows its test questions, the split the stated overlap."""
    recorded = run.record.data.split_hash if run.record.data else None
    pairs, parts = data.parts()
    if recorded is not None and recorded != parts.hash:
        return False, f"recorded {recorded[:12]}…, but the data available give {parts.hash[:12]}…"
    sizes = run.record.data.split if run.record.data else None
    if sizes is not None and sizes != parts.sizes:
        return False, f"run.json counts {_counts(sizes)}; the data available give {_counts(parts.sizes)}"
    test = {pair.id for pair in data.asked(evaluation)[1].test}
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
