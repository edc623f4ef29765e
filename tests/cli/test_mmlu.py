"""`mmlu` on the command line."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from medqa_core.runs.artifacts.mmlu import SUBSETS
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.commands import Said
from tests.support.mmlu_folder import write_mmlu

Cli = Callable[..., Said]


@pytest.fixture
def run(smoke: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> Run:
    """A copy of the smoke run in a store of its own, and MMLU's folder beside it."""
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke")
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    monkeypatch.setenv("MEDQA_MMLU", str(write_mmlu(tmp_path / "mmlu", 3)))
    return RunStore(tmp_path / "reports").open("smoke")


def test_measure_judge_and_write_up(run: Run, cli: Cli) -> None:
    said = cli("mmlu", "smoke", "--scoring", "letter", "--json")
    assert (said.code, said.err) == (0, "")
    answers = run.mmlu_answers()
    assert answers is not None
    summary = said.json
    assert (summary["run"], summary["scoring"], summary["shots"], summary["n"]) == ("smoke", "letter", 0, 18)
    assert set(summary["scorings"]) == {"letter", "calibrated"}
    assert summary["scorings"]["letter"]["accuracy"] == summary["accuracy"]
    assert set(summary["by_subset"]) == set(SUBSETS)
    for variant in ("base", "fine_tuned"):
        assert sum(summary["letters"][variant].values()) == 18
        assert summary["accuracy"][variant] == (answers[f"{variant}_choice"] == answers["target"]).mean()
    assert summary["always_one_letter"] == pytest.approx(1 / 3)
    evaluation = run.evaluation()
    assert evaluation is not None
    assert evaluation.metrics["mmlu"].n == 18
    assert evaluation.metrics["mmlu"].base == pytest.approx(summary["accuracy"]["base"])
    assert "MMLU" in (run.folder / "summary.txt").read_text("utf-8")


def test_for_people(run: Run, cli: Cli) -> None:
    said = cli("mmlu", "smoke", "--scoring", "cloze", "--shots", "5")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("MMLU, six medical subsets, by answer text, 5 examples in the prompt\n")
    for subset in SUBSETS:
        assert re.search(rf"^{subset} +3 +\d+\.\d% +\d+\.\d%$", said.out, re.MULTILINE)
    assert re.search(r"^all +18 +\d", said.out, re.MULTILINE)
    assert re.search(r"^always one letter +33\.3% +33\.3%$", said.out, re.MULTILINE)
    assert re.search(r"^chance +25\.0% +25\.0%$", said.out, re.MULTILINE)
    assert "answered A" not in said.out  # nobody asked for letters
    said = cli("mmlu", "smoke")
    assert (said.code, said.err) == (0, "")
    assert re.search(r"^by letter +\d.*\nby calibrated letter +\d.*\nanswered A +\d", said.out, re.MULTILINE)
    assert said.out.endswith("By letter both models stand at chance, so the texts of the answers are compared.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("smoke", "--shots", "3"), "shots: 3 is not allowed; allowed: 0, 5."),
        (("smoke", "--shots", "x"), "--shots"),
        (("smoke", "--scoring", "clozed"), "Did you mean 'cloze'?"),
        (("none",), "none"),
        (("../x",), "run id: '../x' is not valid"),
        ((), "RUN"),
    ],
)
def test_bad_input(run: Run, cli: Cli, arguments: tuple[str, ...], words: str) -> None:
    said = cli("mmlu", *arguments)
    assert said.code == 2
    assert words in said.error
    assert not (run.folder / "mmlu_results").exists()


def test_a_run_without_a_model(run: Run, cli: Cli) -> None:
    shutil.rmtree(run.folder / "adapter")
    said = cli("mmlu", "smoke")
    assert said.code == 2
    assert said.error == "smoke holds no model: there is nothing to ask."


def test_questions_out_of_reach(run: Run, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_MMLU", str(tmp_path / "gone"))
    said = cli("mmlu", "smoke")
    assert said.code == 1
    assert "gone, which is not a folder; set MEDQA_MMLU" in said.error


def test_help(cli: Cli) -> None:
    said = cli("mmlu", "--help")
    assert (said.code, said.err) == (0, "")
    assert "auto|letter|calibrated|cloze" in said.out
