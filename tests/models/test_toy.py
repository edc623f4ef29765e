"""The toy model: the same bytes each time, and usable like a real one."""

from pathlib import Path

from medqa_core.foundation.files import sha256
from medqa_core.models import toy
from medqa_core.models.loader import load
from tests.support.models import RunPython, settings_for


def test_the_same_bytes_in_another_process_with_another_thread_count(
    toy_folder: Path, tmp_path: Path, run_python: RunPython
) -> None:
    code = "import sys; from pathlib import Path; from medqa_core.models import toy; toy.ensure(Path(sys.argv[1]))"
    done = run_python(code, tmp_path, OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", PYTHONHASHSEED="7")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    other = toy.folder_in(tmp_path)
    names = sorted(path.name for path in toy_folder.iterdir() if path.name != "source.json")
    assert "model.safetensors" in names
    assert "tokenizer.json" in names
    assert {name: sha256(toy_folder / name) for name in names} == {name: sha256(other / name) for name in names}


def test_it_does_not_disturb_the_callers_random_numbers(tmp_path: Path) -> None:
    import torch

    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    toy.make(tmp_path)
    assert torch.equal(torch.rand(3), expected)


def test_made_once(toy_folder: Path) -> None:
    cache = toy_folder.parents[1]
    assert toy.is_ready(cache)
    before = (toy_folder / "model.safetensors").stat().st_mtime_ns
    assert toy.ensure(cache) == toy_folder
    assert (toy_folder / "model.safetensors").stat().st_mtime_ns == before


def test_it_answers_something_through_its_chat_template(toy_folder: Path) -> None:
    loaded = load("toy", settings=settings_for(toy_folder.parents[1]), device="cpu")
    tokenizer = loaded.tokenizer
    inputs = tokenizer.apply_chat_template(
        [[{"role": "user", "content": "What is asthma?"}], [{"role": "user", "content": "Why?"}]],
        add_generation_prompt=True,
        padding=True,
        return_tensors="pt",
        return_dict=True,
    )
    assert inputs["input_ids"][1, 0] == tokenizer.pad_token_id  # padded on the left
    tokens = loaded.model.generate(**inputs, max_new_tokens=4, min_new_tokens=4, do_sample=False)
    assert tokens.shape == (2, inputs["input_ids"].shape[1] + 4)
    assert tokenizer.eos_token_id != tokenizer.pad_token_id


def test_any_text_survives_the_tokenizer(toy_folder: Path) -> None:
    tokenizer = load("toy", settings=settings_for(toy_folder.parents[1]), device="cpu").tokenizer
    for text in ("What is asthma?", "  två  spaces\n\n\ttabs", "心臓 🫀 µg/mL", "<|end| >"):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_another_text_makes_another_tokenizer(tmp_path: Path, toy_folder: Path) -> None:
    toy.make(tmp_path, "aaaa bbbb aaaa bbbb " * 5)
    assert (tmp_path / "tokenizer.json").read_bytes() != (toy_folder / "tokenizer.json").read_bytes()
