"""A run as a repository of the hub: what stands where, and what of this machine does not go along."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries

from medqa_core.foundation.errors import InputError, ModelUnavailable, OutsideStore
from medqa_core.foundation.files import sha256, write_json
from medqa_core.report.hub.folder import without_paths, write_hub_folder
from medqa_core.runs.run import Run
from tests.support.runs import RunBuilder, rewrite

COMMIT = "a" * 40


def with_adapter(run: Run, **config: Any) -> Run:
    """The same run with an adapter's two files."""
    folder = run.folder / "adapter"
    folder.mkdir(exist_ok=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    write_json(folder / "adapter_config.json", {"peft_type": "LORA", "r": 4, "revision": None, **config})
    return run


def config_of(folder: Path) -> Any:
    return json.loads((folder / "adapter_config.json").read_text())


def test_the_adapter_stands_at_the_root_and_the_run_beside_it(build: RunBuilder, tmp_path: Path) -> None:
    run = with_adapter(build.finished(), base_model_name_or_path="HuggingFaceTB/SmolLM2-135M-Instruct")
    (run.folder / "tensorboard").mkdir()
    private = ("votes.jsonl", "job.json", "train.log", ".hidden", "labels.json", "tensorboard/events.host")
    for name in (*private, "adapter/training_args.bin", "adapter/code.py"):
        (run.folder / name).write_text("{}")
    files = write_hub_folder(run, tmp_path / "out", repo="me/answers")
    paths = {one.path for one in files}
    assert {"README.md", "adapter_config.json", "adapter_model.safetensors", ".eval_results/mmlu.yaml"} <= paths
    assert {"report/run.json", "report/summary.md", "report/metrics.jsonl", "report/predictions.parquet"} <= paths
    others = {path for path in paths if "/" not in path} - {"README.md"}
    assert others == {"adapter_config.json", "adapter_model.safetensors"}
    assert not {*private, "status.json", "README.md"} & {
        path.removeprefix("report/") for path in paths if path.startswith("report/")
    }
    by_path = {one.path: one for one in files}
    source = run.folder / "adapter" / "adapter_model.safetensors"
    assert by_path["adapter_model.safetensors"].sha256 == sha256(source)
    assert by_path["adapter_model.safetensors"].size == 7
    for name in ("adapter_config.json", "report/run.json"):  # nothing to hide: the same bytes
        origin = run.folder / name.replace("report/", "").replace("adapter_config", "adapter/adapter_config")
        assert by_path[name].sha256 == sha256(origin)
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.to_dict()["library_name"] == "peft"
    assert card.data.base_model == "HuggingFaceTB/SmolLM2-135M-Instruct"
    assert 'PeftModel.from_pretrained(model, "me/answers")' in card.text
    assert "at its root" in card.text


def test_the_base_is_named_as_the_hub_knows_it(build: RunBuilder, tmp_path: Path) -> None:
    pinned = build.run("pinned", base_model={"id": "owner/model", "revision": COMMIT})
    write_hub_folder(with_adapter(pinned, base_model_name_or_path="/cache/snapshots/x"), tmp_path / "pinned")
    config = config_of(tmp_path / "pinned")
    assert (config["base_model_name_or_path"], config["revision"]) == ("owner/model", COMMIT)
    for name in ("toy", "/home/someone/secret/model"):
        run = build.run(f"local-{len(name)}", base_model={"id": name})
        write_hub_folder(with_adapter(run, base_model_name_or_path=name), tmp_path / run.id)
        assert config_of(tmp_path / run.id)["base_model_name_or_path"] is None


def test_no_path_of_this_machine_goes_along(build: RunBuilder, tmp_path: Path) -> None:
    run = with_adapter(build.finished(base_model={"id": "/home/someone/secret/model"}))
    values = json.loads((run.folder / "run.json").read_text())
    rewrite(run.folder / "run.json", config={**(values["config"] or {}), "dataset": "/home/someone/secret/data.csv"})
    target = tmp_path / "out"
    write_hub_folder(Run.at(run.folder), target)
    for path in target.rglob("*"):
        assert not path.is_file() or b"/home/someone" not in path.read_bytes(), path
    record = json.loads((target / "report" / "run.json").read_text())
    assert record["config"]["dataset"] == "data.csv"
    assert record["base_model"]["id"] == "model"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": ["/x/y", "owner/name", 1, None]}, {"a": ["y", "owner/name", 1, None]}),
        ("C:\\Users\\me\\model", "model"),
        ("~/models/mine", "mine"),
        ("~", "~"),
        ("1/2", "1/2"),
    ],
)
def test_whole_paths_are_their_last_name(value: Any, said: Any) -> None:
    assert without_paths(value) == said


def test_results_as_the_hub_reads_them(build: RunBuilder, tmp_path: Path) -> None:
    run = with_adapter(build.finished())
    write_hub_folder(run, tmp_path / "out")
    entries = parse_eval_result_entries(yaml.safe_load((tmp_path / "out" / ".eval_results" / "mmlu.yaml").read_text()))
    results = run.mmlu()
    assert results is not None
    assert [(one.task_id, one.value) for one in entries] == [
        (score.subset, round(score.accuracy, 6)) for score in results.fine_tuned
    ]
    assert {one.dataset_id for one in entries} == {"cais/mmlu"}
    assert all("lm-evaluation-harness" in str(one.notes) for one in entries)
    plain = with_adapter(build.run("no-mmlu"))
    assert ".eval_results/mmlu.yaml" not in {one.path for one in write_hub_folder(plain, tmp_path / "plain")}


def test_a_whole_model_goes_to_the_root(build: RunBuilder, tmp_path: Path) -> None:
    run = build.run(base_model={"id": "distilbert/distilgpt2"})
    (run.folder / "model").mkdir()
    for name in ("model.safetensors", "config.json", "tokenizer.json", "pytorch_model.bin"):
        (run.folder / "model" / name).write_text("{}")
    files = write_hub_folder(run, tmp_path / "out")
    assert {one.path for one in files if "/" not in one.path} == {
        *("README.md", "config.json", "model.safetensors", "tokenizer.json")
    }
    card = ModelCard.load(tmp_path / "out" / "README.md")
    assert card.data.to_dict()["library_name"] == "transformers"
    assert 'AutoModelForCausalLM.from_pretrained(".")' in card.text


def test_what_cannot_be_handed_on_is_refused(build: RunBuilder, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="holds no weights"):
        write_hub_folder(build.imported(), tmp_path / "a")
    with pytest.raises(InputError, match="running, and its weights may still change"):
        write_hub_folder(with_adapter(build.running()), tmp_path / "a")
    run = with_adapter(build.run())
    (tmp_path / "there").mkdir()
    with pytest.raises(InputError, match=r"--to: .*there exists already"):
        write_hub_folder(run, tmp_path / "there")
    with pytest.raises(InputError, match=r"--to: .*lies in the run store"):
        write_hub_folder(run, build.folder / "new")
    assert not (tmp_path / "a").exists()


def test_nothing_half_made_stays(build: RunBuilder, tmp_path: Path) -> None:
    run = with_adapter(build.run())

    def fill(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError(28, "No space left on device")

    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(OSError, match="No space left"):
        write_hub_folder(run, out / "new", merged=fill)
    assert not list(out.iterdir())
    (tmp_path / "secret.json").write_text("{}")
    (run.folder / "adapter" / "more.json").symlink_to(tmp_path / "secret.json")
    with pytest.raises(OutsideStore):
        write_hub_folder(run, out / "new")
    assert not list(out.iterdir())
