"""What finds a run's passages: its training documents alone, indexed once, by words or by meaning."""

import shutil
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.answering.retrieval import retriever
from medqa_core.answering.retrieval.embeddings import Embeddings
from medqa_core.answering.retrieval.passages import Passage, passages_of
from medqa_core.answering.retrieval.recall import measure_retrieval
from medqa_core.answering.retrieval.reranking import Reranked
from medqa_core.answering.retrieval.retriever import retriever_for
from medqa_core.data.lookup import split_of
from medqa_core.data.pairs import QAPair
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError, ModelError
from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import record

pytestmark = pytest.mark.usefixtures("no_network")


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
    index = retriever_for(run, settings)
    assert isinstance(index, Reranked)
    assert {passage.question_id for passage in index.passages} == {one.id for one in parts.train}
    asked = parts.train[0]
    assert asked.id in [one.question_id for one in index.search(f"{asked.question} {asked.answer}")]


def test_it_is_built_once_for_many_threads(run: Run, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[int] = []

    def counted(pairs: Iterable[QAPair]) -> list[Passage]:
        built.append(1)
        return passages_of(pairs)

    monkeypatch.setattr(retriever, "passages_of", counted)
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


def test_the_settings_choose_a_model_and_its_name_is_kept(run: Run, settings: Settings) -> None:
    by_meaning = replace(settings, embeddings="toy")
    index = retriever_for(run, by_meaning)
    assert isinstance(index, Embeddings)
    assert isinstance(retriever_for(run, settings), Reranked)
    result = measure_retrieval(run, by_meaning)
    assert result.method == index.method
    assert "toy" in result.method and "mean pooling" in result.method
    assert result.passages == len(index.passages)


def test_a_model_that_is_none_is_one_sentence(run: Run, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        retriever_for(run, replace(settings, embeddings=str(tmp_path / "empty")))
    with pytest.raises(InputError):
        retriever_for(run, replace(settings, embeddings="no such model"))
