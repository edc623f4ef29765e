"""What the fast mode of Ask costs: answers and losses with int8 weights against float32 ones, on test questions."""

import random
from collections.abc import Sequence
from pathlib import Path

import ctranslate2
import numpy as np
import torch

from medqa_core.answering.generate import Converted, converted
from medqa_core.data.pairs import references_of
from medqa_core.evaluation.evaluate import checked, same_split
from medqa_core.evaluation.judge import Paired, judge
from medqa_core.evaluation.measure import Questions
from medqa_core.evaluation.text_metrics import answer_scores
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import Example
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant, load_variants
from medqa_core.runs.artifacts.int8 import INT8, Change, Int8Cost, VariantCost
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import MetricName, Precision

QUESTIONS = 100
"""Test questions asked, chosen at random with a fixed seed."""
PRECISIONS: tuple[Precision, Precision] = ("float32", "int8")


def measure_int8(run: Run, settings: Settings, progress: StageProgress = silent) -> Int8Cost:
    """Measure both models of `run` with float32 and with int8 weights; writes int8.json.

    Raises:
        InputError: an imported run, one that is still being trained, or a model that CTranslate2 does not run.
        MedQAError: its models or data are not available.
    """
    config = checked(run)
    pairs, parts = same_split(run, settings)
    asked = random.Random(0).sample(parts.test, min(QUESTIONS, len(parts.test)))
    variants = load_variants(run, settings)
    questions = Questions.of(variants, asked, variants.prompt, config.max_tokens)
    references = references_of(asked, pairs)
    groups = [parts.groups[question.id] for question in asked]
    costs: dict[Variant, VariantCost] = {}
    for number, variant in enumerate(VARIANTS):
        folder = converted(variants, variant, settings, silent)
        if folder is None:
            raise InputError(f"{variants.base.name} on {variants.base.device} has no int8 mode to measure.")
        progress("int8 against float32", number, 2)
        costs[variant] = _cost(variants, folder, questions, references, groups, config.max_new_tokens)
    progress("int8 against float32", 2, 2)
    cost = Int8Cost(
        questions=len(asked),
        max_new_tokens=config.max_new_tokens,
        engine=f"CTranslate2 {ctranslate2.__version__}",
        base_sha256=variants.base.sha256,
        fine_tuned_sha256=variants.adapter_sha256,
        base=costs["base"],
        fine_tuned=costs["fine_tuned"],
    )
    discard_manifest(run.folder)
    write_json(run.folder / INT8, cost.model_dump(mode="json"))
    return cost


def _cost(
    variants: ModelVariants,
    folder: Path,
    questions: Questions,
    references: Sequence[tuple[str, ...]],
    groups: Sequence[str],
    max_new_tokens: int,
) -> VariantCost:
    answers, rouge, losses = [], [], []
    for precision in PRECISIONS:
        found = {
            index: ids
            for batch in Converted(folder, variants.tokenizer, precision).answers(questions.prompts, max_new_tokens)
            for index, ids in batch.items()
        }
        answers.append([found[index] for index in range(len(questions.prompts))])
        texts = [variants.tokenizer.decode(ids, skip_special_tokens=True).strip() for ids in answers[-1]]
        rouge.append([scores["rougeL"] for scores in answer_scores(texts, references)])
        losses.append(_losses(variants, folder, precision, questions.examples))
    tokens = [len(example.input_ids) - example.prompt_tokens for example in questions.examples]
    return VariantCost(
        same=float(np.mean([one == other for one, other in zip(*answers, strict=True)])),
        loss=_change("loss", losses[0], losses[1], tokens, groups),
        rougeL=_change("rougeL", rouge[0], rouge[1], [1.0] * len(groups), groups),
    )


def _losses(variants: ModelVariants, folder: Path, precision: Precision, examples: Sequence[Example]) -> list[float]:
    """Each reference answer's negative log-likelihood in nats, summed over its tokens."""
    generator = ctranslate2.Generator(
        str(folder), device="cpu", compute_type=precision, intra_threads=torch.get_num_threads()
    )
    tokens = [variants.tokenizer.convert_ids_to_tokens(example.input_ids) for example in examples]
    results = generator.score_batch(tokens, max_batch_size=8, max_input_length=0)
    # The first token has no score: that of token i stands at i - 1.
    return [
        -sum(result.log_probs[example.prompt_tokens - 1 :]) for result, example in zip(results, examples, strict=True)
    ]


def _change(
    name: MetricName, exact: Sequence[float], fast: Sequence[float], weight: Sequence[float], groups: Sequence[str]
) -> Change:
    judged = judge(name, Paired.of(exact, fast, weight, groups))
    total = sum(weight)
    one, other = sum(exact) / total, sum(fast) / total
    return Change(float32=one, int8=other, difference=other - one, ci=judged.ci)
