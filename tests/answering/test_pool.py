"""One run's models at a time, to one caller at a time, and never yesterday's adapter."""

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.answering.pool import PairPool
from medqa_core.foundation.errors import InputError, ModelError, ModelUnavailable, RunNotFound
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def store(smoke: Run, lab: Settings, tmp_path: Path) -> Settings:
    """A store with two copies of the smoke run."""
    for name in ("one", "two"):
        shutil.copytree(smoke.folder, tmp_path / "reports" / name)
    return replace(lab, reports=tmp_path / "reports")


def test_a_run_is_loaded_once(store: Settings) -> None:
    pool, said = PairPool(store), []
    with pool.lend("one", said.append) as first:
        assert first.run_id == "one"
    with pool.lend("one", said.append) as again:
        assert again is first
    assert said == ["loading the adapter"]


def test_another_run_takes_its_place(store: Settings) -> None:
    pool = PairPool(store)
    with pool.lend("one") as first, pytest.raises(RunNotFound), pool.lend("three"):
        pass
    with pool.lend("two") as other:
        assert other.run_id == "two"
    with pool.lend("one") as again:
        assert again is not first
        assert again.run_id == "one"


def test_a_new_adapter_is_loaded_anew(store: Settings) -> None:
    pool = PairPool(store)
    with pool.lend("one") as first:
        pass
    os.utime(store.reports / "one" / "adapter" / "adapter_model.safetensors", ns=(1, 1))
    with pool.lend("one") as second:
        assert second is not first


def test_an_adapter_that_is_gone_is_not_lent_from_memory(store: Settings) -> None:
    pool = PairPool(store)
    with pool.lend("one"):
        pass
    shutil.rmtree(store.reports / "one" / "adapter")
    with pytest.raises(ModelUnavailable, match="one holds no model"), pool.lend("one"):
        pass
    with pool.lend("two") as other:
        assert other.run_id == "two"


def test_a_damaged_adapter_is_refused_and_the_next_question_tries_again(store: Settings) -> None:
    pool = PairPool(store)
    path = store.reports / "one" / "adapter" / "adapter_model.safetensors"
    good = path.read_bytes()
    path.write_bytes(b"broken")
    for _ in range(2):
        with pytest.raises(ModelError, match="one: its adapter cannot be loaded"), pool.lend("one"):
            pass
    path.write_bytes(good)
    with pool.lend("one") as pair:
        assert pair.run_id == "one"


def test_what_is_replaced_while_it_is_read_is_read_again(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from medqa_core.answering import pool as module

    load_pair, path = module.load_pair, store.reports / "one" / "adapter" / "adapter_model.safetensors"

    def slow(*arguments: object) -> object:
        pair = load_pair(*arguments)  # type: ignore[arg-type]
        os.utime(path, ns=(1, 1))
        return pair

    pool = PairPool(store)
    monkeypatch.setattr(module, "load_pair", slow)
    with pool.lend("one") as first:
        pass
    with pool.lend("one") as second:
        assert second is not first


@pytest.mark.parametrize("run_id", ["../smoke", "", "a/b", "x" * 65, ".hidden"])
def test_no_run_id(store: Settings, run_id: str) -> None:
    with pytest.raises(InputError), PairPool(store).lend(run_id):
        pass


def test_others_wait_their_turn_and_an_error_gives_it_back(store: Settings) -> None:
    pool = PairPool(store)
    order: list[str] = []

    def second() -> None:
        with pool.lend("one"):
            order.append("second")

    thread = threading.Thread(target=second)
    with pytest.raises(ZeroDivisionError), pool.lend("one"):
        thread.start()
        thread.join(0.2)
        order.append("first")
        raise ZeroDivisionError
    thread.join(10)
    assert order == ["first", "second"]
