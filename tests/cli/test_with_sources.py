"""`evaluate --with-sources` on the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from medqa_core.cli import evaluate
from medqa_core.runs.artifacts.manifest import check_manifest
from medqa_core.runs.artifacts.with_sources import WITH_SOURCES
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Evaluation
from tests.support.commands import Said

Cli = Callable[..., Said]


def test_answers_are_added_to_the_evaluation_and_the_write_up_is_renewed(cli: Cli, folder: Path) -> None:
    before = (folder / "predictions.parquet").read_bytes()
    said = cli("evaluate", "smoke", "--with-sources")
    assert (said.code, said.err) == (0, "")
    assert said.out.strip().splitlines()[-1].startswith("With passages to read, the ")
    assert (folder / WITH_SOURCES).exists()
    assert (folder / "predictions.parquet").read_bytes() == before  # the ordinary evaluation is not repeated
    assert check_manifest(folder) == []
    assert set(json.loads((folder / "evaluation.json").read_text())["with_sources"]["against_base"]) >= {"rougeL"}


def test_a_run_without_an_evaluation_is_evaluated_first(cli: Cli, folder: Path) -> None:
    for name in ("evaluation.json", "predictions.parquet"):
        (folder / name).unlink()
    said = cli("evaluate", "smoke", "--with-sources", "--json")
    assert (said.code, said.err) == (0, "")
    found = json.loads(said.out)
    assert found["metrics"]["loss"]["n"] == found["with_sources"]["against_fine_tuned"]["rougeL"]["n"] == 12


@pytest.mark.parametrize(("stored", "flag", "again"), [
    ("float32", None, False), ("float32", "--int8", True), ("int8", "--int8", False), ("float32", "--fresh", True),
])  # fmt: skip
def test_another_evaluation_than_there_is_is_made_first(
    cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch, stored: str, flag: str | None, again: bool
) -> None:
    raw = json.loads((folder / "evaluation.json").read_text())
    raw["protocol"]["decoding"]["precision"] = stored
    (folder / "evaluation.json").write_text(json.dumps(raw))
    made: list[str] = []

    def noted(what: str) -> Callable[..., Evaluation | None]:
        def measure(run: Run, *_: object, **__: object) -> Evaluation | None:
            made.append(what)
            return run.evaluation()

        return measure

    for what in ("measure", "measure_with_sources"):
        monkeypatch.setattr(evaluate, what, noted(what))
    said = cli("evaluate", "smoke", "--with-sources", *([flag] if flag else []), "--json")
    assert (said.code, said.err) == (0, "")
    assert made == [*(["measure"] if again else []), "measure_with_sources"]


def test_a_part_of_the_questions(cli: Cli, folder: Path) -> None:
    said = cli("evaluate", "smoke", "--with-sources", "--questions", "6", "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["with_sources"]["against_fine_tuned"]["rougeL"]["n"] == 6
    verified = cli("verify", "smoke")
    assert verified.code == 0, verified.out
    for wrong in (["--questions", "0"], ["--with-sources", "--questions", "0"]):
        refused = cli("evaluate", "smoke", *wrong)
        assert refused.code == 2 and "--questions" in refused.err


def test_weights_that_were_exchanged_are_refused_in_one_line(cli: Cli, folder: Path) -> None:
    raw = json.loads((folder / "evaluation.json").read_text())
    raw["protocol"]["base_sha256"] = "ab" * 32
    (folder / "evaluation.json").write_text(json.dumps(raw))
    said = cli("evaluate", "smoke", "--with-sources")
    assert said.code == 2
    assert said.err == "error: smoke was evaluated with other weights than it has now: evaluate it again first.\n"


def test_the_flag_of_version_1_is_understood_and_not_offered(cli: Cli, folder: Path) -> None:
    said = cli("evaluate", "smoke", "--grounded", "--questions", "6", "--json")
    assert (said.code, said.err) == (0, "")
    assert json.loads(said.out)["with_sources"]["protocol"]["retrieval"]["asked"] == 6
    assert "--grounded" not in cli("evaluate", "--help").out
