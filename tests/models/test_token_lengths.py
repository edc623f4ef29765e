"""Counting without torch gives the numbers that training counts with it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from medqa_core.data import starter
from medqa_core.data.pairs import QAPair
from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.models import embedded, toy
from medqa_core.models.prompt import encode_example, kind_for
from medqa_core.models.silence import silenced
from medqa_core.models.token_lengths import nearest_tokenizer, token_lengths, tokenizer_folder


def pair(question: str, answer: str) -> QAPair:
    return QAPair("i", "d", "t", "k", question, answer, "s")


PAIRS = (
    *starter.load().pairs[:40],
    pair("  What is <|end|> and <|user|>?  ", "<|assistant|>\nNothing <|end|> but letters <|im_end|>."),
    pair("", ""),
    pair("¿Qué es 1234567 µg — ﬁ?", "🙂 " * 40),
)


def same_as_training(folder: Path, pairs: tuple[QAPair, ...]) -> None:
    from transformers import AutoTokenizer

    with silenced():
        tokenizer = AutoTokenizer.from_pretrained(folder)
    found = token_lengths(pairs, folder)
    kind = kind_for(tokenizer)
    whole = [encode_example(tokenizer, p.question, p.answer, kind, 10**6, end=True) for p in pairs]
    assert found.whole.tolist() == [len(example.input_ids) for example in whole]
    assert found.prompt.tolist() == [example.prompt_tokens for example in whole]
    for limit in (16, 60, 100):
        cut = [encode_example(tokenizer, p.question, p.answer, kind, limit, end=True).truncated for p in pairs]
        assert found.truncated_share(limit) == pytest.approx(sum(cut) / len(cut))


def test_the_toy_with_its_chat_template(lab: Settings) -> None:
    same_as_training(toy.ensure(lab.cache), PAIRS)


def test_a_tokenizer_without_a_template(lab: Settings, tmp_path: Path) -> None:
    folder = shutil.copytree(toy.ensure(lab.cache), tmp_path / "plain")
    (folder / "chat_template.jinja").unlink()
    same_as_training(folder, PAIRS)


@pytest.mark.parametrize("several", [False, True])
def test_a_template_inside_the_tokenizers_settings(lab: Settings, tmp_path: Path, several: bool) -> None:
    """`several`: with names, of which training takes `default`."""
    folder = shutil.copytree(toy.ensure(lab.cache), tmp_path / "inside")
    (folder / "chat_template.jinja").unlink()
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    template = "{{ eos_token }}{% for m in messages %}  {{ m.content | trim }}\n{% endfor %}{{ eos_token }}\n"
    named = [{"name": "tool_use", "template": "of tools"}, {"name": "default", "template": template}]
    written = json.dumps(settings | {"chat_template": named if several else template})
    (folder / "tokenizer_config.json").write_text(written)
    same_as_training(folder, PAIRS)


def test_a_template_that_asks_for_thoughts_and_for_a_token_with_properties(lab: Settings, tmp_path: Path) -> None:
    """As Qwen3's, which closes its thoughts where it is told to leave them out, and Llama's."""
    folder = shutil.copytree(toy.ensure(lab.cache), tmp_path / "asking")
    template = (
        "{{ bos_token }}{% for m in messages %}{{ m.content | trim }}\n{% endfor %}"
        "{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"
    )
    (folder / "chat_template.jinja").write_text(template)
    begin = {"__type": "AddedToken", "content": "<|user|>", "lstrip": False, "normalized": False, "rstrip": False,
             "single_word": False, "special": True}  # fmt: skip
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps(settings | {"bos_token": begin}))
    same_as_training(folder, PAIRS)


@pytest.mark.real
def test_the_embedded_model(tmp_path: Path) -> None:
    cache = Settings.from_environment().cache
    if not embedded.is_ready(cache):
        pytest.skip("the embedded model is not in the cache: `medqa data fetch`")
    same_as_training(embedded.folder_in(cache), PAIRS)


def test_no_pairs_have_no_lengths(lab: Settings) -> None:
    found = token_lengths((), toy.ensure(lab.cache))
    assert found.whole.tolist() == []
    assert found.truncated_share(100) == 0.0


def test_the_runs_own_tokenizer_else_the_embedded_models_else_none(lab: Settings, tmp_path: Path) -> None:
    folder = toy.ensure(lab.cache)
    assert nearest_tokenizer("toy", lab.cache) == ("toy", folder)
    assert nearest_tokenizer(str(folder), lab.cache) == (str(folder), folder)
    for name in ("smollm2-135m-instruct", "distilbert/distilgpt2", "no such name", "./nowhere"):
        assert tokenizer_folder(name, tmp_path) is None
        assert nearest_tokenizer(name, tmp_path) is None


@pytest.mark.parametrize(
    ("name", "content"),
    [("tokenizer.json", "{}"), ("tokenizer.json", "\x00"), ("chat_template.jinja", "{% generation %}"),
     ("chat_template.jinja", "{{ ''.__class__.__mro__ }}{{ raise_exception('no') }}"), ("tokenizer_config.json", "[")],
)  # fmt: skip
def test_what_cannot_be_read_is_one_line(name: str, content: str, lab: Settings, tmp_path: Path) -> None:
    folder = shutil.copytree(toy.ensure(lab.cache), tmp_path / "broken")
    (folder / name).write_text(content)
    with pytest.raises(ModelError, match=r"^broken: its tokenizer") as caught:
        token_lengths(PAIRS, folder)
    assert "\n" not in str(caught.value)


def test_it_imports_nothing_heavy() -> None:
    code = "import sys, medqa_core.models.token_lengths; print({n.split('.')[0] for n in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PACKAGE_ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    for name in ("torch", "transformers", "datasets", "huggingface_hub", "gguf"):
        assert f"'{name}'" not in done.stdout
