"""Models from the hub, through the real client and a hub on 127.0.0.1: no other network is touched."""

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from medqa_core.foundation.errors import ModelUnavailable
from medqa_core.models.hub import fetch
from medqa_core.models.references import parse
from tests.support.hub_server import COMMIT, GATED, Hub, serving
from tests.support.models import RunPython

REPO = "distilbert/distilgpt2"
PICKLED = "owner/pickled"

LOAD = """
import sys
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
loaded = load(sys.argv[1], sys.argv[2] or None, settings=Settings.from_environment(), device="cpu")
inputs = loaded.tokenizer(["The heart", "What is it that the lungs do?"], return_tensors="pt", padding=True)
tokens = loaded.model.generate(**inputs, max_new_tokens=5, min_new_tokens=5, do_sample=False)
print(loaded.name, loaded.revision, loaded.sha256, loaded.parameters)
print(tokens.shape[1] - inputs["input_ids"].shape[1], loaded.tokenizer.pad_token)
print(*sorted(path.name for path in loaded.folder.iterdir()))
"""

LOCATE = """
import sys, time
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.models.locate import locate
for name in sys.argv[1:]:
    repo, _, revision = name.partition("@")
    start = time.monotonic()
    try:
        print("found", locate(repo, revision or None, settings=Settings.from_environment()).revision)
    except MedQAError as error:
        print(type(error).__name__, error)
    assert time.monotonic() - start < 5, name
assert "torch" not in sys.modules
"""


def distilgpt2_files(folder: Path) -> dict[str, bytes]:
    """DistilGPT-2's file layout around a tiny GPT-2 with random weights."""
    import torch
    from safetensors.torch import load_file, save_file
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator(["The heart pumps and the lungs take in air."], trainer)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    end = tokenizer.token_to_id("<|endoftext|>")
    tokenizer.save(str(folder / "tokenizer.json"))
    tokenizer.model.save(str(folder))  # vocab.json and merges.txt
    torch.manual_seed(0)
    size = tokenizer.get_vocab_size()
    config = GPT2Config(
        vocab_size=size, n_embd=32, n_layer=2, n_head=2, n_positions=64, bos_token_id=end, eos_token_id=end
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    # The real file still carries GPT-2's causal masks, which no current version reads.
    masks = {f"transformer.h.{layer}.attn.bias": torch.ones(1, 1, 64, 64).tril() for layer in range(2)}
    save_file({**weights, **masks}, folder / "model.safetensors", metadata={"format": "pt"})
    settings = json.loads((folder / "config.json").read_text())
    settings["task_specific_params"] = {"text-generation": {"do_sample": True, "max_length": 50}}
    (folder / "config.json").write_text(json.dumps(settings))
    generation = {
        "_from_model_config": True,
        "bos_token_id": end,
        "eos_token_id": end,
        "transformers_version": "4.26.0",
    }
    (folder / "generation_config.json").write_text(json.dumps(generation))
    (folder / "tokenizer_config.json").write_text('{"model_max_length": 1024}')
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def repositories(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    good = distilgpt2_files(tmp_path_factory.mktemp("repository"))
    extras = {
        "README.md": b"# A model card",
        "pytorch_model.bin": b"a pickle",
        "run_me.py": b"raise SystemExit('code from a model was run')",
        "onnx/config.json": b"{}",
        "coreml/weights.safetensors": b"another format",
    }
    pickled = {name: content for name, content in good.items() if not name.endswith(".safetensors")}
    return {
        REPO: {**good, **extras},
        GATED: good,
        PICKLED: {**pickled, "pytorch_model.bin": b"a pickle"},
        "owner/coded": {**good, "config.json": b'{"model_type": "gpt2", "auto_map": {"AutoModel": "run_me.Model"}}'},
    }


@pytest.fixture
def hub(repositories: dict[str, dict[str, bytes]]) -> Iterator[Hub]:
    with serving(repositories) as running:
        yield running


def closed_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_downloads_loads_generates_and_then_works_offline(hub: Hub, run_python: RunPython) -> None:
    done = run_python(LOAD, REPO, "main", HF_ENDPOINT=hub.address)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    first, second, held = done.stdout.splitlines()
    assert re.fullmatch(rf"{REPO} {COMMIT} [0-9a-f]{{64}} \d+", first)
    assert second == "5 <|endoftext|>"
    # Data files only: no pickle, no code, no other formats of the same weights.
    assert held.split() == [
        *("config.json", "generation_config.json", "merges.txt", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "vocab.json"),
    ]
    assert not hub.downloaded() & {"pytorch_model.bin", "run_me.py", "weights.safetensors"}

    before = len(hub.requests)
    pinned = run_python(LOCATE, REPO, HF_ENDPOINT=hub.address)
    assert pinned.stdout == f"found {COMMIT}\n", pinned.stderr
    assert len(hub.requests) == before, "a pinned commit in the cache is used without asking the hub"

    hub.failing = True
    gone = closed_port()
    for endpoint in (hub.address, gone):
        located = run_python(LOCATE, f"{REPO}@main", f"{REPO}@{COMMIT}", HF_ENDPOINT=endpoint)
        assert located.stdout == f"found {COMMIT}\n" * 2, located.stderr
    switched_off = run_python(LOCATE, f"{REPO}@main", HF_ENDPOINT=hub.address, HF_HUB_OFFLINE="1")
    assert switched_off.stdout == f"found {COMMIT}\n", switched_off.stderr


def test_each_refusal_is_one_line_that_says_what_to_do(hub: Hub, run_python: RunPython) -> None:
    done = run_python(
        LOCATE,
        *("owner/missing", GATED, f"{REPO}@no-such-tag", PICKLED, "owner/coded"),
        HF_ENDPOINT=hub.address,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    missing, gated, revision, pickled, coded = done.stdout.splitlines()
    assert missing.startswith("ModelUnavailable owner/missing is not on the model hub, or is private")
    assert gated.startswith("ModelUnavailable owner/gated needs its terms accepted")
    assert revision.startswith(f"ModelUnavailable {REPO} has no revision 'no-such-tag'")
    for line in (missing, gated, revision):
        assert "base_model=smollm2-135m-instruct" in line
        assert "local model folder" in line
    assert pickled.startswith("ModelUnavailable owner/pickled holds its weights as pickles only (pytorch_model.bin)")
    assert "M.from_pretrained('owner/pickled').save_pretrained('converted')" in pickled
    assert not hub.downloaded() & {"pytorch_model.bin"}
    assert coded.startswith("ModelError owner/coded cannot be used: its config.json asks to run Python code")


def test_no_hub_and_nothing_cached_fails_fast(run_python: RunPython) -> None:
    start = time.monotonic()
    done = run_python(LOCATE, REPO, "owner/name", HF_ENDPOINT=closed_port())
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for line, name in zip(done.stdout.splitlines(), (REPO, "owner/name"), strict=True):
        assert line.startswith(f"ModelUnavailable {name} is not in the local cache and the model hub cannot be reached")
        assert "base_model=smollm2-135m-instruct" in line
    assert time.monotonic() - start < 10


def test_a_hub_that_fails_is_named_as_such(hub: Hub, run_python: RunPython) -> None:
    hub.failing = True
    done = run_python(LOCATE, "owner/name", HF_ENDPOINT=hub.address)
    assert "the model hub answered with an error (HTTP 503)" in done.stdout, done.stderr


def test_a_hub_that_answers_late_is_named_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_: object, timeout: float, **__: object) -> None:
        raise httpx2.ReadTimeout(f"after {timeout}")

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", late)
    with pytest.raises(ModelUnavailable, match=r"did not answer within 10 seconds \(HF_HUB_ETAG_TIMEOUT=60"):
        fetch(parse("owner/never-fetched"))


def test_something_that_is_no_hub(run_python: RunPython) -> None:
    done = run_python(LOCATE, "owner/name", HF_ENDPOINT="not an address")
    assert "the model hub cannot be reached" in done.stdout, done.stderr


def test_a_download_cut_short_heals(hub: Hub, run_python: RunPython, tmp_path: Path) -> None:
    files = hub.repositories[REPO]
    kept = {name: files.pop(name) for name in ("model.safetensors", "pytorch_model.bin")}
    try:
        first = run_python(LOCATE, f"{REPO}@main", HF_ENDPOINT=hub.address)
        assert "ModelError" in first.stdout, first.stderr
    finally:
        files.update(kept)
    for listing in (tmp_path / "hf-home").rglob(f"trees/{COMMIT}.json"):
        listing.unlink()
    second = run_python(LOCATE, REPO, HF_ENDPOINT=hub.address)
    assert second.stdout == f"found {COMMIT}\n", second.stderr
