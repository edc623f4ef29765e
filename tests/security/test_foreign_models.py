"""A model, an adapter or a tokenizer of a stranger runs no code and fetches none: refused in a sentence, or inert."""

import json
import re
import shutil
import struct
from pathlib import Path
from typing import Any

import pytest

from medqa_core.foundation.errors import MedQAError, ModelError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models.adapter import check_adapter
from medqa_core.models.loader import load
from medqa_core.models.prompt import prompt_text
from medqa_core.models.variants import load_variants
from medqa_core.runs.run import Run

pytestmark = pytest.mark.usefixtures("no_network")
CODE = "open({!r}, 'w')\n"


def edit(path: Path, **changes: Any) -> None:
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    write_json(path, before | changes)


def refused(folder: Path, lab: Settings) -> str:
    with pytest.raises(MedQAError) as error:
        load(str(folder), settings=lab, device="cpu")
    said = str(error.value)
    assert "\n" not in said and len(said) < 500, said
    return said


@pytest.mark.parametrize("place", ["config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("owner", ["", "evil/repository--"])
def test_code_that_comes_with_a_model_is_not_run(
    toy_copy: Path, lab: Settings, mark: Path, place: str, owner: str
) -> None:
    (toy_copy / "evil.py").write_text(CODE.format(str(mark)))
    names = ("AutoConfig", "AutoModelForCausalLM", "AutoTokenizer")
    edit(toy_copy / place, auto_map=dict.fromkeys(names, f"{owner}evil.Evil"))
    assert "Python code" in refused(toy_copy, lab)
    assert not mark.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"text_config": {"auto_map": {"AutoConfig": "evil.Evil"}}},
        {"parts": [{"inner": {"auto_map": {"AutoConfig": "evil.Evil"}}}]},
        {"text_config": {"quantization_config": {"quant_method": "gptq"}}},
        {"attn_implementation": "evil/kernel"},
        {"attn_implementation": "evil/kernel@main:forward"},
        {"_attn_implementation": "kernels-community/flash-attn2"},
        {"_attn_implementation": "flash_attention_2"},
        {"_attn_implementation_internal": "evil/kernel"},
        {"attn_implementation": {"": "sdpa", "text_config": "evil/kernel"}},
        {"experts_implementation": "evil/kernel"},
        {"text_config": {"attn_implementation": "evil/kernel"}},
        {"attn_implementation": 7},
        {"num_hidden_layers": 10**12},
        {"n_layer": 10**9},
        {"transformers_weights": "pytorch_model.bin"},
        {"model_type": "no-such-kind"},
        {"model_type": {"evil": 1}},
        {"architectures": ["Evil"], "model_type": None},
        {"hidden_size": -1},
        {"hidden_size": "x"},
        {"vocab_size": 10**15},
        {"rope_parameters": {"rope_type": "evil"}},
    ],
    ids=lambda change: json.dumps(change)[:60],
)
def test_a_configuration_that_asks_for_more_is_refused(toy_copy: Path, lab: Settings, change: dict[str, Any]) -> None:
    edit(toy_copy / "config.json", **change)
    refused(toy_copy, lab)


@pytest.mark.parametrize("named", [None, "eager", "sdpa"])
def test_built_in_attention_is_no_reason_to_refuse(toy_copy: Path, lab: Settings, named: str | None) -> None:
    edit(toy_copy / "config.json", attn_implementation=named)
    assert load(str(toy_copy), settings=lab, device="cpu").model.config._attn_implementation == "sdpa"


def test_the_ways_that_transformers_takes_code_from_the_hub_are_known() -> None:
    """A new version that reads another key should be looked at here."""
    from transformers import configuration_utils

    text = Path(configuration_utils.__file__).read_text(encoding="utf-8")
    taken = {line.split('kwargs.pop("')[1].split('"')[0] for line in text.splitlines() if 'kwargs.pop("' in line}
    assert {name for name in taken if "implementation" in name} == {"attn_implementation", "experts_implementation"}


HOSTILE = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.system('true') }}",
    "{{ self.__init__.__globals__ }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{{ messages.append(1) }}",
    "{% for i in range(10**8) %}x{% endfor %}",
    "{% if %}",
    "{{ raise_exception('<script>\x1b[31m') }}",
    "{{ nothing.at.all }}",
    "{{ 1 / 0 }}",
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
)


@pytest.mark.parametrize("template", HOSTILE)
def test_a_hostile_chat_template_is_refused_or_renders_text(toy_copy: Path, lab: Settings, template: str) -> None:
    (toy_copy / "chat_template.jinja").write_text(template, encoding="utf-8")
    try:
        tokenizer = load(str(toy_copy), settings=lab, device="cpu").tokenizer
    except ModelError as error:
        assert "chat template" in str(error) and "\n" not in str(error)
    else:
        assert "root:" not in prompt_text(tokenizer, "q", "chat")


@pytest.mark.parametrize(
    "header",
    [b"", b"\xff" * 8, struct.pack("<Q", 2**63), struct.pack("<Q", 2**40) + b"{}", struct.pack("<Q", 2) + b"[]",
     struct.pack("<Q", 99) + b'{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]}}'.ljust(99),
     struct.pack("<Q", 99) + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,18446744073709551615]}}'.ljust(99)],
)  # fmt: skip
def test_absurd_weights_are_refused(toy_copy: Path, lab: Settings, header: bytes) -> None:
    (toy_copy / "model.safetensors").write_bytes(header)
    refused(toy_copy, lab)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a/b.safetensors", "..\\x.safetensors", "x.bin"])
def test_an_index_of_weights_names_files_beside_it_only(toy_copy: Path, lab: Settings, name: str) -> None:
    (toy_copy / "model.safetensors").unlink()
    write_json(toy_copy / "model.safetensors.index.json", {"weight_map": {"a": name}})
    assert "no safetensors file beside it" in refused(toy_copy, lab)


ADAPTERS = (
    {"peft_type": "PROMPT_TUNING", "prompt_tuning_init": "TEXT", "tokenizer_name_or_path": "evil/x"},
    {"peft_type": "XLORA"},
    {"peft_type": None},
    {"auto_mapping": {"base_model_class": "Evil", "parent_library": "evil"}},
    {"megatron_config": {"a": 1}, "megatron_core": "evil"},
    {"corda_config": {"cache_file": "evil.pt", "covariance_file": "evil.pt"}, "init_lora_weights": "corda"},
    {"eva_config": {"rho": 2}},
    {"loftq_config": {"loftq_bits": 4}},
    {"init_lora_weights": "pissa_niter_999"},
    {"init_lora_weights": "evil"},
    {"modules_to_save": ["lm_head"]},
    {"target_modules": "(a+)+$"},
    {"target_modules": ["(a+)+$"]},
    {"layers_pattern": "(a+)+$"},
    {"rank_pattern": {"(a+)+$": 4}},
    {"layer_replication": [[0, 10**9]]},
    {"trainable_token_indices": [1]},
    {"r": 10**9},
    {"r": "4"},
    {"r": True},
    {"something_new": {"path": "evil"}},
    {"\x1b[31m<b>": 1},
)


@pytest.mark.parametrize("change", ADAPTERS, ids=lambda change: ascii(change)[:50])
def test_an_adapter_that_is_more_than_low_rank_matrices_is_refused(
    run_copy: Run, lab: Settings, change: dict[str, Any]
) -> None:
    edit(run_copy.folder / "adapter" / "adapter_config.json", **change)
    with pytest.raises(ModelError) as error:
        load_variants(run_copy, lab)
    said = str(error.value)
    # Whole modules and tokens may be trained along with it; an adapter that names some and lacks them is not whole.
    assert re.search("its adapter (cannot be loaded|is incomplete)", said) and said.isprintable() and len(said) < 300


def test_where_an_adapter_says_its_base_lies_is_not_looked_at(run_copy: Run, lab: Settings, tmp_path: Path) -> None:
    edit(
        run_copy.folder / "adapter" / "adapter_config.json",
        base_model_name_or_path=str(tmp_path / "nowhere"), revision="evil", megatron_core="evil",
    )  # fmt: skip
    assert load_variants(run_copy, lab).base.name == "toy"


def test_our_own_adapters_pass(run_copy: Run) -> None:
    for folder in (run_copy.folder, *(Path(__file__).parents[2] / "reports").iterdir()):
        if (folder / "adapter" / "adapter_config.json").is_file():
            check_adapter(folder / "adapter", folder.name)


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_an_adapter_whose_files_are_links_out_of_the_run_is_not_opened(
    run_copy: Run, lab: Settings, tmp_path: Path, name: str
) -> None:
    path = run_copy.folder / "adapter" / name
    shutil.move(path, tmp_path / name)
    path.symlink_to(tmp_path / name)
    with pytest.raises(MedQAError):
        load_variants(run_copy, lab)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_whole_model_whose_files_are_links_out_of_the_run_is_not_opened(
    run_copy: Run, lab: Settings, toy_copy: Path, name: str
) -> None:
    shutil.rmtree(run_copy.folder / "adapter")
    shutil.copytree(toy_copy, run_copy.folder / "model")
    path = run_copy.folder / "model" / name
    path.unlink()
    path.symlink_to(toy_copy / name)
    with pytest.raises(MedQAError):
        load_variants(run_copy, lab)
