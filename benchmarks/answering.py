"""Two answers to one question, against the way that everyone writes it, question by question in turn.

Naive: `generate` of the base model, then `generate` of the model with its adapter, on all threads. Ours: what the Ask
page does, both columns at once, with exact (float32) and with 8-bit weights. A ratio is that of tokens a second, both
answers together, the median over the questions; the first question only warms up. `same_tokens` is the share of answers
that hold the very tokens of `generate`. What int8 costs in quality: `medqa evaluate RUN --int8-cost`.

    python benchmarks/answering.py [--quick] [--run RUN]
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import medqa_core  # noqa: F401 - sets how threads wait, before torch is imported

# isort: split
import torch

from medqa_core.answering.question import GenerationSettings
from medqa_core.answering.streams import Prompt, Streams, streams_for
from medqa_core.data import starter
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS, ModelVariants, load_variants
from medqa_core.runs.store.run_store import RunStore

KEYS = {"float32": "exact", "int8": "quantised"}


def main() -> None:
    """Measure, print a row a question, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two questions, short answers: under a minute")
    parser.add_argument("--run", default="starter", help="whose models answer (default: %(default)s)")
    parser.add_argument("--questions", type=int, default=20)
    parser.add_argument("--new-tokens", type=int, default=64, help="longest answer")
    arguments = parser.parse_args()
    count, new_tokens = (2, 16) if arguments.quick else (arguments.questions, arguments.new_tokens)
    settings = Settings.from_environment()
    variants = load_variants(RunStore(settings.reports).open(arguments.run), settings)
    ways = {precision: streams_for(variants, settings, precision) for precision in KEYS}  # type: ignore[arg-type]
    pairs = starter.load().pairs
    asked = [one.question for one in pairs[:: len(pairs) // (count + 1)][: count + 1]]
    print(f"{arguments.run} ({variants.base.name}), {count} questions, answers of at most {new_tokens} tokens, "
          f"{torch.get_num_threads()} threads; tokens/s of both answers together")  # fmt: skip
    print(f"{'question':<44}{'naive':>8}{'exact':>8}{'ratio':>7}{'int8':>8}{'ratio':>7}")
    rows: list[dict[str, float]] = []
    for number, question in enumerate(asked):
        prompt = encode_prompt(variants.tokenizer, question, variants.prompt)
        row = measure(variants, ways, prompt, new_tokens)
        if number == 0:
            continue  # the first call of each warms it up
        rows.append(row)
        print(f"{question[:42]:<44}{row['naive']:>8.1f}{row['exact']:>8.1f}{row['exact'] / row['naive']:>7.2f}"
              f"{row['quantised']:>8.1f}{row['quantised'] / row['naive']:>7.2f}", flush=True)  # fmt: skip
    result: dict[str, Any] = {"questions": count, "new_tokens": new_tokens, "threads": torch.get_num_threads()}
    for name in ("naive", "exact", "quantised"):
        result[f"tokens_per_second_{name}"] = round(median(row[name] for row in rows), 2)
    for name in ("exact", "quantised"):
        result[f"ratio_{name}"] = round(median(row[name] / row["naive"] for row in rows), 2)
        result[f"same_tokens_{name}"] = round(sum(row[f"same_{name}"] for row in rows) / len(rows), 4)
        result[f"first_token_seconds_{name}"] = round(median(row[f"first_{name}"] for row in rows), 3)
    print(f"median: {result['ratio_exact']:.2f} times naive with {result['same_tokens_exact']:.0%} of the answers the "
          f"same; int8 {result['ratio_quantised']:.2f} times with {result['same_tokens_quantised']:.0%}")  # fmt: skip
    print(json.dumps(result))


def measure(variants: ModelVariants, ways: dict[str, Streams], prompt: list[int], count: int) -> dict[str, float]:
    """One question all three ways: tokens a second, seconds to the first token, and the share of the same answers."""
    start = time.perf_counter()
    expected = [generate(variants, variant, prompt, count) for variant in VARIANTS]
    row = {"naive": sum(map(len, expected)) / (time.perf_counter() - start)}
    for precision, streams in ways.items():
        key, first = KEYS[precision], None
        answers: list[list[int]] = [[] for _ in VARIANTS]
        start = time.perf_counter()
        for step in streams.decode([Prompt(variant, prompt, count) for variant in VARIANTS], GenerationSettings()):
            if step is not None:
                first = first or time.perf_counter() - start
                answers[step.column] += [] if step.token is None else [step.token]
        row[key] = sum(map(len, answers)) / (time.perf_counter() - start)
        row[f"first_{key}"] = first or 0.0
        row[f"same_{key}"] = sum(one == other for one, other in zip(expected, answers, strict=True)) / len(VARIANTS)
    return row


def generate(variants: ModelVariants, variant: Any, prompt: list[int], count: int) -> list[int]:
    """transformers' own greedy answer, without the end token."""
    ids, end = torch.tensor([prompt]), variants.tokenizer.eos_token_id
    with torch.inference_mode(), variants.using(variant) as model:
        out = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False,
            pad_token_id=variants.tokenizer.pad_token_id, eos_token_id=end,
        )  # fmt: skip
    answer: list[int] = out[0, len(prompt) :].tolist()
    return answer[: answer.index(end)] if end in answer else answer


if __name__ == "__main__":
    main()
