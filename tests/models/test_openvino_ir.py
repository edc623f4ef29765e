"""A run's models as one graph: made once, the models left as they were, and refused where it would not be them."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from openvino.tools import ovc
from peft import LoraConfig, get_peft_model

from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.settings import Settings
from medqa_core.models import openvino_ir
from medqa_core.models.loader import load
from medqa_core.models.openvino_ir import NotConvertible, ensure
from medqa_core.models.silence import silenced
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant, load_variants
from medqa_core.runs.run import Run
from tests.support.tiny_models import tiny

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(scope="module")
def variants(smoke: Run, lab: Settings) -> ModelVariants:
    return load_variants(smoke, lab)


@pytest.fixture(scope="module")
def full(lab: Settings) -> ModelVariants:
    """Two whole models, as after `method=full`."""
    base, tuned = load("toy", settings=lab, device="cpu"), load("toy", settings=lab, device="cpu").model
    return ModelVariants("full", base, tuned, "another model", "chat")


def with_adapter(kind: str, **options: Any) -> ModelVariants:
    base = replace(tiny(kind), sha256=kind)
    with silenced():
        adapted = get_peft_model(base.model, LoraConfig(r=4, target_modules="all-linear", **options)).eval()
    return ModelVariants(kind, base, adapted, f"{kind} {sorted(options)}", "plain")


def test_one_graph_is_both_models_of_an_adapter_run(variants: ModelVariants, tmp_path: Path) -> None:
    """It is made once; the models stay as they are; what version 0.2 converted goes."""
    old = tmp_path / "ctranslate2" / "abc"
    old.mkdir(parents=True)
    (old / "model.bin").write_bytes(b"x")
    before = {name: tensor.clone() for name, tensor in variants.adapted.state_dict().items()}
    said: list[str] = []
    folders = {ensure(variants, variant, tmp_path, said.append) for variant in (*VARIANTS, *VARIANTS)}
    assert len(folders) == 1 and (folders.pop() / openvino_ir.GRAPH).exists()
    assert said == ["converting both models for fast answers, once"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in variants.adapted.state_dict().items())
    assert not [module for module in variants.adapted.modules() if "forward" in vars(module)]
    assert not old.parent.exists()


def test_two_whole_models_are_two_graphs(full: ModelVariants, tmp_path: Path) -> None:
    said: list[str] = []
    folders = [ensure(full, variant, tmp_path, said.append) for variant in (*VARIANTS, *VARIANTS)]
    assert folders[:2] == folders[2:] and folders[0] != folders[1]
    assert said == [f"converting the {name} model for fast answers, once" for name in ("base", "fine-tuned")]


@pytest.mark.parametrize("which", VARIANTS)
def test_other_weights_are_another_graph(
    variants: ModelVariants, which: Variant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino_ir, "_convert", lambda model, name, path: path.write_text("a graph"))
    tuned = replace(variants, adapter_sha256="x")
    other = tuned if which == "fine_tuned" else replace(variants, base=replace(variants.base, sha256="x"))
    assert ensure(variants, "base", tmp_path) != ensure(other, "base", tmp_path)


def test_the_same_weights_under_another_configuration_are_another_graph(
    full: ModelVariants, lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder whose config.json has another epsilon for its norms: its model says something else."""
    monkeypatch.setattr(openvino_ir, "_convert", lambda model, name, path: path.write_text("a graph"))
    folder = shutil.copytree(full.base.folder, tmp_path / "other")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "rms_norm_eps": 0.1}))
    other = load(str(folder), settings=lab, device="cpu")
    assert other.sha256 == full.base.sha256
    assert ensure(full, "base", tmp_path) != ensure(replace(full, base=other), "base", tmp_path)
    again = replace(full, base=load("toy", settings=lab, device="cpu"))
    assert ensure(full, "base", tmp_path) == ensure(again, "base", tmp_path)


@pytest.mark.parametrize(
    ("variants_of", "reason"),
    [
        (lambda: with_adapter("gemma3"), "gemma3_text looks back through a window only"),
        (lambda: with_adapter("llama", use_dora=True), "an adapter of the kind Linear"),
        (lambda: with_adapter("gpt2", use_dora=True, fan_in_fan_out=True), "an adapter of the kind Linear"),
    ],
    ids=["sliding window", "DoRA", "DoRA of GPT-2"],
)
def test_what_a_graph_cannot_do_is_refused(variants_of: Any, reason: str, tmp_path: Path) -> None:
    found = variants_of()
    said = re.escape(f"{found.base.name} cannot be converted: {reason}")
    with pytest.raises(NotConvertible, match=f"^{said}"):
        ensure(found, "base", tmp_path)
    assert not [path for path in (tmp_path / "openvino").iterdir() if path.is_dir()]


def test_a_model_whose_code_cannot_be_traced_is_refused(
    full: ModelVariants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no such operator\nand how it came to that")

    monkeypatch.setattr(torch.jit, "trace", refuse)
    with pytest.raises(NotConvertible, match=r"^toy cannot be converted: no such operator$"):
        ensure(full, "base", tmp_path)


def test_a_graph_that_computes_something_else_is_refused(
    variants: ModelVariants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here one whose adapter is on in every row."""

    @contextmanager
    def always_on(_: Any) -> Iterator[Any]:
        yield openvino_ir._Rows()

    monkeypatch.setattr(openvino_ir, "_row_wise", always_on)
    with pytest.raises(NotConvertible, match=r"^toy cannot be converted: the graph computes something else$"):
        ensure(variants, "base", tmp_path)


def test_a_cache_that_cannot_be_written_is_no_reason_for_another_engine(full: ModelVariants, tmp_path: Path) -> None:
    (tmp_path / "openvino").write_text("in the way")
    with pytest.raises(ModelError, match="cannot be written to the cache folder") as raised:
        ensure(full, "base", tmp_path)
    assert not isinstance(raised.value, NotConvertible)


def test_openvino_is_loaded_without_its_telemetry() -> None:
    """It would make a client number in the home folder and report the import, unasked."""
    assert sys.modules.get("openvino_telemetry", sys) is None
    assert ovc.telemetry_utils.tm.__name__ == "openvino.tools.ovc.telemetry_stub"
    assert not [name for name in sys.modules if name.startswith("openvino_telemetry.")]
