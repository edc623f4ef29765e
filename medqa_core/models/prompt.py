"""How a question is put to a model, and which tokens of an example are the answer.

A chat model gets its own template: put to it bare, a question is mostly answered with nothing, and any gain measured
against that would be false. A model without a template gets `Question: … / Answer:`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medqa_core.runs.schema.evaluation import PromptKind

IGNORED = -100
"""Label of a token that the loss does not count (the value that PyTorch's cross entropy ignores)."""


@dataclass(frozen=True)
class Example:
    """One encoded question and answer."""

    input_ids: list[int]
    prompt_tokens: int
    answer_bytes: int
    """UTF-8 bytes of the text that the answer tokens spell."""
    truncated: bool

    @property
    def labels(self) -> list[int]:
        """The answer's tokens, everything before them ignored; as long as `input_ids`."""
        return [IGNORED] * self.prompt_tokens + self.input_ids[self.prompt_tokens :]


def kind_for(tokenizer: Any) -> PromptKind:
    """`chat` where the tokenizer brings a chat template, else `plain`."""
    return "chat" if getattr(tokenizer, "chat_template", None) else "plain"


def prompt_text(tokenizer: Any, question: str, kind: PromptKind) -> str:
    """The text before the answer.

    Template words in the question (`<|im_end|>`, …) stay text: `encode_prompt` never reads them as control tokens.
    """
    if kind == "plain":
        return f"Question: {question}\nAnswer:"
    # A template that can leave the model's thoughts out is asked to; one that knows no such word takes no notice.
    text: str = tokenizer.apply_chat_template(
        [{"role": "user", "content": question}], tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    return text


THOUGHTS = (
    "The chat template opens <think> and cannot be told not to: answers begin with thoughts, which the references do "
    "not have; take a model without them, or put a template without <think> into its folder."
)
"""What is said where `opens_thoughts`."""


def opens_thoughts(tokenizer: Any) -> bool:
    """Whether every answer has to begin with thoughts, since the chat template opens `<think>` and leaves it open.

    The reference answers hold no thoughts: their loss behind such a prompt is that of something the model never wrote.
    """
    if kind_for(tokenizer) == "plain":
        return False
    text = prompt_text(tokenizer, "Which template is this?", "chat")
    return text.rfind("<think>") > text.rfind("</think>")


def with_passages(question: str, passages: Sequence[str]) -> str:
    """The question with what may be read before answering it; both are data, and no control token is read from them.

    The question stands last: a small model continues what it has just read.
    """
    if not passages:
        return question
    numbered = "\n".join(f"[{number}] {text}" for number, text in enumerate(passages, 1))
    return f"{numbered}\n\nAnswer from the passages above: {question}"


ABSTENTION = "The passages do not answer this question."
"""What an open-book model learns to say where none of its passages does."""
_CITATION = re.compile(r"\s*\[(\d{1,2})\]")


def citation(number: int) -> str:
    """What closes an answer that rests on passage `number`, counted from 1 as `with_passages` does."""
    return f" [{number}]"


def without_citations(answer: str) -> str:
    """`answer` without the numbers of passages in it."""
    return _CITATION.sub("", answer)


def cited(answer: str) -> list[int]:
    """The numbers of the passages that `answer` names, each once, in its order; they may be of none that was given."""
    return list(dict.fromkeys(int(number) for number in _CITATION.findall(answer)))


def encode_prompt(tokenizer: Any, question: str, kind: PromptKind) -> list[int]:
    """The token ids before the answer.

    The template around the question is encoded with its control tokens, the question itself without any, so that a
    question cannot close its own turn and open another one.
    """
    if kind == "plain":
        return _ids(tokenizer, prompt_text(tokenizer, question, kind), special=False)
    marker = "\x00question\x00"
    before, _, after = prompt_text(tokenizer, marker, kind).partition(marker)
    return [
        *_ids(tokenizer, before, special=True),
        *_ids(tokenizer, question.strip(), special=False),
        *_ids(tokenizer, after, special=True),
    ]


def encode_example(
    tokenizer: Any, question: str, answer: str, kind: PromptKind, max_tokens: int, *, end: bool
) -> Example:
    """A question with its answer, cut to `max_tokens`; with `end`, the end token closes an answer that fits."""
    prompt = encode_prompt(tokenizer, question, kind)[: max_tokens - 1]
    words = _ids(tokenizer, _behind_prompt(answer, kind), special=False)
    kept = words[: max_tokens - len(prompt)]
    truncated = len(kept) < len(words)
    text = answer
    if truncated:
        spelled: str = tokenizer.decode(kept)
        text = spelled if kind == "chat" else spelled.removeprefix(" ")  # the space is the prompt's, not the answer's
    closing = [tokenizer.eos_token_id] if end and len(prompt) + len(kept) < max_tokens and not truncated else []
    return Example(prompt + kept + closing, len(prompt), len(text.encode("utf-8")), truncated)


def with_prompt(tokenizer: Any, question: str, example: Example, kind: PromptKind, max_tokens: int) -> Example:
    """`example`'s answer after another question: as many of the same answer tokens as `max_tokens` leaves room for."""
    prompt = encode_prompt(tokenizer, question, kind)[: max_tokens - 1]
    kept = example.input_ids[example.prompt_tokens :][: max_tokens - len(prompt)]
    return Example(prompt + kept, len(prompt), 0, len(prompt) + len(kept) >= max_tokens)


def answer_ends(tokenizer: Any, answer: str, kind: PromptKind, count: int) -> list[int] | None:
    """Where each of the first `count` tokens of an answer ends, in characters of `answer`; never falling.

    None for a tokenizer that does not say so.
    """
    if not getattr(tokenizer, "is_fast", False):
        return None
    text = _behind_prompt(answer, kind)
    spans = tokenizer(text, add_special_tokens=False, split_special_tokens=True, return_offsets_mapping=True)
    ends, last = [], 0
    for _, end in spans["offset_mapping"][:count]:
        last = max(last, end - (len(text) - len(answer)))
        ends.append(last)
    return ends


def answer_tokens(tokenizer: Any, answer: str, kind: PromptKind) -> int:
    """How many tokens `encode_example` gives to an answer that it does not cut, the end token not counted."""
    return len(_ids(tokenizer, _behind_prompt(answer, kind), special=False))


def _behind_prompt(answer: str, kind: PromptKind) -> str:
    """The answer as it is encoded: behind a space where the prompt ends in `Answer:`."""
    return answer if kind == "chat" else f" {answer}"


def _ids(tokenizer: Any, text: str, *, special: bool) -> list[int]:
    """Token ids; without `special`, a control token's name in the text is encoded as the letters it is made of."""
    ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=not special)["input_ids"]
    return ids
