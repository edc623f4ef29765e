"""Which tokenizer both models are asked with: the base's, or the one that came with the weights."""

from dataclasses import dataclass
from typing import Any

from medqa_core.foundation.errors import InputError, shorten
from medqa_core.models.loader import LoadedModel
from medqa_core.models.prompt import encode_prompt, kind_for

PROBE = "What are the symptoms of gout? It hurts: 38.5 °C, été, 痛風, CFTR-ΔF508.\n- one"
"""Read by both; tokenizers with the same words may still cut a text in other places."""


@dataclass(frozen=True)
class TokenizerChoice:
    """Whose tokenizer it is, and why."""

    own: bool
    notes: tuple[str, ...] = ()


def choose_tokenizer(base: LoadedModel, theirs: Any | None, label: str) -> TokenizerChoice:
    """Whose tokenizer both models are asked with.

    What came with the weights is what they were trained with: where it asks in another way than the base's, it is used
    for both, if the base knows all of its tokens.

    Raises:
        InputError: it reads texts as other tokens than the base does, so that one loss cannot be compared with the
            other.
    """
    if theirs is None:
        return TokenizerChoice(False, ("No tokenizer came with the weights: the base's is used.",))
    ours = base.tokenizer
    known, there = ours.get_vocab(), theirs.get_vocab()
    other = next((token for token, place in known.items() if there.get(token) != place), None)
    if other is None and _read(ours) != _read(theirs):
        other = PROBE
    if other is not None:
        raise InputError(
            f"{label} reads texts as other tokens than {base.name} does ({shorten(other, 40)!r} for one): their losses "
            "cannot be compared. Give the base that it was trained from, or another model with the same tokenizer."
        )
    if _ways(ours) == _ways(theirs):
        return TokenizerChoice(False)
    rows = base.model.get_input_embeddings().num_embeddings
    asked = [*encode_prompt(theirs, PROBE, kind_for(theirs)), theirs.eos_token_id]
    if max(asked) >= rows:
        return TokenizerChoice(
            False,
            (
                "Its chat template or end token uses tokens that the base does not have: both models are asked as the "
                "base is, which is not how this one was trained.",
            ),
        )
    return TokenizerChoice(True, ("Both models are asked with the chat template and end token of the imported one.",))


def _ways(tokenizer: Any) -> tuple[object, object]:
    """How a question is put, and what ends an answer."""
    return tokenizer.chat_template, tokenizer.eos_token_id


def _read(tokenizer: Any) -> list[int]:
    ids: list[int] = tokenizer(PROBE, add_special_tokens=False)["input_ids"]
    return ids
