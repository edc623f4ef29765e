"""Answers to one question, against the way that everyone writes it, question by question in turn.

Naive: `generate` for one column after the other, in a process of its own whose threads wait as OpenMP does by itself.
Ours: what the Ask page does, all columns at once, with exact (float32) and with 8-bit weights. Two columns are both
models' answers to a question; three are both models and the one that reads sources, each behind a prompt of some 600
tokens of passages. A ratio is that of tokens a second, all columns together, the median over the questions; a few
tokens warm up. `same_tokens` is the share of answers that hold the very tokens of `generate`. `--busy` measures two
columns of two questions once more beside a process that keeps one core busy; the naive way gives a few tokens only
there: its threads spin, and a token can take seconds. What int8 costs in quality: `medqa evaluate RUN --int8-cost`.

    python benchmarks/answering.py [--quick] [--busy] [--run RUN]
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import medqa_core  # noqa: F401 - sets how threads wait, before torch is imported

# isort: split
import torch
from busy import SPINNING

from medqa_core.answering.decoder import Decoder, Prompt
from medqa_core.answering.engine import decoder_for
from medqa_core.answering.question import GenerationSettings
from medqa_core.answering.sources import WITH_SOURCES_VARIANT
from medqa_core.answering.streams import stream
from medqa_core.data import starter
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt, with_passages
from medqa_core.models.variants import VARIANTS, ModelVariants, load_variants
from medqa_core.runs.store.run_store import RunStore

HEADER = f"{'question':<44}{'naive':>8}{'exact':>8}{'ratio':>7}{'int8':>8}{'ratio':>7}"
KEYS = {"float32": "exact", "int8": "quantised"}
LONG = 600
"""Tokens of a prompt with passages."""
WARM_UP = 2
"""Tokens of the answers that warm up."""
BUSY_QUESTIONS, BUSY_TOKENS = 2, 4
"""Questions beside a busy core, and tokens of the naive answers to them."""

Answers = list[list[int]]
"""A column's tokens each, without the end token."""
Naive = Callable[[Sequence[Prompt], int], tuple[Answers, float]]
"""Prompts and the longest answer, to answers and seconds."""


def main() -> None:
    """Measure, print a row a question, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two questions, short answers: under two minutes")
    parser.add_argument("--busy", action="store_true", help="two questions once more beside a busy core")
    parser.add_argument("--run", default="starter", help="whose models answer (default: %(default)s)")
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--new-tokens", type=int, default=64, help="longest answer")
    arguments = parser.parse_args()
    count, new_tokens = (2, 16) if arguments.quick else (arguments.questions, arguments.new_tokens)
    settings = Settings.from_environment()
    variants = load_variants(RunStore(settings.reports).open(arguments.run), settings)
    ways = {KEYS[precision]: decoder_for(variants, settings, precision) for precision in ("float32", "int8")}
    pairs = starter.load().pairs
    asked = [one.question for one in pairs[:: len(pairs) // count][:count]]
    passages = " ".join(one.answer for one in pairs)
    print(f"{arguments.run} ({variants.base.name}, {ways['exact'].name}), {count} questions, answers of at most "
          f"{new_tokens} tokens, {torch.get_num_threads()} threads; tokens/s of all answers together")  # fmt: skip
    result: dict[str, Any] = {"questions": count, "new_tokens": new_tokens, "threads": torch.get_num_threads()}
    scenes = {
        "two": [two(variants, question) for question in asked],
        "three": [three(variants, question, passages) for question in asked],
    }
    with naive_process(arguments.run) as naive:
        for scene, prompts in scenes.items():
            print(f"\n{scene} answers at once\n{HEADER}")
            rows = measured(variants, ways, naive, asked, prompts, new_tokens)
            result |= named(summary(rows), "" if scene == "two" else f"_{scene}")
        if arguments.busy:
            print(f"\ntwo answers at once, beside a busy core\n{HEADER}")
            with busy_core():
                few = asked[:BUSY_QUESTIONS]
                rows = measured(variants, ways, naive, few, scenes["two"][: len(few)], new_tokens, BUSY_TOKENS)
            result |= named(summary(rows), "_busy")
    print(json.dumps(result))


def two(variants: ModelVariants, question: str) -> list[Prompt]:
    """The question for both models."""
    return [Prompt(variant, encode_prompt(variants.tokenizer, question, variants.prompt)) for variant in VARIANTS]


def three(variants: ModelVariants, question: str, text: str) -> list[Prompt]:
    """The question behind passages of `text`: for both models, and behind other ones for the column with sources."""
    tokenizer = variants.tokenizer
    room = LONG - len(encode_prompt(tokenizer, with_passages(question, ["."]), variants.prompt))
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    behind = []
    for start in (0, room):
        passage = tokenizer.decode(ids[start : start + room])
        behind.append(encode_prompt(tokenizer, with_passages(question, [passage]), variants.prompt))
    return [*(Prompt(variant, behind[0]) for variant in VARIANTS), Prompt(WITH_SOURCES_VARIANT, behind[1])]


def measured(
    variants: ModelVariants,
    ways: dict[str, Decoder],
    naive: Naive,
    asked: Sequence[str],
    prompts: Sequence[list[Prompt]],
    count: int,
    naive_count: int | None = None,
) -> list[dict[str, float]]:
    """Each question all three ways, printed as it is there; the naive answers end at `naive_count` tokens."""
    end: int = variants.tokenizer.eos_token_id
    measure(ways, naive, prompts[0], WARM_UP, WARM_UP, end)
    rows = []
    for question, columns in zip(asked, prompts, strict=True):
        row = measure(ways, naive, columns, count, naive_count or count, end)
        rows.append(row)
        print(f"{question[:42]:<44}{row['naive']:>8.1f}{row['exact']:>8.1f}{row['exact'] / row['naive']:>7.2f}"
              f"{row['quantised']:>8.1f}{row['quantised'] / row['naive']:>7.2f}", flush=True)  # fmt: skip
    return rows


def measure(
    ways: dict[str, Decoder], naive: Naive, prompts: list[Prompt], count: int, naive_count: int, end: int
) -> dict[str, float]:
    """One question all three ways: tokens a second, seconds to the first token, and the share of the same answers.

    Answers are the same where they are so as far as the naive ones go.
    """
    expected, seconds = naive(prompts, naive_count)
    row = {"naive": sum(map(len, expected)) / seconds}
    for key, decoder in ways.items():
        first = None
        answers: Answers = [[] for _ in prompts]
        start = time.perf_counter()
        for step in stream(decoder, prompts, [count] * len(prompts), GenerationSettings(), end):
            if step is not None:
                first = first or time.perf_counter() - start
                answers[step.column] += [] if step.token is None else [step.token]
        row[key] = sum(map(len, answers)) / (time.perf_counter() - start)
        row[f"first_{key}"] = first or 0.0
        same = [one == other[:naive_count] for one, other in zip(expected, answers, strict=True)]
        row[f"same_{key}"] = sum(same) / len(prompts)
    return row


def named(values: dict[str, float], suffix: str) -> dict[str, float]:
    """`values` with `suffix` at the end of their names."""
    return {f"{name}{suffix}": value for name, value in values.items()}


def summary(rows: Sequence[dict[str, float]]) -> dict[str, float]:
    """Medians over the questions, printed in a line."""
    found = {f"tokens_per_second_{name}": round(median(row[name] for row in rows), 2) for name in ("naive", "exact")}
    found["tokens_per_second_quantised"] = round(median(row["quantised"] for row in rows), 2)
    for name in ("exact", "quantised"):
        found[f"ratio_{name}"] = round(median(row[name] / row["naive"] for row in rows), 2)
        found[f"same_tokens_{name}"] = round(sum(row[f"same_{name}"] for row in rows) / len(rows), 4)
        found[f"first_token_seconds_{name}"] = round(median(row[f"first_{name}"] for row in rows), 3)
    print(f"median: {found['ratio_exact']:.2f} times naive with {found['same_tokens_exact']:.0%} of the answers the "
          f"same; int8 {found['ratio_quantised']:.2f} times with {found['same_tokens_quantised']:.0%}")  # fmt: skip
    return found


@contextmanager
def busy_core() -> Iterator[None]:
    """Inside the block another program, in a session of its own, keeps a core busy."""
    other = subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True)
    try:
        yield
    finally:
        other.kill()
        other.wait()


@contextmanager
def naive_process(run_id: str) -> Iterator[Naive]:
    """What answers naively, in a process of its own."""
    kept = {name: os.environ.get(name) for name in SPINNING}
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=answer_naively, args=(there, run_id), daemon=True)
    os.environ.update(SPINNING)
    try:
        process.start()
    finally:
        for name, value in kept.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    there.close()

    def naive(prompts: Sequence[Prompt], count: int) -> tuple[Answers, float]:
        here.send((list(prompts), count))
        found: tuple[Answers, float] = here.recv()
        return found

    yield naive
    here.close()
    process.join()


def answer_naively(asked: Connection, run_id: str) -> None:
    """Answer what comes through the connection, one column after the other, until it is closed."""
    settings = Settings.from_environment()
    variants = load_variants(RunStore(settings.reports).open(run_id), settings)
    while True:
        try:
            prompts, count = asked.recv()
        except EOFError:
            return
        start = time.perf_counter()
        answers = [generate(variants, prompt, count) for prompt in prompts]
        asked.send((answers, time.perf_counter() - start))


def generate(variants: ModelVariants, prompt: Prompt, count: int) -> list[int]:
    """transformers' own greedy answer, without the end token."""
    ids, end = torch.tensor([prompt.ids]), variants.tokenizer.eos_token_id
    with torch.inference_mode(), variants.using(prompt.variant) as model:
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False,
            pad_token_id=variants.tokenizer.pad_token_id, eos_token_id=end,
        )  # fmt: skip
    answer: list[int] = out[0, len(prompt.ids) :].tolist()
    return answer[: answer.index(end)] if end in answer else answer


if __name__ == "__main__":
    main()
