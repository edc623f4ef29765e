"""The metrics page's passages: verdicts against both models, retrieval's figures, and what to do without them."""

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from medqa_core.foundation.files import read_json, write_json
from medqa_core.runs.artifacts.retrieval import RETRIEVAL, Recall, Retrieval
from medqa_core.runs.schema.evaluation import Evaluation, Generation, Metric, Protocol, RetrievalProtocol, WithSources
from tests.support.evaluations import shown_evaluation
from tests.support.hostile import HOSTILE
from tests.support.pages import Open, shown
from tests.support.runs import RunBuilder

HEADING = "Does reading passages help?"


def headings(app: AppTest) -> list[str]:
    return [element.value for element in app.header]


def metric(before: float, after: float, verdict: str) -> Metric:
    d = after - before
    return Metric.model_validate(
        {
            "base": before, "fine_tuned": after, "difference": d, "ci": (d - 0.01, d + 0.01), "level": 0.95,
            "p": 0.001, "n": 24, "groups": 20, "verdict": verdict,
        }
    )  # fmt: skip


@pytest.fixture
def read(build: RunBuilder) -> Path:
    """A run whose answers with sources are better than the base's and worse than the fine-tuned model's."""
    folder = build.finished("read").folder
    part = WithSources(
        weights="base",
        against_base={"rougeL": metric(0.151, 0.181, "better")},
        against_fine_tuned={"rougeL": metric(0.208, 0.181, "worse"), "token_f1": metric(0.3, 0.25, "worse")},
        generation=Generation(empty_share=0, mean_tokens=71, length_ratio=0.5, seconds=9, prompt="chat"),
        protocol=Protocol(notes={"passages": f"at most 3 per question {HOSTILE}"[:200]}),
    )
    whole = shown_evaluation(24).model_copy(update={"with_sources": part})
    write_json(folder / "evaluation.json", whole.model_dump(mode="json"))
    return folder


def test_both_comparisons_with_their_intervals(read: Path, open_page: Open) -> None:
    app = open_page("metrics/metrics.py", run="read", tab="With passages")
    assert not app.exception
    assert HEADING in headings(app)
    text = shown(app)
    assert "share more words with the references than its own without them (ROUGE-L +0.030 [0.020, 0.040])" in text
    assert "share fewer words with the references than the fine-tuned model’s (ROUGE-L −0.027" in text
    part = text[text.index("with passages − base and with passages − fine-tuned") :]
    assert part.index("▲ better") < part.index("▼ worse")
    assert "0.1510" in part and "0.2080" in part and "0.1810" in part
    assert "Mean answer length, tokens" in part and "71.0" in part
    assert "<img" not in text


def test_of_readers_it_is_what_happens_where_the_library_lacks_the_answer(read: Path, open_page: Open) -> None:
    library = RetrievalProtocol(passages=3, method="BM25", library="data set", test_documents_held_out=False)
    whole = Evaluation.model_validate(read_json(read / "evaluation.json"))
    assert whole.with_sources is not None
    hidden = library.model_copy(update={"library": "other documents", "test_documents_held_out": True})
    part = whole.with_sources.model_copy(update={"protocol": Protocol(retrieval=hidden)})
    whole = whole.model_copy(update={"with_sources": part})
    of_readers = whole.model_copy(update={"protocol": whole.protocol.model_copy(update={"retrieval": library})})
    write_json(read / "evaluation.json", of_readers.model_dump(mode="json"))
    app = open_page("metrics/metrics.py", run="read", tab="With passages")
    text = shown(app)
    assert "And where the library lacks the answer?" in headings(app) and HEADING not in headings(app)
    assert "Own document hidden" in text and "own document hidden − base" in text
    assert "than its own from the whole library (ROUGE-L" in text
    write_json(read / "evaluation.json", of_readers.model_copy(update={"with_sources": None}).model_dump(mode="json"))
    assert "with passages of other documents than" in shown(
        open_page("metrics/metrics.py", run="read", tab="With passages")
    )


def test_the_figures_of_the_search(read: Path, open_page: Open) -> None:
    def recall(hits: int) -> list[Recall]:
        return [Recall(k=k, hits=hits + k, n=24, share=(hits + k) / 24, ci=(0.1, 0.9)) for k in (1, 3)]

    found = Retrieval(
        method="BM25 over topic, question and text", questions=24, passages=812, known_item_passages=900,
        known_item=recall(18), support=recall(6), support_by_chance=recall(0)[:1],
    )  # fmt: skip
    write_json(read / RETRIEVAL, found.model_dump(mode="json"))
    text = shown(open_page("metrics/metrics.py", run="read", tab="With passages"))
    assert "among the 812 training passages" in text
    assert "79.2% [10.0%, 90.0%]" in text and "29.2% [10.0%, 90.0%]" in text and "4.2% [10.0%, 90.0%]" in text


def test_what_was_not_measured_says_how(build: RunBuilder, open_page: Open) -> None:
    build.finished()
    app = open_page("metrics/metrics.py", run="finished", tab="With passages")
    assert HEADING in headings(app)
    assert {"Measure answers with passages", "Measure retrieval"} <= {b.label for b in app.button}


def test_imported_and_unfinished_runs_do_not_speak_of_it(build: RunBuilder, open_page: Open) -> None:
    build.imported()
    build.running()
    for run in ("run-2", "running"):
        assert HEADING not in headings(open_page("metrics/metrics.py", run=run, tab="With passages"))


def test_damaged_retrieval_figures_are_left_out(read: Path, open_page: Open) -> None:
    (read / RETRIEVAL).write_text('{"schema_version": 1, "questions"')
    app = open_page("metrics/metrics.py", run="read", tab="With passages")
    assert not app.exception and "training passages that answers use" not in shown(app)
