"""Recipes tried against each other, judged by the answers that they give to validation questions.

Every trial is a run of its own (`medqa train …`, its command stands in its row) on the same leak-free split, and
answers the same validation questions, drawn by a fixed seed; the test questions are never seen. Beside them stand the
base without and with passages, and the best passage alone, which needs no model. One seed each: differences of a
hundredth say nothing.

    python benchmarks/trials.py --out FOLDER [--only NAME,NAME] [--train-size 3500] [--questions 100] [--minutes 9]

Rows go to FOLDER/trials.jsonl as they come, their answers to FOLDER/answers.jsonl, run folders to FOLDER/runs. Called
again, it goes on where it was interrupted, within a trial too. `--quick` tries the toy: under two minutes, a check.
"""

import argparse
import csv
import gc
import json
import math
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import medqa_core  # noqa: F401 - sets how threads wait, before torch is imported

# isort: split
import torch

from medqa_core.answering.engine import decoder_for
from medqa_core.answering.generate import answers, texts
from medqa_core.answering.retrieval.library import library_of
from medqa_core.answering.sources import fitting
from medqa_core.data.pairs import QAPair, references_of
from medqa_core.data.preparation import data_for
from medqa_core.data.split import split_pairs
from medqa_core.data.support import supported
from medqa_core.data.words import words
from medqa_core.evaluation.content import Content
from medqa_core.evaluation.text_metrics import answer_scores, repetition
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import cited, without_citations
from medqa_core.models.variants import ModelVariants, Variant, load_variants
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig, parse_assignments
from medqa_core.runs.schema.presets import command_line, from_preset
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.train import resume, train

CLOSED, OPEN = "medquad-closed", "medquad-open-book"
TRIALS: dict[str, tuple[str, dict[str, Any]]] = {
    "closed": (CLOSED, {"epochs": 1.0}),
    "open": (OPEN, {"epochs": 1.0}),
    "closed-unprepared": (CLOSED, {"epochs": 1.0, "preparation": "none"}),
    "closed-no-template": (CLOSED, {"epochs": 1.0, "max_template_share": 0.5}),
    "closed-3-epochs": (CLOSED, {"epochs": 3.0}),
    "open-3e-3": (OPEN, {"epochs": 1.0, "learning_rate": 3e-3}),
    "open-always-right": (OPEN, {"epochs": 1.0, "right_passage_share": 1.0}),
    "closed-3e-3": (CLOSED, {"epochs": 1.0, "learning_rate": 3e-3}),
    "closed-5e-4": (CLOSED, {"epochs": 1.0, "learning_rate": 5e-4}),
    "open-3-epochs": (OPEN, {"epochs": 3.0}),
    "closed-rank-16": (CLOSED, {"epochs": 3.0, "lora_rank": 16, "lora_alpha": 32}),
    "closed-rank-32": (CLOSED, {"epochs": 3.0, "lora_rank": 32, "lora_alpha": 64}),
    "open-no-template": (OPEN, {"epochs": 1.0, "max_template_share": 0.5}),
    "open-unprepared": (OPEN, {"epochs": 1.0, "preparation": "none"}),
    "open-answers-anyway": (OPEN, {"epochs": 1.0, "without_right_passage": "answer"}),
    "closed-8-epochs": (CLOSED, {"epochs": 8.0}),
}
"""By name, in the order in which they are tried: the preset and what differs from it."""
FIGURES = ("content_f1", "rougeL", "token_f1", "repetition", "ended", "words", "cited", "abstained", "supported")
SMALL = {"base_model": "toy", "dataset": "starter", "train_size": 40, "validation_size": 8, "test_size": 8,
         "max_tokens": 512, "max_new_tokens": 48, "eval_steps": 4, "batch_size": 8, "lora_layers": None}  # fmt: skip


@dataclass(frozen=True)
class Asked:
    """The validation questions, the same for every trial."""

    questions: Sequence[QAPair]
    references: Sequence[tuple[str, ...]]
    content: Content


def asked(config: TrainConfig, settings: Settings, most: int) -> Asked:
    """So many validation questions, with the references as the data set has them whatever a trial prepares."""
    data = data_for(config.model_copy(update={"preparation": "none"}), settings)
    validation = split_pairs(data.pairs, config).validation
    drawn = random.Random(0).sample(range(len(validation)), min(most, len(validation)))
    questions = [validation[place] for place in sorted(drawn)]
    return Asked(questions, references_of(questions, data.pairs), Content.of(data.pairs))


def mean(values: Sequence[float | None]) -> float | None:
    """Of those that there are; None where there is none."""
    known = [one for one in values if one is not None]
    return statistics.fmean(known) if known else None


def judged(
    name: str, given: Sequence[str], of: Asked, ended: Sequence[bool], read: Sequence[Sequence[str]], out: Path
) -> dict[str, Any]:
    """The means of one column of answers; the answers themselves are kept beside."""
    plain = [without_citations(answer).strip() for answer in given]
    scores = answer_scores(plain, of.references)
    found = of.content.columns(plain, of.questions, of.references)["content_f1"]
    content = [None if math.isnan(one) else one for one in found]
    language = of.content.language
    support = [supported(a, q.question, p, language) for a, q, p in zip(plain, of.questions, read, strict=True)]
    with (out / "answers.jsonl").open("a", encoding="utf-8") as file:
        for question, answer, score in zip(of.questions, given, content, strict=True):
            row = {"trial": name, "id": question.id, "answer": answer, "content_f1": score and round(score, 4)}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    figures = {
        "content_f1": mean(content),
        "rougeL": statistics.fmean(one["rougeL"] for one in scores),
        "token_f1": statistics.fmean(one["token_f1"] for one in scores),
        "repetition": statistics.fmean(map(repetition, plain)),
        "ended": statistics.fmean(ended),
        "words": statistics.fmean(len(words(answer)) for answer in plain),
        "cited": statistics.fmean(bool(cited(answer)) for answer in given),
        "abstained": statistics.fmean(answer.startswith("The passages do not answer") for answer in given),
        "supported": mean(support),
    }
    return {key: None if value is None else round(value, 4) for key, value in figures.items()}


def answered(
    variants: ModelVariants, variant: Variant, config: TrainConfig, of: Asked, settings: Settings
) -> tuple[list[str], list[bool], list[list[str]]]:
    """One model's answers, whether each ended by itself, and the passages that were read."""
    found: list[list[Any]] = [[] for _ in of.questions]
    if config.task == "open_book":
        library = library_of(data_for(config, settings), settings)
        found = [library.search(question.question, config.passages) for question in of.questions]
    fitted = [
        fitting(variants, question.question, few, config.max_new_tokens)
        for question, few in zip(of.questions, found, strict=True)
    ]
    end, most = variants.tokenizer.eos_token_id, config.max_new_tokens
    ids: dict[int, list[int]] = {}
    with torch.no_grad():
        for batch in answers(decoder_for(variants, settings), variant, [one for one, _ in fitted], most, end):
            ids |= batch
    ordered = [ids[place] for place in range(len(of.questions))]
    read = [[passage.text for passage in few] for _, few in fitted]
    return texts(variants.tokenizer, ordered), [len(one) < most for one in ordered], read


def trained(name: str, config: TrainConfig, settings: Settings) -> Run:
    """The trial's run, trained to its end; one that was interrupted is resumed."""
    store = RunStore(settings.reports)
    if not (settings.reports / name / "run.json").exists():
        return train(config, settings, run_id=name)
    run = store.open(name)
    return run if run.state() == "completed" else resume(run, settings)


def controls(config: TrainConfig, of: Asked, settings: Settings, out: Path) -> dict[str, Any]:
    """The best passage alone."""
    library = library_of(data_for(config, settings), settings)
    best = [[one.text for one in library.search(question.question, 1)] for question in of.questions]
    given = [" ".join(few) for few in best]
    return judged("top passage", given, of, [True] * len(given), best, out)


def tried(
    name: str, config: TrainConfig, of: Asked, settings: Settings, out: Path, *, base: str | None
) -> list[dict[str, Any]]:
    """A trial's row; before it that of the base with the same prompts, where its name is given."""
    start = time.monotonic()
    run = trained(name, config, settings)
    minutes = (time.monotonic() - start) / 60
    variants = load_variants(run, settings)
    rows = []
    if base is not None:
        rows.append({"trial": base, **judged(base, *_columns(variants, "base", config, of, settings), out)})
    figures = judged(name, *_columns(variants, "fine_tuned", config, of, settings), out)
    status, record = run.status(), run.record
    rows.append(
        {
            "trial": name,
            **figures,
            "minutes": round(minutes, 2),
            "tokens_per_second": round(status.tokens / status.train_seconds)
            if status and status.tokens and status.train_seconds
            else None,
            "validation_loss": status.best.validation_loss if status and status.best else None,
            "preparation": record.data.preparation.model_dump() if record.data and record.data.preparation else None,
            "device": record.environment.device,
            "command": command_line(config),
        }
    )
    return rows


def _columns(
    variants: ModelVariants, variant: Variant, config: TrainConfig, of: Asked, settings: Settings
) -> tuple[list[str], Asked, list[bool], list[list[str]]]:
    given, ended, read = answered(variants, variant, config, of, settings)
    return given, of, ended, read


def kept(out: Path) -> list[dict[str, Any]]:
    """The rows that an earlier call left; a torn last line is left aside."""
    path = out / "trials.jsonl"
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        try:
            rows.append(json.loads(line))
        except ValueError:
            continue
    return rows


def show(row: dict[str, Any]) -> None:
    """A row for people."""
    cells = "".join(f"{'–' if row.get(key) is None else format(row[key], '.3f'):>11}" for key in FIGURES)
    print(f"{row['trial']:<22}{cells}{row.get('minutes', 0):>9.1f}", flush=True)


def parsed() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the toy on a few examples: only a check")
    parser.add_argument("--out", type=Path, required=True, help="where rows, answers and runs go")
    parser.add_argument("--only", default="", help="names of trials, with commas; default: all")
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="for every trial")
    parser.add_argument("--train-size", type=int, default=3500)
    parser.add_argument("--questions", type=int, default=100, help="validation questions")
    parser.add_argument("--minutes", type=float, default=600.0, help="no trial begins later than this")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the rows there, for a run's write-up")
    arguments = parser.parse_args()
    arguments.names = [one for one in arguments.only.split(",") if one] or list(TRIALS)
    if unknown := [one for one in arguments.names if one not in TRIALS]:
        parser.error(f"no trial called {unknown[0]}; there are {', '.join(TRIALS)}")
    arguments.every = {"train_size": arguments.train_size, **parse_assignments(arguments.set)}
    if arguments.quick:
        arguments.every, arguments.names = {**arguments.every, **SMALL}, arguments.names[:3]
    return arguments


def rows_of_all(arguments: argparse.Namespace, settings: Settings, out: Path) -> list[dict[str, Any]]:
    """Try what is not tried yet, within the minutes; every row, those of an earlier call first."""
    start = time.monotonic()
    rows = kept(out)
    for row in rows:
        show(row)
    of: Asked | None = None
    for name in arguments.names:
        done = {row["trial"] for row in rows}
        if name in done:
            continue
        if (time.monotonic() - start) / 60 > arguments.minutes:
            print(f"{arguments.minutes:g} minutes are over; the next call goes on with {name}")
            break
        preset, changes = TRIALS[name]
        config = from_preset(preset, {**changes, **arguments.every, "title": f"Trial {name}"})
        of = of or asked(config, settings, arguments.questions)
        base = "base" if config.task == "closed_book" else "base with passages"
        new = tried(name, config, of, settings, out, base=None if base in done else base)
        if config.task == "open_book" and "top passage" not in done:
            new.insert(0, {"trial": "top passage", **controls(config, of, settings, out)})
        with (out / "trials.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in new)
        for row in new:
            show(row)
        rows += new
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return rows


def main() -> None:
    """Print a row as each trial ends, and one JSON object as the last line."""
    arguments = parsed()
    out: Path = arguments.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    settings = replace(Settings.from_environment(), reports=out / "runs")
    print(f"{'trial':<22}{''.join(f'{key:>11}' for key in FIGURES)}{'minutes':>9}")
    rows = rows_of_all(arguments, settings, out)
    if arguments.csv:
        with open(arguments.csv, "w", encoding="utf-8", newline="") as table:
            columns = ("trial", *FIGURES, "minutes")
            csv.writer(table).writerows([columns, *([row.get(key, "") for key in columns] for row in rows)])
    print(json.dumps({"questions": arguments.questions, "trials": rows}))


if __name__ == "__main__":
    main()
