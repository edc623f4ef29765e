"""What cannot come in is refused in one sentence that says what to do, and nothing half-made stays."""

import re
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from medqa_core.foundation.errors import InputError, RunError
from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.incoming import copying
from medqa_core.models.incoming import import_model as module
from medqa_core.models.incoming.import_model import import_model
from medqa_core.runs.schema.config import EvaluationConfig
from tests.support.foreign_models import full_model, toy_folder

pytestmark = pytest.mark.usefixtures("no_network")
Refused = Callable[..., str]


@pytest.fixture
def refused(here: Settings, asked: EvaluationConfig) -> Refused:
    """Import a folder and give the sentence with which it is refused; the store holds nothing of it."""

    def run(folder: Path, **options: Any) -> str:
        options.setdefault("base", "toy")
        before = sorted(here.reports.rglob("*"))
        with pytest.raises(InputError) as error:
            import_model(folder, asked, here, **options)
        assert sorted(here.reports.rglob("*")) == before
        said = str(error.value)
        assert "\n" not in said and str(folder) not in said
        return said

    return run


def edit(path: Path, **values: object) -> None:
    """Change some of a JSON file's values."""
    write_json(path, read_json(path) | values)


def test_pickles_are_not_opened_and_the_command_is_given(
    refused: Refused, adapter: Path, whole: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pickled"
    shutil.copytree(adapter, folder)
    (folder / "adapter_model.safetensors").unlink()
    (folder / "adapter_model.bin").write_bytes(b"never read")
    said = refused(folder)
    assert said.startswith("pickled holds its weights as a pickle (adapter_model.bin), which can run code when opened")
    assert "torch.load('adapter_model.bin', map_location='cpu', weights_only=True)" in said
    assert "'adapter_model.safetensors'" in said
    shards = tmp_path / "shards"
    shards.mkdir()
    (shards / "pytorch_model-00001-of-00002.bin").write_bytes(b"never read")
    assert "M.from_pretrained('.', use_safetensors=False).save_pretrained('safetensors')" in refused(shards)


def test_the_command_for_pickles_works(adapter: Path, tmp_path: Path) -> None:
    import subprocess
    import sys

    from medqa_core.models.incoming.found import TO_SAFETENSORS

    tensors = load_file(adapter / "adapter_model.safetensors")
    torch.save(tensors, tmp_path / "adapter_model.bin")
    command = TO_SAFETENSORS.format(pickle="adapter_model.bin", target="adapter_model.safetensors")
    subprocess.run(command.replace("python", sys.executable, 1), shell=True, cwd=tmp_path, check=True)
    made = load_file(tmp_path / "adapter_model.safetensors")
    assert made.keys() == tensors.keys()


@pytest.mark.parametrize("bias", ["none", "all"])
def test_an_adapter_is_checked_whether_it_is_kept_or_merged(
    bias: str, refused: Refused, adapter: Path, tmp_path: Path
) -> None:
    pattern = tmp_path / "pattern"
    shutil.copytree(adapter, pattern)
    edit(pattern / "adapter_config.json", bias=bias, rank_pattern={"(q|v)_proj": 4})
    assert "rank_pattern in adapter_config.json is not a list of names" in refused(pattern)
    torn = tmp_path / "torn"
    shutil.copytree(adapter, torn)
    edit(torn / "adapter_config.json", bias=bias)
    tensors = load_file(torn / "adapter_model.safetensors")
    tensors.pop(next(iter(tensors)))
    save_file(tensors, torn / "adapter_model.safetensors", {"format": "pt"})
    assert "its adapter is incomplete" in refused(torn)


def test_links_and_indexes_that_lead_out_of_the_folder(
    refused: Refused, adapter: Path, whole: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    shutil.copytree(adapter, linked)
    (linked / "adapter_model.safetensors").unlink()
    (linked / "adapter_model.safetensors").symlink_to(adapter / "adapter_model.safetensors")
    assert "adapter_model.safetensors is a link out of the folder" in refused(linked)
    index = tmp_path / "index"
    shutil.copytree(whole, index)
    mapping = read_json(index / "model.safetensors.index.json")["weight_map"]
    shutil.copy(next(whole.glob("*.safetensors")), tmp_path / "outside.safetensors")
    edit(index / "model.safetensors.index.json", weight_map=dict.fromkeys(mapping, "../outside.safetensors"))
    assert "names '../outside.safetensors', which is no safetensors file beside it" in refused(index)
    shutil.rmtree(index)
    shutil.copytree(whole, index)
    next(index.glob("model-*.safetensors")).unlink()
    assert re.search(r"model-\S+ is missing, which model.safetensors.index.json names", refused(index))
    (index / "tokenizer.json").unlink()
    (index / "tokenizer.json").symlink_to("/etc/hostname")
    assert "tokenizer.json is a link out of the folder" in refused(index)


def test_code_and_quantised_weights(refused: Refused, whole: Path, adapter: Path, tmp_path: Path) -> None:
    cases: list[tuple[str, dict[str, Any], str]] = [
        ("config.json", {"auto_map": {"AutoModel": "evil.Model"}}, "asks to run Python code"),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", None]}}, "asks to run Python code"),
        ("config.json", {"quantization_config": {"quant_method": "bitsandbytes"}}, "its weights are quantized"),
    ]
    for number, (file, values, said) in enumerate(cases):
        folder = tmp_path / f"whole-{number}"
        shutil.copytree(whole, folder)
        edit(folder / file, **values)
        assert said in refused(folder)
    coded = tmp_path / "coded"
    shutil.copytree(adapter, coded)
    shutil.copy(whole / "tokenizer.json", coded)
    write_json(coded / "tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["evil.T", None]}})
    assert "its tokenizer_config.json asks to run Python code" in refused(coded)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"peft_type": "IA3"}, "is an adapter of the kind IA3, and only LORA is taken: merge it into its base"),
        ({"init_lora_weights": "pissa"}, "began from the base's own weights .init_lora_weights pissa."),
        ({"layer_replication": [[0, 2]]}, "sets layer_replication, which is not known here"),
        ({"r": 100_000}, "rank .r. is not between 1 and 4,096"),
        ({"base_model_name_or_path": None}, "--base: adapter does not say which model it was trained from"),
        ({"base_model_name_or_path": "gone"}, "--base: adapter names 'gone' as its base, which is not available here"),
    ],
)
def test_adapters_of_other_kinds(
    refused: Refused, adapter: Path, tmp_path: Path, values: dict[str, Any], said: str
) -> None:
    folder = tmp_path / "adapter"
    shutil.copytree(adapter, folder)
    edit(folder / "adapter_config.json", **values)
    assert re.search(said, refused(folder, base=None if "base_model_name_or_path" in values else "toy"))


def test_weights_that_are_no_numbers_are_named(refused: Refused, adapter: Path, tmp_path: Path) -> None:
    folder = tmp_path / "nan"
    shutil.copytree(adapter, folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    name = sorted(tensors)[0]
    tensors[name][0, :3] = float("nan")
    save_file(tensors, folder / "adapter_model.safetensors", {"format": "pt"})
    said = refused(folder)
    assert said.startswith(f"nan: {name[:60]}") and "holds 3 values that are NaN or infinite" in said
    (folder / "adapter_model.safetensors").write_bytes(b"torn")
    assert "its weights are damaged" in refused(folder)


def test_another_base_is_refused_by_shape_and_by_checksum(
    refused: Refused, here: Settings, adapter: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "wide"
    shutil.copytree(adapter, folder)
    tensors = load_file(folder / "adapter_model.safetensors")
    wide = {name: torch.ones(4, 96) if "lora_A" in name else one for name, one in tensors.items()}
    save_file(wide, folder / "adapter_model.safetensors", {"format": "pt"})
    assert "q_proj has 96 features there, and 64 by 64 in that model" in refused(folder)
    shutil.copytree(adapter, tmp_path / "deep")
    deep = {name.replace("layers.1", "layers.11"): one for name, one in tensors.items()}
    save_file(deep, tmp_path / "deep" / "adapter_model.safetensors", {"format": "pt"})
    assert "it changes model.layers.11.self_attn.q_proj, which that model does not have" in refused(tmp_path / "deep")
    other = full_model(toy_folder(here), tmp_path / "other")  # the toy's shapes, and not its weights
    shutil.copytree(adapter, tmp_path / "named")
    edit(tmp_path / "named" / "adapter_config.json", base_model_name_or_path="toy")
    said = refused(tmp_path / "named", base=str(other))
    assert re.search(r"named names toy as its base .SHA-256 [0-9a-f]{12}…., but .* has [0-9a-f]{12}…", said)


def test_another_tokenizer(refused: Refused, here: Settings, whole: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other-words"
    shutil.copytree(whole, folder)
    known = read_json(folder / "tokenizer.json")
    words = known["model"]["vocab"]
    first, second = list(words)[300:302]
    words[first], words[second] = words[second], words[first]
    write_json(folder / "tokenizer.json", known)
    assert "reads texts as other tokens than toy does" in refused(folder)


def test_folders_without_a_model(refused: Refused, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty").startswith("empty holds no weights: looked for model.safetensors")
    (tmp_path / "file.txt").write_text("no model")
    assert "file.txt is no folder with a model's files" in refused(tmp_path / "file.txt")


def test_an_interruption_and_a_disk_without_room_leave_nothing_half_made(
    here: Settings, asked: EvaluationConfig, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(here.reports.rglob("*"))

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "copy_weights", stopped)
    with pytest.raises(KeyboardInterrupt):
        import_model(whole, asked, here, base="toy")
    assert sorted(here.reports.rglob("*")) == before
    monkeypatch.undo()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(RunError, match=r"need .* in the run store, where .* are free; nothing was written"):
        import_model(whole, asked, here, base="toy")
    assert sorted(here.reports.rglob("*")) == before


def test_two_shards_with_the_same_tensor(tmp_path: Path) -> None:
    for number in (1, 2):
        save_file({"one": torch.ones(2)}, tmp_path / f"{number}.safetensors")
    with pytest.raises(InputError, match="one is in two of its files"):
        copying.shapes_of(sorted(tmp_path.glob("*.safetensors")), "twice")


HEADERS = [
    b"", b"\xff" * 8, struct.pack("<Q", 2**63), struct.pack("<Q", 2**40) + b"{}", struct.pack("<Q", 2) + b"[]",
    struct.pack("<Q", 99) + b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}'.ljust(99),
    struct.pack("<Q", 99) + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}'.ljust(99),
    struct.pack("<Q", 99) + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}'.ljust(99) + b"\x00" * 8,
]  # fmt: skip


@pytest.mark.parametrize("header", HEADERS, ids=range(len(HEADERS)))
def test_headers_that_lie_about_their_size(
    refused: Refused, adapter: Path, whole: Path, tmp_path: Path, header: bytes
) -> None:
    shutil.copytree(adapter, tmp_path / "adapter")
    (tmp_path / "adapter" / "adapter_model.safetensors").write_bytes(header)
    assert "damaged" in refused(tmp_path / "adapter")
    shutil.copytree(whole, tmp_path / "shards")
    sorted((tmp_path / "shards").glob("model-*.safetensors"))[-1].write_bytes(header)
    assert "damaged" in refused(tmp_path / "shards")
