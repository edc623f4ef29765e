"""`data describe`: a data set of any kind, its split, its leakage and its lengths, for people and as JSON."""

import re
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.jobs.task import read_entry
from medqa_core.jobs.tasks import submit_task
from medqa_core.models import token_lengths, toy
from tests.support.commands import Said

Cli = Callable[..., Said]
OVERLAP = {
    "document",
    "focus",
    "question",
    "answer",
    "synonym",
    "concept",
    "near_duplicate",
    "ngram13_any",
    "ngram13_over_half",
    "ngram13_over_80",
}


@pytest.fixture
def toy_counts(lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy's tokenizer in place of the embedded model's."""
    folder = toy.ensure(lab.cache)
    monkeypatch.setattr(token_lengths, "tokenizer_folder", lambda *_: folder)


@pytest.mark.usefixtures("toy_counts")
def test_everything_as_json(cli: Cli) -> None:
    facts = cli("data", "describe", "--json").json
    assert facts["pairs_parsed"] == facts["pairs_answered"] == 578
    assert facts["split"] == {"train": 449, "validation": 48, "test": 81}
    assert set(facts["overlap"]) == OVERLAP
    assert [facts["overlap"][key] for key in ("document", "focus", "question", "answer")] == [0, 0, 0, 0]
    assert facts["tokens"]["median"] <= facts["tokens"]["p95"]
    assert 0 <= facts["tokens"]["truncated_share"] <= 1
    assert cli("data", "describe", "--json").json == facts
    other = cli("data", "describe", "--seed", "7", "--json").json
    assert other["split_hash"] != facts["split_hash"]
    short = cli("data", "describe", "--max-tokens", "16", "--json").json
    assert short["tokens"]["truncated_share"] == 1
    assert short["split_hash"] == facts["split_hash"]


def test_the_split_is_listed_pair_by_pair(cli: Cli) -> None:
    found = cli("data", "split", "--train-size", "300", "--test-size", "60", "--json").json
    rows = found["pairs"]
    assert Counter(row["part"] for row in rows) == {"train": 300, "validation": 48, "test": 60}
    groups = {part: {row["group"] for row in rows if row["part"] == part} for part in ("train", "validation", "test")}
    assert not groups["train"] & groups["test"] and not groups["validation"] & groups["test"]
    assert len({row["id"] for row in rows}) == len(rows)
    described = cli("data", "describe", "--train-size", "300", "--test-size", "60", "--json").json
    assert found["split_hash"] == described["split_hash"] and found["split_version"] == 2
    lines = cli("data", "split", "--train-size", "300", "--test-size", "60").out.splitlines()
    assert lines[0].split("\t") == [rows[0]["part"], rows[0]["id"], rows[0]["group"]]
    assert cli("data", "split", "--split-version", "3").code == 2


def test_synonyms_of_an_own_file_keep_a_topic_in_one_part(cli: Cli, tmp_path: Path) -> None:
    rows = "".join(
        f"Was ist {n}?,Das ist {n}.,Name {n},{f'anders; Name {n + 1}' if n % 2 == 0 else ''}\n" for n in range(40)
    )
    (tmp_path / "my.csv").write_text("question,answer,topic,synonyms\n" + rows.replace("anders; ", ""))
    facts = cli("data", "describe", "--source", str(tmp_path / "my.csv"), "--json").json
    assert facts["overlap"]["synonym"] == 0
    first = cli("data", "describe", "--source", str(tmp_path / "my.csv"), "--split-version", "1", "--json").json
    assert first["overlap"]["synonym"] > 0 == first["overlap"]["focus"]
    assert facts["templates"] == {"share": 0.0, "by_question_type": {"unknown": 0.0}, "longest": []}


def test_a_task_that_fetches_ends_in_the_sentence_of_the_command(
    cli: Cli, in_lab: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDQA_CACHE", str(in_lab.cache / "empty"))
    said = cli("data", "fetch", "some/one").error
    assert said.startswith("some/one is not in the cache and ")
    entry = submit_task("fetch", None, in_lab, {"name": "some/one"}).entry
    assert cli("task", entry.task.id).error == said
    found = read_entry(entry.folder)
    assert found is not None and (found.state, found.status.error) == ("failed", said)
    assert cli("data", "fetch", "nonsense").error.startswith("name: 'nonsense' is here already, or is no data set")


def test_without_the_embedded_model(cli: Cli) -> None:
    assert cli("data", "describe", "--json").json["tokens"] is None
    assert "`medqa data fetch` fetches it" in cli("data", "describe").out


def test_sizes_and_a_random_split(cli: Cli) -> None:
    sizes = ("--train-size", "300", "--validation-size", "0.1", "--test-size", "60")
    facts = cli("data", "describe", *sizes, "--split", "random", "--json").json
    assert facts["split"] == {"train": 300, "validation": 58, "test": 60}
    assert facts["overlap"]["focus"] > 40
    said = cli("data", "describe", *sizes, "--split", "random")
    assert re.search(r"^leakage +▼ The test set leaks: of 60 test questions \d+ ", said.out, re.MULTILINE)
    assert "\x1b" not in said.out  # red only where somebody looks
    assert re.search(r"^leakage +No test question shares", cli("data", "describe").out, re.MULTILINE)


def test_leakage_is_red_on_a_terminal(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert re.search(r"\x1b\[31mleakage", cli("data", "describe", "--split", "random").out)


def test_a_path_to_medquad(cli: Cli, tmp_path: Path) -> None:
    document = """<Document id="1" source="Made"><Focus>Gout</Focus><QAPairs>
    <QAPair><Question qid="1-1" qtype="information">What is (are) Gout ?</Question><Answer>An ache.</Answer></QAPair>
    <QAPair><Question qid="1-2" qtype="causes">What causes Gout ?</Question><Answer></Answer></QAPair>
    </QAPairs></Document>"""
    with zipfile.ZipFile(tmp_path / "MedQuAD.zip", "w") as archive:
        archive.writestr("MedQuAD-master/1_Made_QA/1.xml", document)
    facts = cli("data", "describe", "--source", str(tmp_path / "MedQuAD.zip"), "--json").json
    assert (facts["source"], facts["pairs_parsed"], facts["pairs_answered"]) == ("medquad", 2, 1)
    assert facts["filters"]


def test_an_own_file(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "my.csv"
    path.write_text("Frage,Antwort\n" + "".join(f"Was ist {n}?,Das ist {n}.\n" for n in range(40)))
    refused = cli("data", "describe", "--source", str(path))
    assert refused.code == 2
    assert refused.error.startswith("my.csv: row 1, column 'question': missing; the columns are 'Frage', 'Antwort'.")
    facts = cli("data", "describe", "--source", str(path), "--columns", "question=Frage,answer=Antwort", "--json").json
    assert facts["source"] == "my.csv"
    assert sum(facts["split"].values()) == facts["pairs_answered"] == 40
    path.write_text("question,answer\nWhat?,That.\nWhy?\n")
    torn = cli("data", "describe", "--source", str(path))
    assert (torn.code, torn.error) == (
        2,
        "my.csv: row 3, column 'answer': missing, the row ends after 1 of 2; give it a cell or delete the row.",
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--source", "gone.csv"), "dataset: 'gone.csv' does not exist"),
        (("--columns", "question"), "columns: 'question' is not allowed; write it as question=COLUMN"),
        (("--columns", "question=q"), "columns: starter has no columns to map"),
        (("--train-size", "0"), "train_size: '0' is not allowed"),
        (("--test-size", "many"), "test_size: 'many' is not allowed"),
        (("--test-size", "9999"), "test_size: at most 81 test pairs are available"),
        (("--split", "randm"), "Did you mean 'random'?"),
        (("--seed", "-1"), "split_seed: "),
        (("--max-tokens", "1"), "max_tokens: "),
    ],
)
def test_bad_input(cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    said = cli("data", "describe", *arguments)
    assert said.code == 2
    assert words in said.error


@pytest.mark.real
def test_the_real_medquad(capsys: pytest.CaptureFixture[str]) -> None:
    from medqa_core.cli.app import main
    from medqa_core.foundation.files import loads

    if (path := Settings.from_environment().medquad) is None:
        pytest.skip("MedQuAD is not in reach: set MEDQA_MEDQUAD to its ZIP or folder")
    found = []
    for split in ("grouped", "grouped", "random"):
        with pytest.raises(SystemExit):
            main(["data", "describe", "--source", str(path), "--split", split, "--json"])
        found.append(loads(capsys.readouterr().out))
    once, again, random = found
    assert (once["pairs_parsed"], once["pairs_answered"]) == (47_441, 16_407)
    assert once["split"] == {"train": 3500, "validation": 750, "test": 750}
    assert once["split_hash"] == again["split_hash"]
    assert [once["overlap"][key] for key in ("document", "focus", "question", "answer")] == [0, 0, 0, 0]
    assert random["overlap"]["focus"] > 0.5 * 750


def test_a_test_file_of_ones_own(cli: Cli, tmp_path: Path) -> None:
    for name, numbers in (("train.csv", range(40)), ("test.csv", range(36, 48))):
        (tmp_path / name).write_text("question,answer\n" + "".join(f"What is {n}?,It is {n}.\n" for n in numbers))
    named = ("--source", str(tmp_path / "train.csv"), "--test", str(tmp_path / "test.csv"))
    facts = cli("data", "describe", *named, "--json").json
    assert facts["split"]["test"] == 12 and facts["overlap"]["question"] > 0
    assert re.search(r"^leakage +▼ The test set leaks: of 12 test questions", cli("data", "describe", *named).out, re.M)
    rows = cli("data", "split", *named, "--json").json["pairs"]
    assert Counter(row["part"] for row in rows)["test"] == 12
    shown = cli("train", "--preset", "smoke", "--train", named[1], "--test", named[3], "--show").json
    assert shown["train_size"] is None and shown["test_dataset"] == named[3]
    assert cli("train", "--resume", "x", "--test", named[3]).code == 2
