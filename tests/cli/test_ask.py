"""`ask` with sources on the command line: which library, which passages, and what is not found."""

from collections.abc import Callable
from pathlib import Path

import pytest

from medqa_core.answering.question import ASK_NO_REPEAT
from tests.support.commands import Said
from tests.support.pdf import pdf, scanned

pytestmark = pytest.mark.usefixtures("smoke")
Cli = Callable[..., Said]
ASK = ("ask", "smoke", "--max-tokens", "4")


@pytest.fixture
def leaflets(tmp_path: Path) -> Path:
    folder = tmp_path / "leaflets"
    folder.mkdir()
    (folder / "gout.pdf").write_bytes(pdf("Cover.", "The symptoms of gout are a swollen and painful joint."))
    (folder / "scan.pdf").write_bytes(scanned())
    return folder


def test_the_runs_data_set_is_searched_by_default(cli: Cli) -> None:
    said = cli(*ASK, "What are the symptoms of gout?", "--with-sources")
    assert (said.code, said.err) == (0, "")
    assert "With sources: toy" in said.out and "\n[1] " in said.out
    assert "this run’s data set" in said.out and "Best match with the question: " in said.out


def test_passages_on_other_topics_are_told(cli: Cli) -> None:
    asked = "Which infections cause a fever and a rash on the skin?"
    said = cli(*ASK, asked, "--with-sources")
    assert "Your question names the topic of none of these passages, which are about “" in said.out
    assert cli(*ASK, asked, "--with-sources", "--json").json["searched"]["on_topic"] is False
    assert "which are about" not in cli(*ASK, "What are the symptoms of gout?", "--with-sources").out


def test_documents_of_ones_own_are_named_by_file_and_page(cli: Cli, leaflets: Path) -> None:
    said = cli(*ASK, "What are the symptoms of gout?", "--library", str(leaflets))
    assert (said.code, said.err) == (0, "")
    assert "Searched: the documents in leaflets (2 passages)." in said.out
    assert "(gout.pdf, page 2)\n    The symptoms of gout are a swollen" in said.out
    assert "Left out: scan.pdf holds no text, perhaps because it is a scan" in said.out


def test_json_says_what_was_searched_and_what_supports_what(cli: Cli, leaflets: Path) -> None:
    found = cli(*ASK, "What are the symptoms of gout?", "--library", str(leaflets), "--json").json
    assert list(found["answers"]) == ["base", "fine_tuned", "with_sources"]
    assert found["searched"]["kind"] == "own documents" and found["searched"]["title"] == "leaflets"
    assert (found["passages"][0]["source"], found["passages"][0]["page"]) == ("gout.pdf", 2)
    assert {"text", "passage", "share"} == set(found["answers"]["with_sources"]["sentences"][0])
    without = cli(*ASK, "What is gout?", "--json").json
    assert "passages" not in without and "searched" not in without and "sentences" not in without["answers"]["base"]


def test_a_question_that_the_library_has_nothing_on(cli: Cli, leaflets: Path) -> None:
    for question in ("Who painted the Mona Lisa?", "Wie entsteht eigentlich Gicht?"):
        said = cli(*ASK, question, "--library", str(leaflets))
        assert said.code == 0
        assert "No passage found for this question." in said.out and "\n[1] " not in said.out
        assert "below 0.55 counts as nothing found" in said.out


@pytest.mark.parametrize("there", [True, False])
def test_an_empty_library_and_none_at_all_are_one_line(cli: Cli, tmp_path: Path, there: bool) -> None:
    folder = tmp_path / "empty"
    if there:
        folder.mkdir()
    said = cli(*ASK, "What is gout?", "--library", str(folder))
    assert said.code == 2
    what = "empty holds no document that can be read: put files there" if there else f"there is no folder {folder}."
    assert said.error.startswith(f"library: {what}")


def test_the_flag_of_version_2_is_understood(cli: Cli) -> None:
    assert "With sources: toy" in cli(*ASK, "What are the symptoms of gout?", "--sources").out


def test_no_run_of_tokens_twice(cli: Cli) -> None:
    found = cli(*ASK, "What is gout?", "--no-repeat-ngram", "3", "--json").json
    assert {one["provenance"]["no_repeat_ngram"] for one in found["answers"].values()} == {3}
    assert cli(*ASK, "What is gout?", "--no-repeat-ngram", "11").code == 2
    found = cli(*ASK, "What is gout?", "--json").json
    assert {one["provenance"]["no_repeat_ngram"] for one in found["answers"].values()} == {ASK_NO_REPEAT}
    assert f"Default: {ASK_NO_REPEAT}." in " ".join(cli("ask", "--help").out.replace("│", " ").split())
