"""How many tokens a training example has, counted without torch and without transformers.

Commands and pages that only describe data must stay light, so this reads the tokenizer's own files with `tokenizers`
and renders the chat template around a marker once. The numbers are those of `models.prompt.encode_example`; a test
holds the two together.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from numpy.typing import NDArray
from tokenizers import Tokenizer

from medqa_core.data.pairs import QAPair
from medqa_core.foundation import files
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import InputError, ModelError, UnreadableFile
from medqa_core.models import embedded, toy
from medqa_core.models.references import EMBEDDED, parse

MARKER = "\x00question\x00"
STAND_IN = EMBEDDED
"""Whose tokenizer counts where the base model's own is not on this machine."""
FETCH = f"{PROGRAM} data fetch"
"""The command that puts the embedded model, and with it a tokenizer, into the cache."""
_CHUNK = 2048


@dataclass(frozen=True)
class TokenLengths:
    """Tokens of each pair, in the pairs' order; both arrays are (pairs,) of int64."""

    prompt: NDArray[np.int64]
    """The question with the template around it."""
    answer: NDArray[np.int64]
    """The whole answer, without the end token."""

    @property
    def whole(self) -> NDArray[np.int64]:
        """Tokens of the whole example: prompt, answer and end token, nothing cut off."""
        return self.prompt + self.answer + 1

    def truncated_share(self, max_tokens: int) -> float:
        """The share of the examples whose answer is cut at `max_tokens`; of no examples, 0."""
        room = max_tokens - np.minimum(self.prompt, max_tokens - 1)
        return float(np.mean(self.answer > room)) if len(self.answer) else 0.0


def tokenizer_folder(base_model: str, cache: Path) -> Path | None:
    """The folder with the tokenizer files of `base_model` if they are on this disk; nothing is fetched."""
    try:
        reference = parse(base_model)
    except InputError:
        return None
    if reference.kind == "embedded":
        return embedded.folder_in(cache) if embedded.is_ready(cache) else None
    if reference.kind == "toy":
        return toy.folder_in(cache) if toy.is_ready(cache) else None
    folder = Path(reference.name)
    return folder if reference.kind == "folder" and (folder / "tokenizer.json").is_file() else None


def nearest_tokenizer(base_model: str, cache: Path) -> tuple[str, Path] | None:
    """Name and folder of the tokenizer to count with: `base_model`'s own, else the embedded model's, else None."""
    for name in (base_model, STAND_IN):
        folder = tokenizer_folder(name, cache)
        if folder is not None:
            return name, folder
    return None


def token_lengths(pairs: Sequence[QAPair], folder: Path) -> TokenLengths:
    """Count the tokens of `pairs` with the tokenizer in `folder`.

    Raises:
        ModelError: the tokenizer or its chat template cannot be read.
    """
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")  # unset, it complains about processes started later
    try:
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        template = _template(folder)
    except (UnreadableFile, TemplateError) as error:
        raise ModelError(f"{folder.name}: its tokenizer cannot be read here ({error}).") from error
    except Exception as error:  # `tokenizers` raises nothing narrower
        raise ModelError(f"{folder.name}: its tokenizer.json cannot be read ({error}).") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    if template is None:
        tokenizer.encode_special_tokens = True
        prompts = _count(tokenizer, [f"Question: {pair.question}\nAnswer:" for pair in pairs])
        return TokenLengths(prompts, _count(tokenizer, [f" {pair.answer}" for pair in pairs]))
    tokenizer.encode_special_tokens = False  # the template's control tokens are meant
    around = int(_count(tokenizer, template).sum())
    tokenizer.encode_special_tokens = True  # a control token's name in a text is only letters
    questions = _count(tokenizer, [pair.question.strip() for pair in pairs])
    return TokenLengths(questions + around, _count(tokenizer, [pair.answer for pair in pairs]))


def _count(tokenizer: Any, texts: Sequence[str]) -> NDArray[np.int64]:
    counts: list[int] = []
    for start in range(0, len(texts), _CHUNK):  # so that not all encodings are in memory at once
        encoded = tokenizer.encode_batch_fast(list(texts[start : start + _CHUNK]), add_special_tokens=False)
        counts += [len(item) for item in encoded]
    return np.array(counts, dtype=np.int64)


def _template(folder: Path) -> list[str] | None:
    """The text before and after the question, or None where the tokenizer has no chat template."""
    config: dict[str, Any] = {}
    if (folder / "tokenizer_config.json").exists():
        read = files.read_json(folder / "tokenizer_config.json")
        config = read if isinstance(read, dict) else {}
    own = folder / "chat_template.jinja"
    source = files.read_text(own) if own.exists() else _default(config.get("chat_template"))
    if not isinstance(source, str) or not source:
        return None
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    spelled = {name: _spelled(value) for name, value in config.items() if name.endswith("_token")}
    special = {name: text for name, text in spelled.items() if isinstance(text, str)}
    text = environment.from_string(source).render(
        messages=[{"role": "user", "content": MARKER}],
        tools=None,
        documents=None,
        add_generation_prompt=True,
        enable_thinking=False,  # as `prompt_text` asks
        **special,
    )
    before, _, after = text.partition(MARKER)
    return [before, after]


def _default(template: Any) -> Any:
    """The one of several named templates that transformers takes; a single one as it is."""
    if not isinstance(template, list):
        return template
    named = {one.get("name"): one.get("template") for one in template if isinstance(one, dict)}
    return named.get("default")


def _spelled(token: Any) -> Any:
    """A control token's text, which older versions of transformers write with its properties."""
    return token.get("content") if isinstance(token, dict) else token
