"""Several answers decoded at once, token by token: CTranslate2 on a CPU, transformers elsewhere.

Each column is a prompt for one of the two models. On a CPU two copies with a thread each are faster than one after the
other on all threads; `benchmarks/answering.py` says by how much, and that greedy tokens are `generate`'s.
"""

import queue
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import ctranslate2
import torch
import transformers

from medqa_core.answering.generate import converted
from medqa_core.answering.question import GenerationSettings
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.progress import Progress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant
from medqa_core.runs.schema.evaluation import Precision

GREEDY_BELOW = 1e-3
"""A temperature this near to zero is greedy: the likeliest token has all the probability that a float holds."""
BEAT_SECONDS = 0.25
"""After so long without a token the caller gets a turn, to see whether anybody still waits for the answer."""


@dataclass(frozen=True)
class Prompt:
    """What one column is asked."""

    variant: Variant
    """Whose weights answer."""
    ids: list[int]
    limit: int
    """Tokens that the answer may have."""


class Step(NamedTuple):
    """One more token of a column, and whether the column ends with it; the end token itself counts as None."""

    column: int
    token: int | None
    last: bool


class Streams(Protocol):
    """Decodes the columns of one question at a time."""

    name: str
    """The engine and its precision, for provenance."""
    precision: Precision

    def decode(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> Generator[Step | None, None, None]:
        """The tokens of all columns as they come; None where for a while none came. Closing it stops the models."""


def streams_for(
    variants: ModelVariants, settings: Settings, precision: Precision = "float32", progress: Progress = silent
) -> Streams:
    """The fastest way to answer with these models here; CTranslate2's copies are made first if need be.

    Raises:
        InputError: `int8` where CTranslate2 does not run the model.
        ModelError: the cache folder cannot be written.
    """
    folders = {variant: converted(variants, variant, settings, progress) for variant in VARIANTS}
    if all(folders.values()):
        return ConvertedStreams(
            {variant: str(folder) for variant, folder in folders.items()}, variants.tokenizer, precision
        )
    if precision != "float32":
        raise InputError(f"{variants.base.name} on {variants.base.device} has no int8 mode: ask in float32.")
    return PlainStreams(variants)


class ConvertedStreams:
    """CTranslate2: a copy of each model with one thread, all columns at once."""

    def __init__(self, folders: dict[Variant, str], tokenizer: Any, precision: Precision) -> None:
        self.name = f"CTranslate2 {ctranslate2.__version__}, {precision}"
        self.precision = precision
        self._folders = folders
        self._tokenizer = tokenizer
        self._generators: dict[Variant, Any] = {variant: self._load(variant) for variant in folders}

    def decode(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> Generator[Step | None, None, None]:
        """See Streams."""
        texts = [self._tokenizer.convert_ids_to_tokens(prompt.ids) for prompt in prompts]
        options = self._options(settings)
        if not _is_greedy(settings.temperature):
            self._seed({prompt.variant for prompt in prompts}, settings.seed)
        decoding = _Decoding(self._tokenizer.eos_token_id)
        try:
            for prompt, text in zip(prompts, texts, strict=True):
                decoding.start(self._generators[prompt.variant], text, max_length=prompt.limit, **options)
            beat = time.monotonic() + BEAT_SECONDS
            while any(one.num_queued_batches for one in self._generators.values()) and time.monotonic() < beat:
                time.sleep(0.0005)
            decoding.begin()
            yield from decoding.steps()
        finally:
            decoding.close()

    def _options(self, settings: GenerationSettings) -> dict[str, Any]:
        """What CTranslate2 is told of how tokens are chosen; `sampling_topk` 0 draws from all of them."""
        greedy = _is_greedy(settings.temperature)
        return {
            "beam_size": 1,
            "sampling_topk": 1 if greedy else 0,
            "sampling_temperature": 1 if greedy else settings.temperature,
            "end_token": [self._tokenizer.eos_token_id],
            "include_prompt_in_result": False,
        }

    def _seed(self, variants: Iterable[Variant], seed: int) -> None:
        # CTranslate2 reads the seed when a thread draws its first number: new threads, or the seed does nothing.
        ctranslate2.set_random_seed(seed)
        for variant in variants:
            self._generators.pop(variant, None)  # before its successor is read: memory stays that of one
            self._generators[variant] = self._load(variant)

    def _load(self, variant: Variant) -> Any:
        # Two workers share one set of weights: the answer with sources may use the same model as its neighbour.
        threads = torch.get_num_threads()
        generator = ctranslate2.Generator(
            self._folders[variant], device="cpu", compute_type=self.precision, inter_threads=2, intra_threads=1
        )
        torch.set_num_threads(threads)  # CTranslate2 has set OpenMP's number, which is torch's too, to its own
        return generator


class _Decoding:
    """The columns of one question, decoded in CTranslate2's threads and handed over to the caller's."""

    def __init__(self, end: int) -> None:
        self._end = end
        self._steps: queue.SimpleQueue[Step] = queue.SimpleQueue()
        self._running: list[Any] = []
        self._begun = threading.Event()
        self._closed = False

    def start(self, generator: Any, prompt: list[str], **options: Any) -> None:
        """Queue one more column; its first token waits for `begin`."""
        column = len(self._running)

        def take(found: Any) -> bool:
            # A worker that has answered one column must not take another: its random numbers have moved on.
            self._begun.wait()
            self._steps.put(Step(column, None if found.token_id == self._end else found.token_id, found.is_last))
            return self._closed

        (result,) = generator.generate_batch([prompt], asynchronous=True, callback=take, **options)
        self._running.append(result)

    def begin(self) -> None:
        """Let the tokens come."""
        self._begun.set()

    def steps(self) -> Generator[Step | None, None, None]:
        """The tokens of all columns as they come; None where for a while none came."""
        left = len(self._running)
        while left:
            try:
                step = self._steps.get(timeout=BEAT_SECONDS)
            except queue.Empty:
                for result in self._running:
                    if result.done():
                        result.result()  # raises what went wrong in the model's thread
                yield None
                continue
            left -= step.last
            yield step

    def close(self) -> None:
        """Stop all columns; the models are free when this returns, a token later at most."""
        self._closed = True
        self._begun.set()
        for result in self._running:
            with suppress(Exception):  # told by `steps` to whoever still listens; here the others are waited for
                if not result.done():
                    result.result()


class PlainStreams:
    """transformers: a token of each column in turn, for devices and models that CTranslate2 does not run."""

    def __init__(self, variants: ModelVariants) -> None:
        self.name = f"transformers {transformers.__version__}, float32"
        self.precision: Precision = "float32"
        self._variants = variants

    def decode(self, prompts: Sequence[Prompt], settings: GenerationSettings) -> Generator[Step | None, None, None]:
        """See Streams."""
        columns = [_Column(self._variants, prompt, settings) for prompt in prompts]
        running = dict(enumerate(columns))
        while running:
            for index, column in list(running.items()):
                token, last = column.step()
                if last:
                    del running[index]
                yield Step(index, token, last)


class _Column:
    """One column's decoding with transformers."""

    def __init__(self, variants: ModelVariants, prompt: Prompt, settings: GenerationSettings) -> None:
        self._variants = variants
        self._variant = prompt.variant
        self._left = prompt.limit
        self._temperature = settings.temperature
        self._next = torch.tensor([prompt.ids], device=variants.base.device)
        self._cache: Any = None
        self._random = torch.Generator(device="cpu").manual_seed(settings.seed)

    @torch.inference_mode()
    def step(self) -> tuple[int | None, bool]:
        """The next token, None for the end token, and whether it is the last one."""
        with self._variants.using(self._variant) as model:
            out = model(input_ids=self._next, past_key_values=self._cache, use_cache=True, logits_to_keep=1)
        self._cache = out.past_key_values
        token = self._choose(out.logits[0, -1].float().cpu())
        if token == self._variants.tokenizer.eos_token_id:
            return None, True
        self._next = torch.tensor([[token]], device=self._variants.base.device)
        self._left -= 1
        return token, self._left <= 0

    def _choose(self, logits: torch.Tensor) -> int:
        if _is_greedy(self._temperature):
            return int(logits.argmax())
        probabilities = torch.softmax(logits.double() / self._temperature, dim=-1)
        return int(torch.multinomial(probabilities, 1, generator=self._random))


def _is_greedy(temperature: float) -> bool:
    return temperature < GREEDY_BELOW
