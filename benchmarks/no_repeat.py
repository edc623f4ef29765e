"""What forbidding repeated runs of tokens (no_repeat_ngram) does to the answers of both models of a run.

Validation questions of the run, drawn by a fixed seed, greedy; the test questions are never seen. Repetition falls by
design; what it costs in content F1 and ROUGE-L decides whether Ask does it by default (docs/decisions/0040).

    python benchmarks/no_repeat.py [--run smollm2-medquad] [--questions 30] [--sizes 0,3,4] [--with-sources] [--quick]
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import medqa_core  # noqa: F401 - sets how threads wait, before torch is imported

# isort: split
from trials import Asked, asked, mean

from medqa_core.answering.decoder import Decoder, Prompt
from medqa_core.answering.engine import decoder_for
from medqa_core.answering.question import GenerationSettings
from medqa_core.answering.retrieval.library import library_of
from medqa_core.answering.sources import PASSAGES, fitting
from medqa_core.answering.streams import stream
from medqa_core.data.preparation import data_for
from medqa_core.data.words import words
from medqa_core.evaluation.text_metrics import answer_scores, repetition
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import without_citations
from medqa_core.models.variants import VARIANTS, ModelVariants, load_variants
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore

BATCH = 15
FIGURES = ("content_f1", "rougeL", "repetition", "ended", "words")


def prompts_of(
    run: Run, variants: ModelVariants, of: Asked, settings: Settings, tokens: int, *, read: bool
) -> list[list[int]]:
    """The prompt of each question, behind the passages that are found for it where they are read."""
    config = run.record.config
    assert config is not None
    library = library_of(data_for(config, settings), settings) if read else None
    found = [library.search(one.question, PASSAGES) if library else [] for one in of.questions]
    return [fitting(variants, one.question, few, tokens)[0] for one, few in zip(of.questions, found, strict=True)]


def answered(
    decoder: Decoder, prompts: list[Prompt], settings: GenerationSettings, end: int
) -> tuple[list[list[int]], list[bool]]:
    """The tokens of each answer, and whether it ended by itself."""
    ids: list[list[int]] = [[] for _ in prompts]
    ended = [False] * len(prompts)
    for start in range(0, len(prompts), BATCH):
        few = prompts[start : start + BATCH]
        for step in stream(decoder, few, [settings.max_new_tokens] * len(few), settings, end):
            if step is not None and step.token is not None:
                ids[start + step.column].append(step.token)
            elif step is not None:
                ended[start + step.column] = True
    return ids, ended


def judged(texts: list[str], ended: list[bool], of: Asked) -> dict[str, Any]:
    """The means of one column of answers."""
    plain = [without_citations(text).strip() for text in texts]
    content = of.content.columns(plain, of.questions, of.references)["content_f1"]
    figures = {
        "content_f1": mean([None if one != one else one for one in content]),
        "rougeL": statistics.fmean(one["rougeL"] for one in answer_scores(plain, of.references)),
        "repetition": statistics.fmean(map(repetition, plain)),
        "ended": statistics.fmean(ended),
        "words": statistics.fmean(len(words(text)) for text in plain),
    }
    return {key: None if value is None else round(value, 4) for key, value in figures.items()}


def main() -> None:
    """Print a row for each model and size, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", default="smollm2-medquad")
    parser.add_argument("--questions", type=int, default=30)
    parser.add_argument("--sizes", default="0,3,4")
    parser.add_argument("--tokens", type=int, default=128, help="an answer may have")
    parser.add_argument("--with-sources", action="store_true", help="both models read passages first")
    parser.add_argument("--quick", action="store_true", help="a few questions: only a check")
    arguments = parser.parse_args()
    questions = 4 if arguments.quick else arguments.questions
    settings = Settings.from_environment()
    run = RunStore(settings.reports).open(arguments.run)
    assert run.record.config is not None
    of = asked(run.record.config, settings, questions)
    variants = load_variants(run, settings)
    decoder = decoder_for(variants, settings)
    ids = prompts_of(run, variants, of, settings, arguments.tokens, read=arguments.with_sources)
    print(f"{'':<12}{'no repeat':>10}{''.join(f'{key:>12}' for key in FIGURES)}")
    rows = []
    for variant in VARIANTS:
        for size in map(int, arguments.sizes.split(",")):
            chosen = GenerationSettings(max_new_tokens=arguments.tokens, no_repeat_ngram=size)
            said, ended = answered(
                decoder, [Prompt(variant, one) for one in ids], chosen, variants.tokenizer.eos_token_id
            )
            texts = [variants.tokenizer.decode(one, skip_special_tokens=True) for one in said]
            row = {"variant": variant, "no_repeat_ngram": size, **judged(texts, ended, of)}
            cells = "".join(f"{'–' if row[key] is None else format(row[key], '.3f'):>12}" for key in FIGURES)
            print(f"{variant:<12}{size:>10}{cells}", flush=True)
            rows.append(row)
    print(json.dumps({"run": run.id, "questions": questions, "with_sources": arguments.with_sources, "rows": rows}))


if __name__ == "__main__":
    main()
