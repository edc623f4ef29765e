"""Which library a run's answers with sources are given from, and that it is built once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.answering.question import Question
from medqa_core.answering.retrieval import library as module
from medqa_core.answering.retrieval.library import PassageLibrary, library_for
from medqa_core.answering.retrieval.reranking import Reranked
from medqa_core.answering.sources import find_sources
from medqa_core.data import starter
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.pdf import pdf, scanned
from tests.support.runs import record

pytestmark = pytest.mark.usefixtures("no_network")
TABLE = "question,answer,topic\nWhat is Blorkitis?,Blorkitis is a made-up disease of the left elbow.,Blorkitis\n"


@pytest.fixture(autouse=True)
def nothing_in_memory() -> None:
    module._in_memory.clear()


@pytest.fixture
def settings(lab: Settings, tmp_path: Path) -> Settings:
    """With a cache and a store of its own; MedQuAD is out of reach."""
    return replace(lab, cache=tmp_path / "cache", reports=tmp_path / "reports", medquad=None)


def run_on(dataset: str, settings: Settings) -> Run:
    config = record().config
    assert config is not None
    name = f"of-{Path(dataset).stem}"
    return RunStore(settings.reports).create(record(name, config=config.model_copy(update={"dataset": dataset})))


def own(settings: Settings, folder: Path) -> Settings:
    return replace(settings, library=folder)


def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is built from now on, by its title."""
    titles: list[str] = []
    for name in ("_own", "_of_data"):
        real = getattr(module, name)

        def counted(*arguments: object, real: object = real) -> PassageLibrary:
            found: PassageLibrary = real(*arguments)  # type: ignore[operator]
            titles.append(found.title)
            return found

        monkeypatch.setattr(module, name, counted)
    return titles


def test_all_answers_of_the_runs_own_data_set(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    found = library_for(run_on(str(tmp_path / "table.csv"), settings), settings)
    assert (found.kind, found.title) == ("data set", "table.csv")
    assert [one.text for one in found.retriever.passages] == ["Blorkitis is a made-up disease of the left elbow."]
    of_starter = library_for(run_on("starter", settings), settings)
    assert (of_starter.kind, of_starter.title) == ("data set", starter.load().title)
    assert {one.question_id for one in of_starter.retriever.passages} == {pair.id for pair in starter.load().pairs}


@pytest.mark.parametrize("dataset", ["medquad", "gone.csv", "owner/name"])
def test_the_starter_set_where_the_data_set_is_out_of_reach(settings: Settings, dataset: str) -> None:
    found = library_for(run_on(dataset, settings), settings)
    assert (found.kind, found.title) == ("starter set", starter.load().title)


def test_the_starter_set_for_an_imported_run(settings: Settings) -> None:
    imported = record("imported", kind="imported", config=None, imported={"format": "summary", "source": "a.txt"})
    assert library_for(RunStore(settings.reports).create(imported), settings).kind == "starter set"


def test_strangers_are_shown_no_file_that_a_run_names_but_the_documents_that_the_operator_chose(
    settings: Settings, tmp_path: Path
) -> None:
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    run, public = run_on(str(tmp_path / "table.csv"), settings), replace(settings, public=True)
    assert library_for(run, public).kind == "starter set"
    assert library_for(run, own(public, tmp_path / "table.csv")).kind == "own documents"


def test_documents_of_ones_own_come_first_with_file_and_page(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "leaflets"
    folder.mkdir()
    (folder / "blorkitis.pdf").write_bytes(pdf("Cover.", "Blorkitis begins in the left elbow."))
    (folder / "scan.pdf").write_bytes(scanned())
    found = library_for(run_on("starter", settings), own(settings, folder))
    assert (found.kind, found.title) == ("own documents", "leaflets")
    assert found.left_out == (
        "scan.pdf holds no text, perhaps because it is a scan: run text recognition (OCR) on it.",
    )
    passage, *_ = found.retriever.search("Where does Blorkitis begin?")
    assert (passage.source, passage.document, passage.page) == ("blorkitis.pdf", "blorkitis.pdf", 2)


def test_a_table_of_ones_own_is_read_as_a_data_set_is(settings: Settings, tmp_path: Path) -> None:
    run = run_on("starter", settings)
    for name, text in (("t.csv", TABLE), ("t.jsonl", '{"q": "What is gout?", "a": "A form of arthritis."}\n')):
        folder = tmp_path / name.replace(".", "-")
        folder.mkdir()
        (folder / name).write_text(text, encoding="utf-8")
        for path in (folder, folder / name):
            (passage,) = library_for(run, own(settings, path)).retriever.passages
            assert passage.question.startswith("What is") and passage.page is None


def test_a_library_of_one_document_answers_and_refuses(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "one.md").write_text("# Blorkitis\nBlorkitis begins in the left elbow.", encoding="utf-8")
    run, one = run_on("starter", settings), own(settings, tmp_path / "one.md")
    found = find_sources(Question.checked("Where does Blorkitis begin?"), run, one)
    assert found.searched.enough and found.searched.passages == len(found.passages) == 1
    for foreign in ("Wie entsteht eigentlich Gicht?", "Who painted the Mona Lisa?"):
        other = find_sources(Question.checked(foreign), run, one)
        assert (other.searched.enough, other.searched.match, other.passages) == (False, 0.0, ())


def test_an_empty_library_is_one_sentence(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    run = run_on("starter", settings)
    with pytest.raises(InputError, match=r"^library: empty holds no document that can be read: put files there"):
        library_for(run, own(settings, tmp_path / "empty"))
    with pytest.raises(InputError, match="there is no folder"):
        library_for(run, own(settings, tmp_path / "gone"))
    assert not list((settings.cache / "libraries").glob("*/"))


def test_it_is_built_once_for_all_threads_and_the_next_process_reads_it(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    run, titles = run_on(str(tmp_path / "table.csv"), settings), built(monkeypatch)
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: library_for(run, settings), range(16)))
    assert titles == ["table.csv"] and len(set(map(id, given))) == 1
    module._in_memory.clear()
    kept = library_for(run, settings)
    assert titles == ["table.csv"] and kept is not given[0]
    assert (kept.kind, kept.title, kept.left_out) == (given[0].kind, given[0].title, given[0].left_out)
    assert isinstance(kept.retriever, Reranked) and kept.retriever.passages == given[0].retriever.passages
    question = "What is Blorkitis?"
    assert kept.retriever.search(question) == given[0].retriever.search(question) != []
    with (tmp_path / "table.csv").open("a", encoding="utf-8") as file:
        file.write("What is gout?,A form of arthritis.,Gout\n")
    assert len(library_for(run, settings).retriever.passages) == 2
    assert titles == ["table.csv"] * 2


@pytest.mark.parametrize("name", ["passages.jsonl", "library.json", "data.csc.index.npy", "vocab.index.json"])
def test_a_damaged_cache_is_built_anew(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    run = run_on(str(tmp_path / "table.csv"), settings)
    library_for(run, settings)
    (folder,) = (settings.cache / "libraries").glob("*/")
    (folder / name).write_bytes(b"\x00" * (folder / name).stat().st_size)  # of the size that it was built with
    module._in_memory.clear()
    titles = built(monkeypatch)
    assert library_for(run, settings).retriever.search("What is Blorkitis?")
    assert titles == ["table.csv"]


def test_a_cache_that_cannot_be_written_costs_time_only(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    (tmp_path / "cache").write_text("no folder", encoding="utf-8")
    found = library_for(run_on(str(tmp_path / "table.csv"), settings), settings)
    assert found.retriever.search("What is Blorkitis?")


def test_with_an_embedding_model_the_vectors_alone_are_kept(lab: Settings, settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLE, encoding="utf-8")
    by_meaning = replace(settings, cache=lab.cache, embeddings="toy")
    found = library_for(run_on(str(tmp_path / "table.csv"), settings), by_meaning)
    assert found.retriever.name == "embeddings"
    (passage,) = found.retriever.search("What is Blorkitis?")
    assert 0 < found.retriever.match("What is Blorkitis?", passage) <= 1 and found.retriever.least_match == 0
