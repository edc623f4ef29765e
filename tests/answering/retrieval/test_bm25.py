"""The search: what fits is found, what does not is not, and one index serves many threads."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from data.samples import pair
from runs.samples import record

from medqa_core.answering.retrieval import bm25
from medqa_core.answering.retrieval.bm25 import BM25, retriever_for
from medqa_core.answering.retrieval.passages import passages_of
from medqa_core.data.lookup import split_of
from medqa_core.data.pairs import Pair
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError
from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.store import RunStore

pytestmark = pytest.mark.usefixtures("no_network")

GOUT = pair(1, topic="Gout", question="What helps against gout?", answer="Ice and rest ease an attack.")
ASTHMA = pair(2, topic="Asthma", question="What is asthma?", answer="The airways are narrow.")
FLU = pair(3, topic="Influenza", question="Who gets influenza?", answer="Anyone, mostly in winter.")


def index(*pairs: Pair) -> BM25:
    return BM25(passages_of(pairs))


def found(retriever: BM25, question: str, k: int = 3) -> list[str]:
    return [passage.question_id for passage in retriever.search(question, k)]


def test_the_passage_that_fits_comes_first_with_its_score() -> None:
    best, second = index(ASTHMA, GOUT, FLU).search("Does ice help against gout, or asthma?")
    assert (best.question_id, second.question_id) == (GOUT.id, ASTHMA.id)
    assert best.score > second.score > 0
    assert best.text == GOUT.answer


@pytest.mark.parametrize("where", ["Winter?", "Influenza?"])
def test_text_topic_and_question_are_searched(where: str) -> None:
    assert found(index(ASTHMA, GOUT, FLU), where) == [FLU.id]


@pytest.mark.parametrize("question", ["", "  ", "?!", "What is the", "Where are zebras kept?", "\x00", "\U0001f600"])
def test_nothing_is_found_where_no_word_fits(question: str) -> None:
    assert index(ASTHMA, GOUT, FLU).search(question) == []


@pytest.mark.parametrize("passages", [[], [GOUT]])
def test_an_index_of_next_to_nothing(passages: list[Pair]) -> None:
    assert found(index(*passages), "gout") == [one.id for one in passages]


def test_passages_of_stop_words_alone_are_never_found() -> None:
    only = pair(4, topic="", question="What is it?", answer="That is it.")
    assert found(index(only), "What is it?") == []
    assert found(index(only, GOUT), "What is it, gout?") == [GOUT.id]


def test_a_letter_may_be_a_name() -> None:
    vitamins = [
        pair(n, topic=f"Vitamin {name}", question="Vitamin?", answer="It is one.") for n, name in enumerate("CD")
    ]
    assert found(index(*vitamins), "What is Vitamin D?", 1) == [vitamins[1].id]


def test_k_is_the_most_that_is_given() -> None:
    many = [pair(n, answer=f"Fever number {n}.") for n in range(10)]
    assert len(found(index(*many), "fever")) == 3
    assert len(found(index(*many), "fever", 7)) == 7
    assert len(found(index(*many), "fever", 99)) == 10
    assert found(index(*many), "fever", 0) == []


def test_one_passage_an_answer_and_none_twice() -> None:
    long = pair(1, answer=" ".join(["Fever has many causes and may last."] * 40))
    repeated = [pair(2, answer="Fever comes and goes."), pair(3, answer="Fever comes and goes.")]
    assert len(passages_of([long])) > 1
    assert sorted(found(index(long, *repeated), "fever", 10)) == [long.id, "p0002"]


def test_equals_come_in_the_order_of_the_data() -> None:
    same = {"topic": "Fever", "question": "Fever?"}
    pairs = [pair(n, answer=f"Fever {word}.", **same) for n, word in enumerate(("rises", "falls", "stays"))]
    assert found(index(*pairs), "fever") == ["p0000", "p0001", "p0002"]


@pytest.fixture
def run(smoke: Run, tmp_path: Path) -> Run:
    """The smoke run in a store of its own."""
    skip = shutil.ignore_patterns("checkpoints", "adapter", "model")
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke", ignore=skip)
    return RunStore(tmp_path / "reports").open("smoke")


@pytest.fixture
def settings(lab: Settings, run: Run) -> Settings:
    return replace(lab, reports=run.folder.parent)


def test_a_run_gives_its_training_passages_only(run: Run, settings: Settings) -> None:
    _, parts = split_of(run.record, settings)
    retriever = retriever_for(run, settings)
    assert isinstance(retriever, BM25)
    assert {passage.question_id for passage in retriever.passages} == {one.id for one in parts.train}
    asked = parts.train[0]
    assert asked.id in found(retriever, f"{asked.question} {asked.answer}")


def test_it_is_built_once_for_many_threads(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    built = []
    monkeypatch.setattr(bm25, "passages_of", lambda pairs: built.append(1) or passages_of(pairs))
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: retriever_for(run, settings), range(16)))
        assert len(built) == 1
        assert len(set(map(id, given))) == 1
        answers = list(threads.map(lambda _: tuple(given[0].search("What is anemia?")), range(64)))
    assert len(set(answers)) == 1


def test_data_that_changed_are_not_searched(run: Run, settings: Settings) -> None:
    changed = read_json(run.folder / "run.json")
    changed["data"]["split_hash"] = "0" * 64
    write_json(run.folder / "run.json", changed)
    with pytest.raises(DataUnavailable, match=r"could have been trained on, so it is not used\.$"):
        retriever_for(RunStore(settings.reports).open("smoke"), settings)


def test_data_out_of_reach_are_one_sentence(settings: Settings) -> None:
    store = RunStore(settings.reports)
    config = record().config
    assert config is not None
    for dataset, what in (("medquad", "MEDQA_MEDQUAD"), ("gone.csv", "gone.csv")):
        there = record(f"of-{dataset.removesuffix('.csv')}", config=config.model_copy(update={"dataset": dataset}))
        with pytest.raises(MedQAError, match=what) as refused:
            retriever_for(store.create(there), settings)
        assert "\n" not in str(refused.value)


def test_an_imported_run_has_none(settings: Settings) -> None:
    imported = record("imported", kind="imported", config=None, imported={"format": "summary", "source": "a.txt"})
    with pytest.raises(InputError, match="what it was trained on is not known here"):
        retriever_for(RunStore(settings.reports).create(imported), settings)
