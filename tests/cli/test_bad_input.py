"""Bad input: exit code 2 and one line that names what is wrong, what is allowed and what was meant."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.commands import Said

Cli = Callable[..., Said]
VERBS = (
    "serve",
    "doctor",
    "data",
    "train",
    "stop",
    "runs",
    "evaluate",
    "mmlu",
    "judge",
    "retrieval",
    "replay",
    "report",
    "verify",
    "import",
    "export",
    "push",
    "ask",
    "cluster",
)


@pytest.mark.parametrize(
    "arguments",
    [(), *[(verb,) for verb in VERBS], ("data", "describe"), ("data", "split"), ("data", "fetch"), ("runs", "compare")],
    ids=" ".join,
)
def test_help(cli: Cli, arguments: tuple[str, ...]) -> None:
    said = cli(*arguments, "--help")
    assert said.code == 0
    assert said.out.startswith("Usage: medqa ")
    assert said.err == ""
    assert not re.search(r"^  \w+ .*\.\.\.$", said.out, re.MULTILINE), "a command's first sentence is cut in the list"
    if not arguments:
        assert all(re.search(rf"^  {verb} ", said.out, re.MULTILINE) for verb in VERBS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ("train", "--preset", "smok"),
            [
                "preset: 'smok'",
                "allowed: custom, medquad-closed, medquad-cpu, medquad-open-book, run-2",
                "Did you mean 'smoke'?",
            ],
        ),
        (("train", "--set", "epoch=3"), ["configuration field: 'epoch'", "allowed: ", "Did you mean 'epochs'?"]),
        (("train", "--set", "epochs=-1"), ["epochs: '-1' is not allowed", "greater than 0"]),
        (("train", "--set", "epochs=many"), ["epochs: 'many' is not allowed", "a valid number"]),
        (("train", "--set", "epochs=nan"), ["epochs: 'nan' is not allowed"]),
        (("train", "--set", "batch_size=2.5"), ["batch_size: '2.5' is not allowed", "integer"]),
        (("train", "--set", "batch_size=none"), ["batch_size: None is not allowed"]),
        (("train", "--set", "method=lorra"), ["method: 'lorra'", "allowed: full, last_k, lora", "Did you mean 'lora'"]),
        (("train", "--set", "epochs"), ["--set: 'epochs' is not FIELD=VALUE"]),
        (("train", "--set", "dataset=startr"), ["dataset: 'startr'", "allowed: medquad, starter", "Did you mean"]),
        (("train", "--set", "base_model=smollm2"), ["base model: 'smollm2'", "allowed: ", "smollm2-135m-instruct"]),
        (("train", "--preset", "smoke", "--run-id", "../x"), ["run id: '../x' is not valid"]),
        (("train", "--preset", "smoke", "--set", "max_tokens=2000"), ["max_tokens: 2000 is more than the 1024"]),
        (
            ("train", "--preset", "smoke", "--set", "train_size=9999"),
            ["train_size: at most 568 training pairs are available"],
        ),
        (
            ("train", "--resume", "smoke", "--preset", "smoke"),
            ["--resume: a resumed run keeps its id and configuration"],
        ),
        (("train", "--resume", "smoke", "--set", "epochs=2"), ["--resume: ", "--set"]),
        (("train", "--resume", "smoke", "--estimate"), ["--resume: ", "--estimate"]),
        (("train", "--estimate", "--background"), ["--estimate", "--background"]),
        (("train", "--background", "--set", "dataset=startr"), ["dataset: 'startr'", "Did you mean 'starter'?"]),
        (("train", "--background", "--preset", "smoke", "--run-id", "../x"), ["run id: '../x' is not valid"]),
        (("data", "describe", "--source", "start"), ["dataset: 'start'", "Did you mean 'starter'?"]),
        (("ask", "smoke", "  "), ["The question is empty"]),
        (("ask", "smoke", "a" * 100_000), ["The question has 100,000 characters"]),
        (("ask", "smoke", "What is gout?", "--temperature", "3"), ["temperature: ", "less than or equal to 2"]),
        (("ask", "smoke", "What is gout?", "--temperature", "nan"), ["temperature: "]),
        (("ask", "smoke", "What is gout?", "--max-tokens", "0"), ["max_new_tokens: ", "greater than or equal to 1"]),
        (("ask", "smoke", "What is gout?", "--seed", "x"), ["--seed", "integer"]),
        (("ask", "smoke"), ["QUESTION"]),
        (("evaluate", "smoke", "--int8-cost", "--int8", "--fresh"), ["--int8-cost", "leave out --int8 and --fresh"]),
        (("serve", "--share"), ["--share", "--widget"]),
        (("serve", "--port", "99999"), ["--port", "65535"]),
        (("rnus",), ["No such command 'rnus'", "'runs'"]),
        (("runs", "--jsno"), ["No such option", "--json"]),
        (("import", "/no/such/path"), ["path"]),
    ],
    ids=lambda value: "_".join(value)[:40] if isinstance(value, tuple) else "",
)
def test_one_line(cli: Cli, arguments: tuple[str, ...], words: list[str]) -> None:
    said = cli(*arguments)
    assert said.code == 2
    assert [word for word in words if word not in said.error] == []
    assert len(said.error) < 800


@pytest.mark.parametrize("verb", ["evaluate", "report", "ask", "stop", "train"])
@pytest.mark.parametrize("run_id", ["no-such-run", "../../etc", "a" * 300])
def test_an_unknown_run(cli: Cli, verb: str, run_id: str) -> None:
    words = {"ask": [run_id, "What is gout?"], "train": ["--resume", run_id]}.get(verb, [run_id])
    said = cli(verb, *words)
    assert said.code == 2
    assert run_id[:30] in said.error


def test_bad_input_leaves_no_run_behind(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEDQA_REPORTS", str(tmp_path / "reports"))
    assert cli("train", "--preset", "smoke", "--set", "max_tokens=2000").code == 2
    assert not (tmp_path / "reports").exists()


def test_no_command_at_all_shows_the_help(cli: Cli) -> None:
    said = cli()
    assert (said.code, said.err) == (0, "")
    assert said.out == cli("--help").out


def test_medquad_out_of_reach_is_a_failure_in_one_line(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDQA_MEDQUAD", str(tmp_path / "gone.zip"))
    said = cli("data", "describe", "--source", "medquad")
    assert said.code == 1
    assert "gone.zip, which does not exist" in said.error
