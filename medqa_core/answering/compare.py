"""Both models answer one question: a token of each in turn, so that both columns grow together."""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch

from medqa_core.answering.question import MAX_SECONDS, GenerationSettings, checked_question
from medqa_core.foundation.errors import QuestionRefused
from medqa_core.foundation.files import sha256_text
from medqa_core.models.pair import SIDES, ModelPair, Side
from medqa_core.models.prompt import encode_prompt, prompt_text


@dataclass(frozen=True)
class Provenance:
    """What produced an answer: with these and the same versions, the same answer comes out again."""

    run_id: str
    side: Side
    model: str
    revision: str | None
    base_sha256: str
    adapter_sha256: str | None
    """None for the base model: nothing was added to it."""
    prompt: str
    prompt_sha256: str
    temperature: float
    max_new_tokens: int
    seed: int


@dataclass(frozen=True)
class Answer:
    """One model's answer so far."""

    text: str
    tokens: int
    seconds: float
    """Time that this model computed, without the other one's turns."""
    state: Literal["running", "ended", "cut", "stopped"]
    """`ended`: the model ended it; `cut`: the token limit did; `stopped`: the time limit or the reader did."""
    provenance: Provenance

    @property
    def tokens_per_second(self) -> float:
        """Tokens over this model's own seconds."""
        return self.tokens / self.seconds if self.seconds else 0.0

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "tokens_per_second": round(self.tokens_per_second, 2)}


class _Column:
    """One model's decoding, a token a call."""

    def __init__(
        self, pair: ModelPair, side: Side, prompt: list[int], settings: GenerationSettings, text: str, limit: int
    ) -> None:
        self._pair = pair
        self._side: Side = side
        self._settings = settings
        self._limit = limit
        self._device = pair.base.device
        self._next = torch.tensor([prompt], device=self._device)
        self._cache: Any = None
        self._random = torch.Generator(device="cpu").manual_seed(settings.seed)
        self._seconds = 0.0
        self.ids: list[int] = []
        self.state: Literal["running", "ended", "cut", "stopped"] = "running"
        fine_tuned = side == "fine_tuned"
        self._provenance = Provenance(
            run_id=pair.run_id,
            side=side,
            model=pair.base.name,
            revision=pair.base.revision,
            base_sha256=pair.base.sha256,
            adapter_sha256=pair.adapter_sha256 if fine_tuned else None,
            prompt=pair.prompt,
            prompt_sha256=sha256_text(text),
            **settings.model_dump(),
        )

    def step(self) -> None:
        """Decode one token."""
        start = time.perf_counter()
        with torch.inference_mode(), self._pair.side(self._side) as model:
            out = model(input_ids=self._next, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self._cache = out.past_key_values
        token = self._choose(out.logits[0, -1].float().cpu())
        self._seconds += time.perf_counter() - start
        if token == self._pair.tokenizer.eos_token_id:
            self.state = "ended"
            return
        self.ids.append(token)
        self._next = torch.tensor([[token]], device=self._device)
        if len(self.ids) >= self._limit:
            self.state = "cut"

    def answer(self) -> Answer:
        """The answer so far; half a character at its end is held back until its other half is there."""
        text = self._pair.tokenizer.decode(self.ids, skip_special_tokens=True).strip()
        if self.state == "running":
            text = text.rstrip("\ufffd")
        return Answer(text, len(self.ids), round(self._seconds, 3), self.state, self._provenance)

    def _choose(self, logits: torch.Tensor) -> int:
        if self._settings.temperature == 0:
            return int(logits.argmax())
        scaled = (logits.double() - logits.max()) / self._settings.temperature  # at most 0: it cannot overflow
        probabilities = torch.softmax(scaled, dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=self._random))


def compare(
    pair: ModelPair,
    question: str,
    settings: GenerationSettings | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[dict[Side, Answer]]:
    """Both answers after each token, until both have ended; the last item is the final one.

    Args:
        pair: the models; nobody else may use them meanwhile.
        question: what is asked.
        settings: how tokens are chosen.
        cancelled: asked after each token; both answers stop when it says so.

    Raises:
        QuestionRefused: before anything is computed.
    """
    settings = settings or GenerationSettings()
    asked = checked_question(question)
    prompt = encode_prompt(pair.tokenizer, asked, pair.prompt)
    text = prompt_text(pair.tokenizer, asked, pair.prompt)
    limit = min(settings.max_new_tokens, _room(pair, prompt))
    columns = {side: _Column(pair, side, prompt, settings, text, limit) for side in SIDES}
    deadline = time.monotonic() + MAX_SECONDS
    while any(column.state == "running" for column in columns.values()):
        stop = cancelled() or time.monotonic() > deadline
        for column in columns.values():
            if column.state == "running":
                if stop:
                    column.state = "stopped"
                else:
                    column.step()
        yield {side: column.answer() for side, column in columns.items()}


def _room(pair: ModelPair, prompt: list[int]) -> int:
    """Tokens that fit behind the prompt; rare characters cost several each, and some models end at 1,024."""
    context = pair.base.context
    if context is None:
        return sys.maxsize
    if len(prompt) >= context:
        raise QuestionRefused(
            f"The question takes {len(prompt):,} tokens and {pair.base.name} reads {context:,} at most: shorten it."
        )
    return context - len(prompt)
