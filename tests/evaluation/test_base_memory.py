"""What a base said is not asked again: by what it was asked, never by more, and never where it cannot be kept."""

import errno
import math
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from medqa_core.evaluation import base_memory
from medqa_core.evaluation.base_memory import BaseMemory, keys_of
from medqa_core.evaluation.evaluate import evaluate
from medqa_core.evaluation.partial import Partial
from medqa_core.evaluation.verify import verify
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import LoadedModel
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore

HOW = {"measured": "answer", "max_new_tokens": 8}
PROMPTS = [[1, 2, 3], [4, 5]]


@pytest.fixture
def settings(lab: Settings, tmp_path: Path) -> Settings:
    return replace(lab, reports=tmp_path / "reports")


@pytest.fixture
def bare(smoke: Run, settings: Settings) -> Run:
    """The smoke run before its evaluation, beside another one of the same weights."""
    skip = shutil.ignore_patterns("evaluation.json", "predictions.parquet")
    for name in ("smoke", "other"):
        shutil.copytree(smoke.folder, settings.reports / name, ignore=skip)
    return RunStore(settings.reports).open("smoke")


def kept(settings: Settings) -> Path:
    [path] = (settings.cache / base_memory.FOLDER).iterdir()
    return path


def base(sha256: str = "a" * 64, device: str = "cpu", **config: Any) -> LoadedModel:
    model = SimpleNamespace(config=SimpleNamespace(to_dict=lambda: {"_name_or_path": "elsewhere", **config}))
    return cast(LoadedModel, SimpleNamespace(model=model, sha256=sha256, device=device))


def begun(run: Run, settings: Settings, **options: Any) -> dict[str, int]:
    """Evaluate it; how many questions of each stage were there before any was computed."""
    found: dict[str, int] = {}

    def progress(stage: str, done: int, _: int) -> None:
        found.setdefault(stage, done)

    evaluate(run, settings, progress, **options)
    return found


@pytest.mark.usefixtures("no_network")
def test_of_the_next_run_on_a_base_the_fine_tuned_model_alone_is_measured(bare: Run, settings: Settings) -> None:
    assert begun(bare, settings)["base_answers"] == 0
    other = RunStore(settings.reports).open("other")
    told = begun(other, settings)
    assert (told["base_loss"], told["base_answers"]) == (24, 12)
    assert (told["fine_tuned_loss"], told["fine_tuned_answers"]) == (0, 0)
    rows, again = bare.predictions(), other.predictions()
    assert rows is not None and again is not None and again.equals(rows)
    first, second = bare.evaluation(), other.evaluation()
    assert first and second and first.base_generation and second.base_generation
    assert second.base_generation.seconds == pytest.approx(first.base_generation.seconds, abs=0.1)
    assert begun(other, settings, fresh=True)["base_answers"] == 0
    assert begun(other, settings, precision="int8")["base_answers"] == 0, "answers of other weights are others"


@pytest.mark.usefixtures("no_network")
def test_a_proof_asks_the_base_itself(bare: Run, settings: Settings) -> None:
    evaluate(bare, settings)
    kept(settings).write_text(kept(settings).read_text("utf-8").replace('"values"', '"no values"'), "utf-8")
    before = kept(settings).stat()
    outcomes = {check.name: check.passed for check in verify(bare, settings)}
    assert outcomes["base answers"] and outcomes["test losses"]
    assert kept(settings).stat() == before


def test_what_is_kept_is_given_back(settings: Settings) -> None:
    one, other = keys_of(PROMPTS)
    with BaseMemory(base(), settings) as memory:
        assert memory.known(HOW) == {}
        memory.keep(HOW, {one: [7], other: [8, 9]}, 3.0)
        memory.keep(HOW | {"max_new_tokens": 9}, {one: [7, 7]}, 1.0)
    with BaseMemory(base(), settings) as memory:
        assert memory.known(HOW) == {one: ([7], 1.5), other: ([8, 9], 1.5)}
        assert memory.known(HOW | {"max_new_tokens": 7}) == {}
    with BaseMemory(base(), settings, recall=False) as memory:
        assert memory.known(HOW) == {}
        memory.keep(HOW, {one: [6]})
    with BaseMemory(base(), settings) as memory:
        assert memory.known(HOW)[one] == ([6], 0.0), "the newest counts"


@pytest.mark.parametrize("another", [base("b" * 64), base(device="cuda"), base(time_step_limit=(0.0, math.inf))])
def test_another_base_knows_nothing(settings: Settings, another: LoadedModel) -> None:
    with BaseMemory(base(), settings) as memory:
        memory.keep(HOW, {key: [1] for key in keys_of(PROMPTS)})
    with BaseMemory(another, settings) as memory:
        assert memory.known(HOW) == {}


@pytest.mark.parametrize("damage", ['{"how": ', "[]\n", '{"how": {"measured": "answer", "max_new_tokens": 8}}\n'])
def test_a_damaged_row_is_measured_again(settings: Settings, damage: str) -> None:
    with BaseMemory(base(), settings) as memory:
        memory.keep(HOW, {"one": [1]})
    with open(kept(settings), "a", encoding="utf-8") as file:
        file.write(damage)
    with BaseMemory(base(), settings) as memory:
        assert memory.known(HOW) == {"one": ([1], 0.0)}


def test_a_cache_that_cannot_be_written_costs_only_time(
    tmp_path: Path, lab: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(base_memory, "FOLDER", "file")
    with BaseMemory(base(), replace(lab, cache=tmp_path)) as memory:
        memory.keep(HOW, {"one": [1]})
        assert memory.known(HOW) == {}
    assert "is not kept" in caplog.text


def test_a_disk_that_fills_up_costs_only_time(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with BaseMemory(base(), settings) as memory:
        memory.keep(HOW, {"one": [1]})
        with monkeypatch.context() as patch:
            patch.setattr(Partial, "add", full)
            memory.keep(HOW, {"two": [2]})
        memory.keep(HOW, {"three": [3]})  # behind a row that may be torn nothing would count
    assert caplog.text.count("No space left on device") == 1
    with BaseMemory(base(), settings) as memory:
        assert memory.known(HOW) == {"one": ([1], 0.0)}
