"""How a question is put to a model, and which tokens of an example are the answer.

A chat model gets its own template: put to it bare, a question is mostly answered with nothing, and any gain measured
against that would be false. A model without a template gets `Question: … / Answer:`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medqa_core.foundation.errors import QuestionRefused
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


@dataclass(frozen=True)
class Turn:
    """What was asked before, and what the same model answered."""

    question: str
    answer: str


def prompt_text(tokenizer: Any, question: str, kind: PromptKind, earlier: Sequence[Turn] = ()) -> str:
    """The text before the answer, with the turns before the question, the oldest first.

    Template words in the question (`<|im_end|>`, …) stay text: `encode_prompt` never reads them as control tokens.

    Raises:
        QuestionRefused: earlier turns for a model without a chat template.
    """
    if kind == "plain":
        if earlier:
            raise QuestionRefused("This model has no chat template: it takes one question at a time, no follow-up.")
        return f"Question: {question}\nAnswer:"
    return _templated(tokenizer, _contents(question, earlier))


def _contents(question: str, earlier: Sequence[Turn]) -> list[str]:
    """What user and assistant said in turn, the question last."""
    return [*(text for turn in earlier for text in (turn.question, turn.answer)), question]


def _templated(tokenizer: Any, contents: Sequence[str]) -> str:
    roles = ("user", "assistant")
    # A template that can leave the model's thoughts out is asked to; one that knows no such word takes no notice.
    text: str = tokenizer.apply_chat_template(
        [{"role": roles[place % 2], "content": content} for place, content in enumerate(contents)],
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=False,
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


def encode_prompt(tokenizer: Any, question: str, kind: PromptKind, earlier: Sequence[Turn] = ()) -> list[int]:
    """The token ids before the answer, with the turns before the question, the oldest first.

    The template around what was said is encoded with its control tokens, what was said itself without any, so that no
    question or answer can close its own turn and open another one.

    Raises:
        QuestionRefused: earlier turns for a model whose template, if it has one, does not take them.
    """
    if kind == "plain":
        return _ids(tokenizer, prompt_text(tokenizer, question, kind, earlier), special=False)
    contents = _contents(question, earlier)
    pieces = _MARKER.split(_templated(tokenizer, [f"\x00{place}\x00" for place in range(len(contents))]))
    if pieces[1::2] != [str(place) for place in range(len(contents))]:
        raise QuestionRefused("The chat template of this model leaves earlier turns out: ask without a follow-up.")
    ids = _ids(tokenizer, pieces[0], special=True)
    for content, after in zip(contents, pieces[2::2], strict=True):
        ids += [*_ids(tokenizer, content.strip(), special=False), *_ids(tokenizer, after, special=True)]
    return ids


_MARKER = re.compile("\x00(\\d+)\x00")
"""Where something said stands in the template, by its number."""


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
