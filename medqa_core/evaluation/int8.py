"""What the fast mode of Ask costs: answers and losses with int8 weights against float32 ones, on test questions."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from medqa_core.answering.decoder import Decoder, Ends, Prompt, read
from medqa_core.answering.engine import decoder_for
from medqa_core.answering.generate import answers, texts
from medqa_core.data.pairs import references_of
from medqa_core.evaluation.evaluate import checked, same_split
from medqa_core.evaluation.judge import Paired, judge
from medqa_core.evaluation.measure import Questions
from medqa_core.evaluation.passages import read_for, shelf_of
from medqa_core.evaluation.text_metrics import answer_scores
from medqa_core.foundation.files import write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import Example, without_citations
from medqa_core.models.variants import VARIANTS, Variant, load_variants
from medqa_core.runs.artifacts.int8 import INT8, Change, Int8Cost, VariantCost
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import MetricName, Precision

QUESTIONS = 100
"""Test questions asked, chosen at random with a fixed seed."""
PRECISIONS: tuple[Precision, Precision] = ("float32", "int8")


def measure_int8(run: Run, settings: Settings, progress: StageProgress = silent) -> Int8Cost:
    """Measure both models of `run` with float32 and with int8 weights; writes int8.json.

    Those of a run of task `open_book` are asked with passages of the whole data set, as in its evaluation.

    Raises:
        InputError: an imported run without weights, one that is still being trained, or a model that OpenVINO does not
            run.
        MedQAError: its models or data are not available.
    """
    config = checked(run)
    pairs, parts = same_split(run, settings)
    asked = random.Random(0).sample(parts.test, min(QUESTIONS, len(parts.test)))
    variants = load_variants(run, settings)
    prompts: Sequence[str] = []
    if config.task == "open_book":
        search = shelf_of(run, config, settings, "data set").search
        prompts, _ = read_for(variants, asked, search, config.max_new_tokens, progress)
    plain = without_citations if prompts else str
    questions = Questions.of(variants, asked, variants.prompt, config.max_tokens, prompts=prompts)
    references = references_of(asked, pairs)
    groups = [parts.groups[question.id] for question in asked]
    measured: dict[Precision, dict[Variant, _Measured]] = {}
    for number, precision in enumerate(PRECISIONS):
        decoder = decoder_for(variants, settings, precision)  # one at a time: two sets of weights need more memory
        progress("int8 against float32", number, len(PRECISIONS))
        measured[precision] = {
            variant: _Measured.of(decoder, variant, questions, config.max_new_tokens, variants.base.ends)
            for variant in VARIANTS
        }
    progress("int8 against float32", len(PRECISIONS), len(PRECISIONS))
    tokens = [len(example.input_ids) - example.prompt_tokens for example in questions.examples]
    costs = {}
    for variant in VARIANTS:
        exact, fast = (measured[precision][variant] for precision in PRECISIONS)
        said = [[plain(text) for text in texts(variants.tokenizer, one.answers)] for one in (exact, fast)]
        rouge = [_rouge(one, references) for one in said]
        finite = np.isfinite([exact.nats, fast.nats]).all()
        costs[variant] = VariantCost(
            same=float(np.mean([one == other for one, other in zip(exact.answers, fast.answers, strict=True)])),
            loss=_change("loss", exact.nats, fast.nats, tokens, groups) if finite else None,
            rougeL=_change("rougeL", rouge[0], rouge[1], [1.0] * len(groups), groups),
        )
    cost = Int8Cost(
        questions=len(asked),
        max_new_tokens=config.max_new_tokens,
        passages=config.passages if prompts else None,
        engine=decoder.name,
        base_sha256=variants.base.sha256,
        fine_tuned_sha256=variants.adapter_sha256,
        base=costs["base"],
        fine_tuned=costs["fine_tuned"],
    )
    discard_manifest(run.folder)
    write_json(run.folder / INT8, cost.model_dump(mode="json"))
    return cost


@dataclass(frozen=True)
class _Measured:
    """One model's answers and losses at one precision."""

    answers: list[list[int]]
    nats: list[float]
    """Each reference answer's negative log-likelihood, summed over its tokens."""

    @classmethod
    def of(
        cls, decoder: Decoder, variant: Variant, questions: Questions, max_new_tokens: int, end: Ends
    ) -> "_Measured":
        found: dict[int, list[int]] = {}
        for batch in answers(decoder, variant, questions.prompts, max_new_tokens, end):
            found |= batch
        in_order = [found[index] for index in range(len(questions.prompts))]
        return cls(in_order, [_nats(decoder, variant, example) for example in questions.examples])


def _nats(decoder: Decoder, variant: Variant, example: Example) -> float:
    ids, start = list(example.input_ids), example.prompt_tokens
    batch = read(decoder, [Prompt(variant, ids[:start])])
    logits = [batch.logits().copy()]
    if len(ids) - start > 1:
        logits.append(batch.step([ids[start:-1]])[0])
    chances = torch.log_softmax(torch.from_numpy(np.concatenate(logits)).double(), -1)
    return -float(chances[range(len(ids) - start), ids[start:]].sum())


def _rouge(said: Sequence[str], references: Sequence[tuple[str, ...]]) -> list[float]:
    return [scores["rougeL"] for scores in answer_scores(said, references)]


def _change(
    name: MetricName, exact: Sequence[float], fast: Sequence[float], weight: Sequence[float], groups: Sequence[str]
) -> Change:
    judged = judge(name, Paired.of(exact, fast, weight, groups))
    total = sum(weight)
    one, other = sum(exact) / total, sum(fast) / total
    return Change(float32=one, int8=other, difference=other - one, ci=judged.ci)
