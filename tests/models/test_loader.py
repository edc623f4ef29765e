"""Loading a folder: complete and safe, or refused in one line before anything of it is used."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from medqa_core.foundation import files
from medqa_core.foundation.errors import InputError, ModelError, UnknownName
from medqa_core.foundation.settings import Settings
from medqa_core.models import folders, loader
from medqa_core.models.loader import load, locate


@pytest.fixture
def model(toy_folder: Path, tmp_path: Path) -> Path:
    """A folder of one's own with a model in it, to take apart."""
    folder = tmp_path / "my model"
    shutil.copytree(toy_folder, folder)
    (folder / "source.json").unlink()
    return folder


def change(path: Path, **values: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_a_local_folder_loads(model: Path, settings: Settings) -> None:
    loaded = load(str(model), settings=settings, device="cpu")
    assert loaded.name == str(model)
    assert loaded.folder == model
    assert loaded.revision is None
    assert loaded.sha256 == files.sha256(model / "model.safetensors")
    assert loaded.parameters == 144_640
    assert loaded.device == "cpu"
    assert not loaded.model.training
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}
    assert loaded.model.config._attn_implementation == "sdpa"
    assert loaded.tokenizer.padding_side == "left"


def test_locate_reads_no_weights(model: Path, settings: Settings) -> None:
    (model / "model.safetensors").write_bytes(b"not read yet")
    located = locate(str(model), settings=settings)
    assert (located.folder, located.kind, located.revision) == (model, "folder", None)


def test_half_precision_on_disk_becomes_float32(model: Path, settings: Settings) -> None:
    weights = {name: tensor.half() for name, tensor in load_file(model / "model.safetensors").items()}
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
    loaded = load(str(model), settings=settings, device="cpu")
    assert {parameter.dtype for parameter in loaded.model.parameters()} == {torch.float32}


def test_missing_pad_token_becomes_the_end_token(model: Path, settings: Settings) -> None:
    kept = json.loads((model / "tokenizer_config.json").read_text())
    del kept["pad_token"]
    (model / "tokenizer_config.json").write_text(json.dumps(kept))
    (model / "generation_config.json").unlink()
    change(model / "config.json", pad_token_id=None, eos_token_id=None)
    loaded = load(str(model), settings=settings, device="cpu")
    assert loaded.tokenizer.pad_token == loaded.tokenizer.eos_token == "<|end|>"
    config = loaded.model.generation_config
    assert config.pad_token_id == config.eos_token_id == loaded.tokenizer.eos_token_id


def test_the_tokens_that_end_an_answer(model: Path, settings: Settings) -> None:
    assert load(str(model), settings=settings, device="cpu").ends == (1,)
    change(model / "generation_config.json", eos_token_id=[7, 1])
    assert load(str(model), settings=settings, device="cpu").ends == (1, 7)


def shard(model: Path) -> list[Path]:
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for part, held in parts.items():
        save_file({name: weights[name] for name in held}, model / part, metadata={"format": "pt"})
    mapping = {name: part for part, held in parts.items() for name in held}
    (model / folders.INDEX).write_text(json.dumps({"metadata": {}, "weight_map": mapping}))
    return [model / part for part in parts]


def test_shards_load_and_have_one_checksum(model: Path, settings: Settings) -> None:
    whole = load(str(model), settings=settings, device="cpu")
    parts = shard(model)
    loaded = load(str(model), settings=settings, device="cpu")
    assert loaded.parameters == whole.parameters
    expected = "".join(f"{path.name} {files.sha256(path)}\n" for path in parts)
    assert loaded.sha256 == files.sha256_text(expected)


def drop(name: str) -> Callable[[Path], object]:
    return lambda model: (model / name).unlink()


def without_weights(model: Path) -> None:
    (model / "model.safetensors").unlink()


def pickle_only(model: Path) -> None:
    (model / "model.safetensors").rename(model / "pytorch_model.bin")


def without_a_shard(model: Path) -> None:
    shard(model)[1].unlink()


def shard_elsewhere(model: Path) -> None:
    shard(model)
    (model / folders.INDEX).write_text(json.dumps({"weight_map": {"a": "../elsewhere.safetensors"}}))


def one_tensor_short(model: Path) -> None:
    weights = load_file(model / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, model / "model.safetensors", metadata={"format": "pt"})


def truncated(model: Path) -> None:
    content = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(content[: len(content) // 2])


def of_another_shape(model: Path) -> None:
    change(model / "config.json", hidden_size=32)


def config(**values: object) -> Callable[[Path], object]:
    return lambda model: change(model / "config.json", **values)


def tokenizer_config(**values: object) -> Callable[[Path], object]:
    return lambda model: change(model / "tokenizer_config.json", **values)


def an_adapter(model: Path) -> None:
    (model / "adapter_config.json").write_text('{"base_model_name_or_path": "owner/name"}')


def text(name: str, content: str) -> Callable[[Path], object]:
    return lambda model: (model / name).write_text(content)


@pytest.mark.parametrize(
    ("break_it", "said"),
    [
        (shutil.rmtree, "there is no such folder"),
        (drop("config.json"), "config.json is missing"),
        (drop("tokenizer.json"), "holds no tokenizer"),
        (without_weights, "model.safetensors is missing"),
        (pickle_only, "pickles only, which can run code"),
        (without_a_shard, "model-00002-of-00002.safetensors is missing"),
        (shard_elsewhere, "no safetensors file beside it"),
        (one_tensor_short, "weights are incomplete; 1 are missing, model.layers.1.mlp.up_proj.weight"),
        (truncated, "damaged|cannot be loaded"),
        (of_another_shape, "cannot be loaded"),
        (config(auto_map={"AutoModelForCausalLM": "code.Model"}), "asks to run Python code"),
        (tokenizer_config(auto_map={"AutoTokenizer": ["code.T", None]}), "asks to run Python code"),
        (config(quantization_config={"quant_method": "gptq"}), "quantized"),
        (config(transformers_weights="adapter_model.bin"), "another name"),
        (config(model_type="bert"), "weights are incomplete"),
        (config(model_type="t5"), "does not continue text"),
        (config(model_type="of-the-future"), "cannot be loaded"),
        (config(vocab_size=10), "cannot be loaded"),
        (text("config.json", "{"), "config.json is not valid JSON"),
        (text("config.json", "[]"), "does not hold a JSON object"),
        (text("tokenizer.json", "{}"), "cannot be loaded"),
        (text("tokenizer_config.json", "["), "tokenizer_config.json is not valid JSON"),
        (tokenizer_config(eos_token=None), "no end-of-text token"),
        (an_adapter, "is an adapter"),
    ],
)
def test_what_is_refused(
    model: Path, settings: Settings, break_it: Callable[[Path], object], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    break_it(model)
    with pytest.raises(ModelError, match=said) as caught:
        load(str(model), settings=settings, device="cpu")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert capfd.readouterr() == ("", "")


def test_a_tokenizer_of_another_model(model: Path, settings: Settings) -> None:
    words = json.loads((model / "tokenizer.json").read_text())
    words["added_tokens"] += [
        {**words["added_tokens"][0], "id": 2000 + index, "content": f"<|extra{index}|>"} for index in range(3)
    ]
    (model / "tokenizer.json").write_text(json.dumps(words))
    with pytest.raises(ModelError, match="do not belong together"):
        load(str(model), settings=settings, device="cpu")


def test_unusable_names_and_devices(settings: Settings, model: Path) -> None:
    with pytest.raises(UnknownName):
        load("toyy", settings=settings)
    with pytest.raises(InputError, match="this machine has cpu"):
        load(str(model), settings=settings, device="tpu")
    assert loader.pick_device() in {"cuda", "mps", "cpu"}


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that were written just now count as left alone for long."""
    monkeypatch.setattr(folders, "SETTLED_NS", -(10**12))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose checksum was computed."""
    found: list[Path] = []
    real = files.sha256

    def counted(path: Path) -> str:
        found.append(path)
        return real(path)

    monkeypatch.setattr(files, "sha256", counted)
    return found


@pytest.mark.usefixtures("settled")
def test_the_checksum_is_remembered_until_the_file_changes(
    model: Path, settings: Settings, computed: list[Path]
) -> None:
    first = folders.weights_sha256(model, "m", settings.cache)
    assert folders.weights_sha256(model, "m", settings.cache) == first
    assert len(computed) == 1
    with open(model / "model.safetensors", "ab") as file:
        file.write(b"x")
    assert folders.weights_sha256(model, "m", settings.cache) != first
    assert len(computed) == 2


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("replaced", [True, False])
def test_a_time_that_was_put_back_does_not_pass_for_the_file(model: Path, settings: Settings, replaced: bool) -> None:
    """As whoever merges an adapter into the base would do it: the same size, and the time of before."""
    path = model / "model.safetensors"
    first, before = folders.weights_sha256(model, "m", settings.cache), path.stat()
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    if replaced:
        path.unlink()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    after = path.stat()
    assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    assert folders.weights_sha256(model, "m", settings.cache) == files.sha256(path) != first


def test_of_a_file_written_just_now_nothing_is_remembered(
    model: Path, settings: Settings, computed: list[Path]
) -> None:
    for _ in range(2):
        folders.weights_sha256(model, "m", settings.cache)
    assert len(computed) == 2 and not (settings.cache / "hashes.json").exists()


def test_a_file_of_the_hub_is_what_its_blob_s_name_says(model: Path, settings: Settings, tmp_path: Path) -> None:
    blobs = tmp_path / "models--a--b" / "blobs"
    snapshot = tmp_path / "models--a--b" / "snapshots" / ("0" * 40)
    blobs.mkdir(parents=True)
    shutil.copytree(model, snapshot)
    weights = snapshot / "model.safetensors"
    blob = blobs / files.sha256(weights)
    weights.rename(blob)
    weights.symlink_to(blob)
    assert folders.weights_sha256(snapshot, "a/b", settings.cache) == blob.name
    content = bytearray(blob.read_bytes())
    content[-1] ^= 1
    blob.write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors is not the file that the model hub gave"):
        load(str(snapshot), settings=settings, device="cpu")


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1, "b": "short"}'])
def test_a_torn_memory_of_checksums_is_ignored(model: Path, settings: Settings, content: str) -> None:
    settings.cache.mkdir()
    (settings.cache / "hashes.json").write_text(content)
    assert folders.weights_sha256(model, "m", settings.cache) == files.sha256(model / "model.safetensors")
    assert len(files.read_json(settings.cache / "hashes.json")) == 1


def test_a_cache_that_cannot_be_written_only_costs_time(model: Path, settings: Settings) -> None:
    settings.cache.write_text("a file where a folder should be")
    assert load(str(model), settings=settings, device="cpu").sha256 == files.sha256(model / "model.safetensors")
