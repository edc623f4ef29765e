"""The manifest names what was changed, removed or added, and never opens what lies elsewhere."""

import os
from pathlib import Path

import pytest

import medqa_core
from medqa_core.foundation.files import read_json, sha256, write_json
from medqa_core.runs.artifacts.manifest import MANIFEST, check_manifest, write_manifest, written_by


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "reports" / "run"
    for name in (
        "run.json", "evaluation.json", "adapter/adapter_model.safetensors", "mmlu_results/results.json", "status.json",
        "job.json", "train.log", "checkpoints/step-00000001/state.json", ".evaluation.jsonl", ".hidden/file",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    write_manifest(root)
    return root


def test_it_lists_what_no_longer_changes(folder: Path) -> None:
    written = read_json(folder / MANIFEST)
    names = ["adapter/adapter_model.safetensors", "evaluation.json", "mmlu_results/results.json", "run.json"]
    assert written_by(folder) == medqa_core.__version__ == written.pop("written_by")
    assert written == {"schema_version": 1, "files": {name: sha256(folder / name) for name in names}}
    assert list(written["files"]) == names
    assert check_manifest(folder) == []
    before = (folder / MANIFEST).read_bytes()
    assert write_manifest(folder) == folder / MANIFEST
    assert (folder / MANIFEST).read_bytes() == before


def test_what_goes_on_changing_is_no_problem(folder: Path) -> None:
    for name in ("status.json", "job.json", "train.log", "checkpoints/more", ".lock"):
        (folder / name).write_text("changed")
    assert check_manifest(folder) == []


def test_changed_missing_and_new_files_are_named(folder: Path) -> None:
    weights = folder / "adapter" / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[3] ^= 1
    weights.write_bytes(content)
    (folder / "run.json").unlink()
    (folder / "adapter" / "more.bin").write_text("new")
    assert check_manifest(folder) == [
        "adapter/adapter_model.safetensors was changed after the manifest was written.",
        "run.json is missing.",
        "adapter/more.bin is not listed in manifest.json.",
    ]


def test_links_out_of_the_folder_are_not_opened(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.mkdir()
    (secret / "file").write_text("secret")
    (folder / "link.txt").symlink_to(secret / "file")
    (folder / "links").symlink_to(secret)
    (folder / "inside.json").symlink_to("run.json")
    (folder / "loop").symlink_to("adapter")
    (folder / "dangling").symlink_to("nothing")
    os.mkfifo(folder / "pipe")
    write_manifest(folder)
    assert set(read_json(folder / MANIFEST)["files"]) == {
        "adapter/adapter_model.safetensors", "evaluation.json", "inside.json", "mmlu_results/results.json", "run.json",
    }  # fmt: skip
    assert check_manifest(folder) == [
        f"{name} leads out of the folder or is no plain file; it was not opened."
        for name in ("dangling", "link.txt", "links", "pipe")
    ]


def test_a_manifest_that_lists_paths_elsewhere_opens_nothing(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    names = ["../../secret", str(tmp_path / "secret"), "a\nb\x1b[31m", "x" * 5000]
    write_json(folder / MANIFEST, {"schema_version": 1, "files": dict.fromkeys(names, "0" * 64)})
    problems = check_manifest(folder)
    assert [p for p in problems if "missing" in p][:2] == ["../../secret is missing.", f"{tmp_path}/secret is missing."]
    assert all("\n" not in problem and "\x1b" not in problem and len(problem) < 250 for problem in problems)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "manifest.json is empty."),
        ("{", "manifest.json is not valid JSON"),
        ("[]", "manifest.json does not list files"),
        ('{"files": {"run.json": 3}}', "manifest.json does not list files"),
        ('{"files": {"run.json": "abc"}}', "manifest.json does not list files"),
        ('{"schema_version": 2, "files": {}}', "manifest.json was written by a newer MedQA Lab (schema 2)."),
        (None, "manifest.json is missing."),
    ],
)
def test_a_damaged_manifest_is_said(folder: Path, content: str | None, said: str) -> None:
    if content is None:
        (folder / MANIFEST).unlink()
    else:
        (folder / MANIFEST).write_text(content)
    (problem,) = check_manifest(folder)
    assert problem.startswith(said)
