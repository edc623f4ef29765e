"""Evaluation speed against the way that everyone writes it, on the same questions.

Three stages of the base model: the loss of reference answers (naive: batches of 8 in the order given, padded to their
longest, logits of every place), greedy answers (naive: `generate`, one question after the other) and multiple choice
(naive: a forward for each of the four letters). Both variants do each stage in turn; the first call of each warms up.
`same_tokens` is the share of questions to which CTranslate2 gave the tokens of `generate`, in float32 and with 8-bit
weights.

    python benchmarks/evaluation.py [--quick]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import medqa_core  # noqa: F401 - sets how threads wait, before torch is imported

# isort: split
import torch
from lm_eval.api.instance import Instance
from torch.nn import functional

from medqa_core.answering.generate import Converted
from medqa_core.data import sources
from medqa_core.data.pairs import QAPair
from medqa_core.evaluation import mmlu_data
from medqa_core.evaluation.loss import answer_losses
from medqa_core.evaluation.measure import Questions
from medqa_core.evaluation.mmlu_model import HarnessModel
from medqa_core.evaluation.mmlu_tasks import tasks
from medqa_core.foundation.errors import DataUnavailable
from medqa_core.foundation.settings import Settings
from medqa_core.models import ctranslate
from medqa_core.models.loader import LoadedModel, load
from medqa_core.models.prompt import IGNORED, Example, kind_for
from medqa_core.models.variants import ModelVariants

MAX_TOKENS = 384


def main() -> None:
    """Measure each stage, print a row as it ends, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the toy on a few questions: under a minute, only a check")
    parser.add_argument("--questions", type=int, default=64, help="questions a stage")
    parser.add_argument("--new-tokens", type=int, default=64, help="longest answer")
    arguments = parser.parse_args()
    count, new_tokens = (12, 16) if arguments.quick else (arguments.questions, arguments.new_tokens)
    settings = Settings.from_environment()
    torch.manual_seed(0)
    base = load("toy" if arguments.quick else "smollm2-135m-instruct", settings=settings, device="cpu")
    pair = ModelVariants("benchmark", base, base.model, base.sha256, kind_for(base.tokenizer))
    pairs, name = _pairs(settings, count, starter=arguments.quick)
    questions = Questions.of(pair, pairs, pair.prompt, MAX_TOKENS)
    print(f"{base.name}, {count} questions of {name}, answers of at most {new_tokens} tokens, "
          f"{torch.get_num_threads()} threads")  # fmt: skip
    print(f"{'stage':<24}{'naive':>10}{'ours':>10}{'ratio':>8}")
    result: dict[str, Any] = {"questions": count, "new_tokens": new_tokens, "threads": torch.get_num_threads()}

    naive, slow = timed(lambda: padded_losses(base.model, questions.examples))
    ours, fast = timed(lambda: answer_losses(base.model, questions.examples))
    assert all(abs(one - other.mean) < 1e-3 for one, other in zip(naive, ours, strict=True)), "the losses differ"
    row("loss, examples/s", result, "loss", count / slow, count / fast)

    alone, slow = timed(lambda: one_by_one(base, questions.prompts, new_tokens))
    folder = ctranslate.ensure(pair, "base", settings.cache)
    rate = sum(map(len, alone)) / slow
    for precision, key in (("float32", "generation"), ("int8", "generation_int8")):
        engine = Converted(folder, base.tokenizer, precision)  # type: ignore[arg-type]
        answers, fast = timed(lambda engine=engine: batched(engine, questions.prompts, new_tokens))  # type: ignore[misc]
        row(f"answers, {precision}, tokens/s", result, key, rate, sum(map(len, answers)) / fast)
        same = sum(one == other for one, other in zip(alone, answers, strict=True)) / count
        result[f"same_tokens_{precision}"] = round(same, 4)
        print(f"{'':<24}the same tokens as `generate` on {same:.0%} of the questions")

    contexts = _contexts(settings, count, pairs)
    naive_letters, slow = timed(lambda: four_forwards(base, contexts))
    letters, fast = timed(lambda: one_forward(base, contexts))
    assert torch.allclose(torch.tensor(naive_letters), torch.tensor(letters), atol=1e-3), "the letters' scores differ"
    row("multiple choice, q/s", result, "multiple_choice", count / slow, count / fast)
    print(json.dumps(result))


def row(label: str, result: dict[str, Any], key: str, naive: float, ours: float) -> None:
    """Print a stage's rates and keep their ratio."""
    result |= {f"{key}_naive": round(naive, 3), f"{key}_ours": round(ours, 3), f"ratio_{key}": round(ours / naive, 2)}
    print(f"{label:<24}{naive:>10.2f}{ours:>10.2f}{ours / naive:>8.2f}", flush=True)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """What `work` returns and its seconds."""
    start = time.perf_counter()
    return work(), time.perf_counter() - start


@torch.inference_mode()
def padded_losses(model: Any, examples: Sequence[Example]) -> list[float]:
    """Batches of 8, padded, with the logits of every place."""
    losses = []
    for start in range(0, len(examples), 8):
        batch = examples[start : start + 8]
        width = max(len(example.input_ids) for example in batch)
        ids = torch.tensor([e.input_ids + [0] * (width - len(e.input_ids)) for e in batch])
        labels = torch.tensor([e.labels + [IGNORED] * (width - len(e.labels)) for e in batch])
        mask = torch.tensor([[1] * len(e.input_ids) + [0] * (width - len(e.input_ids)) for e in batch])
        logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
        nats = functional.cross_entropy(logits.transpose(1, 2), labels[:, 1:], ignore_index=IGNORED, reduction="none")
        losses += (nats.sum(1) / (labels[:, 1:] != IGNORED).sum(1)).tolist()
    return losses


def one_by_one(base: LoadedModel, prompts: Sequence[list[int]], count: int) -> list[list[int]]:
    """`generate`, a question a call."""
    end = base.tokenizer.eos_token_id
    answers = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        out = base.model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False,
            pad_token_id=base.tokenizer.pad_token_id, eos_token_id=end,
        )  # fmt: skip
        answer = out[0, len(prompt) :].tolist()
        answers.append(answer[: answer.index(end)] if end in answer else answer)
    return answers


def batched(engine: Converted, prompts: Sequence[list[int]], count: int) -> list[list[int]]:
    """Our engine, in the prompts' order."""
    found = {index: ids for batch in engine.answers(prompts, count) for index, ids in batch.items()}
    return [found[index] for index in range(len(prompts))]


@torch.inference_mode()
def four_forwards(base: LoadedModel, contexts: Sequence[str]) -> list[float]:
    """The log-likelihood of each letter, a forward each."""
    scores = []
    for context in contexts:
        for letter in "ABCD":
            ids = base.tokenizer(f"{context} {letter}")["input_ids"]
            read = len(base.tokenizer(context)["input_ids"])  # " A" is one token, or two
            logits = base.model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, read - 1 : -1]
            log = torch.log_softmax(logits, -1)
            scores.append(sum(float(log[place, token]) for place, token in enumerate(ids[read:])))
    return scores


def one_forward(base: LoadedModel, contexts: Sequence[str]) -> list[float]:
    """The same through the model that the harness asks."""
    requests = [
        Instance("loglikelihood", {}, (context, f" {letter}"), i, task_name="benchmark")
        for context in contexts
        for i, letter in enumerate("ABCD")
    ]
    model = HarnessModel(base.model, base.tokenizer, base.context or 2048)
    return [score for score, _ in model.loglikelihood(requests)]


def _contexts(settings: Settings, count: int, otherwise: Sequence[QAPair]) -> list[str]:
    """The harness's own 0-shot prompts where MMLU is in reach, else bare questions."""
    try:
        built = tasks(mmlu_data.load(settings, 0), "letter", 0) if settings.mmlu else {}
    except DataUnavailable:
        built = {}
    texts = [task.doc_to_text(doc) for task in built.values() for doc in list(task.test_docs())[: count // 6 + 1]]
    return (texts or [f"{pair.question}\nAnswer:" for pair in otherwise])[:count]


def _pairs(settings: Settings, count: int, *, starter: bool) -> tuple[list[QAPair], str]:
    """Questions spread over the data set, MedQuAD where it is in reach."""
    try:
        data = sources.load("starter" if starter else "medquad", settings)
    except DataUnavailable:
        data = sources.load("starter", settings)
    step = max(1, len(data.pairs) // count)
    return list(data.pairs[::step][:count]), data.title


if __name__ == "__main__":
    main()
