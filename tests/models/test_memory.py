"""Two whole models are refused before either is loaded where memory does not hold them."""

import shutil
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch
from safetensors.torch import load_file, save_file

from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.settings import Settings
from medqa_core.models import memory
from medqa_core.models import variants as pair_module
from medqa_core.models.loader import load
from medqa_core.models.memory import require_memory, weight_bytes
from medqa_core.models.variants import load_variants
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def whole(smoke: Run, toy_folder: Path, tmp_path: Path) -> Run:
    """The smoke run as a full fine-tune leaves it: a model of its own and no adapter."""
    folder = tmp_path / "reports" / "smoke"
    shutil.copytree(smoke.folder, folder)
    shutil.rmtree(folder / "adapter")
    shutil.copytree(toy_folder, folder / "model")
    return RunStore(folder.parent).open("smoke")


def free(monkeypatch: pytest.MonkeyPatch, number: int, device: str = "cpu") -> None:
    """So many bytes on `device`, and hardly any elsewhere; on a GPU some in blocks that PyTorch keeps."""
    there = {"cpu": 100, "cuda": 100, device: number}
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=there["cpu"]))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (there["cuda"] - 70, 10**12))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 90)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 20)


def test_a_weight_counts_as_float32_whatever_the_file_stores(toy_folder: Path, lab: Settings, tmp_path: Path) -> None:
    expected = 4 * load("toy", settings=lab).parameters
    assert weight_bytes(toy_folder, "toy") == expected
    tensors = load_file(toy_folder / "model.safetensors")
    save_file({name: tensor.bfloat16() for name, tensor in tensors.items()}, tmp_path / "model.safetensors")
    assert (tmp_path / "model.safetensors").stat().st_size < 0.6 * expected
    assert weight_bytes(tmp_path, "half") == expected


def test_shards_are_added_up(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(3, 5)}, tmp_path / "one.safetensors")
    save_file({"b": torch.zeros(7), "c": torch.zeros(())}, tmp_path / "two.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}}'
    )
    assert weight_bytes(tmp_path, "shards") == 4 * (15 + 7 + 1)


@pytest.mark.parametrize("content", [b"", b"\x10", b"\xff" * 64])
def test_damaged_weights(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"^mine: its weights are damaged: [^\n]+\.$"):
        weight_bytes(tmp_path, "mine")


def test_weights_that_cannot_be_read_for_no_stated_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(*_: object, **__: object) -> None:
        raise OSError

    (tmp_path / "model.safetensors").write_bytes(b"torn")
    monkeypatch.setattr(memory, "safe_open", silent)
    with pytest.raises(ModelError, match=r"^mine: its weights are damaged: OSError\.$"):
        weight_bytes(tmp_path, "mine")


@pytest.mark.parametrize(("device", "sets"), [("cpu", 4), ("cuda", 2)])
def test_to_the_last_byte(toy_folder: Path, monkeypatch: pytest.MonkeyPatch, device: str, sets: int) -> None:
    folders = {"base": toy_folder, "tuned": toy_folder}
    needed = sets * weight_bytes(toy_folder, "toy")
    free(monkeypatch, needed, device)
    require_memory("big", folders, device=device)
    free(monkeypatch, needed - 1, device)
    with pytest.raises(ModelError, match=r"^big holds a whole fine-tuned model: two sets of weights need about \d MB"):
        require_memory("big", folders, device=device)


def test_both_figures_are_said_as_people_read_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from medqa_core.models import memory

    monkeypatch.setattr(memory, "weight_bytes", lambda *_: 538_000_000)
    free(monkeypatch, 20_400_000_000, "cuda")
    said: list[str] = []
    require_memory("big", {"base": tmp_path, "tuned": tmp_path}, device="cuda", progress=said.append)
    assert said == ["two sets of weights need about 1.1 GB; 20 GB are free"]


def test_a_whole_model_is_asked_about_before_it_is_loaded(
    whole: Run, lab: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    assert not load_variants(whole, lab, said.append).shares_weights
    assert said[0].startswith("two sets of weights need about 2 MB; ")
    assert said[1:] == ["loading the fine-tuned model"]
    monkeypatch.setattr(pair_module, "load", lambda *_, **__: pytest.fail("a model was loaded"))
    free(monkeypatch, 1000)
    with pytest.raises(ModelError, match=r"need about 2 MB of memory, and 1 kB are free; end other programs") as caught:
        load_variants(whole, lab)
    assert "\n" not in str(caught.value)


def test_an_adapter_needs_no_second_set(smoke: Run, lab: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    free(monkeypatch, 1000)
    said: list[str] = []
    assert load_variants(smoke, lab, said.append).shares_weights
    assert said == ["loading the adapter"]
