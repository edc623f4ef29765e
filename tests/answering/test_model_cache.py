"""One run's models at a time, to one caller at a time, and never yesterday's adapter."""

import os
import shutil
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.answering.model_cache import ModelCache
from medqa_core.foundation.errors import InputError, ModelError, ModelUnavailable, RunNotFound
from medqa_core.foundation.settings import Settings
from medqa_core.models import openvino_ir
from medqa_core.models.variants import load_variants
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.support.models import not_convertible

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def store(smoke: Run, lab: Settings, tmp_path: Path) -> Settings:
    """A store with two copies of the smoke run."""
    for name in ("one", "two"):
        shutil.copytree(smoke.folder, tmp_path / "reports" / name)
    return replace(lab, reports=tmp_path / "reports")


def cache_of(settings: Settings) -> ModelCache:
    return ModelCache(settings, RunStore(settings.reports))


def test_a_run_is_loaded_once(store: Settings) -> None:
    cache, said = cache_of(store), list[str]()
    with cache.lend("one") as first:
        assert first.variants.run_id == "one"
    with cache.lend("one", said.append) as again:
        assert again == first
        assert again.variants is first.variants and again.decoder is first.decoder
    assert said == []


def test_who_waits_is_told_for_what(store: Settings, tmp_path: Path) -> None:
    said: list[str] = []
    with cache_of(replace(store, cache=tmp_path / "cache")).lend("one", said.append):
        pass
    assert said == [
        "loading the adapter",
        "converting both models for fast answers, once",
    ]


def test_another_precision_needs_another_decoder_and_no_other_weights(store: Settings) -> None:
    cache = cache_of(store)
    with cache.lend("one") as exact:
        assert exact.decoder.precision == "float32"
    with cache.lend("one", precision="int8") as fast:
        assert fast.decoder.precision == "int8"
        assert fast.variants is exact.variants
    with cache.lend("one") as again:
        assert again.decoder.precision == "float32"
        assert again.variants is exact.variants


def test_a_precision_that_is_not_there_is_refused_and_the_next_question_is_answered(
    store: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_ir, "ensure", not_convertible)
    cache = cache_of(store)
    for _ in range(2):
        with pytest.raises(InputError, match="has no int8 mode: ask in float32"), cache.lend("one", precision="int8"):
            pass
    with cache.lend("one") as models:
        assert models.decoder.name.startswith("transformers ")


def test_another_run_takes_its_place(store: Settings) -> None:
    cache = cache_of(store)
    with cache.lend("one") as first, pytest.raises(RunNotFound), cache.lend("three"):
        pass
    with cache.lend("two") as other:
        assert other.variants.run_id == "two"
        assert other.decoder is not first.decoder
    with cache.lend("one") as again:
        assert again.variants is not first.variants
        assert again.variants.run_id == "one"


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json"])
def test_a_new_adapter_is_loaded_anew(store: Settings, file: str) -> None:
    """Or one whose scale was changed, which stands in its configuration alone."""
    cache = cache_of(store)
    with cache.lend("one") as first:
        pass
    os.utime(store.reports / "one" / "adapter" / file, ns=(1, 1))
    with cache.lend("one") as second:
        assert second.variants is not first.variants
        assert second.decoder is not first.decoder


def test_an_adapter_that_is_gone_is_not_lent_from_memory(store: Settings) -> None:
    cache = cache_of(store)
    with cache.lend("one"):
        pass
    shutil.rmtree(store.reports / "one" / "adapter")
    with pytest.raises(ModelUnavailable, match="one holds no model"), cache.lend("one"):
        pass
    with cache.lend("two") as other:
        assert other.variants.run_id == "two"


def test_a_damaged_adapter_is_refused_and_the_next_question_tries_again(store: Settings) -> None:
    cache = cache_of(store)
    path = store.reports / "one" / "adapter" / "adapter_model.safetensors"
    good = path.read_bytes()
    path.write_bytes(b"broken")
    for _ in range(2):
        with pytest.raises(ModelError, match="one: its adapter cannot be loaded"), cache.lend("one"):
            pass
    path.write_bytes(good)
    with cache.lend("one") as models:
        assert models.variants.run_id == "one"


def test_what_is_replaced_while_it_is_read_is_read_again(store: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    from medqa_core.answering import model_cache as module

    path = store.reports / "one" / "adapter" / "adapter_model.safetensors"

    def slow(*arguments: object) -> object:
        variants = load_variants(*arguments)  # type: ignore[arg-type]
        os.utime(path, ns=(1, 1))
        return variants

    cache = cache_of(store)
    monkeypatch.setattr(module, "load_variants", slow)
    with cache.lend("one") as first:
        pass
    with cache.lend("one") as second:
        assert second.variants is not first.variants


@pytest.mark.parametrize("run_id", ["../smoke", "", "a/b", "x" * 65, ".hidden"])
def test_no_run_id(store: Settings, run_id: str) -> None:
    with pytest.raises(InputError), cache_of(store).lend(run_id):
        pass


def test_others_wait_their_turn_and_an_error_gives_it_back(store: Settings) -> None:
    cache = cache_of(store)
    order: list[str] = []

    def second() -> None:
        with cache.lend("one"):
            order.append("second")

    thread = threading.Thread(target=second)
    with pytest.raises(ZeroDivisionError), cache.lend("one"):
        thread.start()
        thread.join(0.2)
        order.append("first")
        raise ZeroDivisionError
    thread.join(10)
    assert order == ["first", "second"]


def _loading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("models of ")]


def test_models_are_loaded_before_anyone_asks_where_there_are_none(store: Settings) -> None:
    cache, said = cache_of(store), list[str]()
    cache.prepare("one")
    for thread in _loading():
        thread.join()
    with cache.lend("one", said.append):
        assert said == []
    cache.prepare("two")
    assert _loading() == []
    with cache.lend("one", said.append):
        assert said == [], "what is loaded stays"


def test_what_cannot_be_prepared_is_said_to_who_asks(store: Settings) -> None:
    cache = cache_of(store)
    cache.prepare("nothing")
    for thread in _loading():
        thread.join()
    with pytest.raises(RunNotFound), cache.lend("nothing"):
        pass
