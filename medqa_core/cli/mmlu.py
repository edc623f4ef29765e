"""`mmlu`: six medical subsets of MMLU, base against fine-tuned, by lm-evaluation-harness."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Annotated, Any

import pandas as pd
import typer

from medqa_core.cli.output import Bars, FreshFlag, JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.format import count, percent
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.report.names import MODELS, SCORINGS
from medqa_core.report.views.choices import scorings
from medqa_core.runs.artifacts.mmlu import (
    CHANCE,
    LETTERS,
    MMLUResults,
    accuracy,
    always_one_letter,
    letters,
    scored,
)
from medqa_core.runs.schema.evaluation import VARIANTS
from medqa_core.runs.store.run_store import RunStore


def mmlu(
    run: RunArgument,
    scoring: Annotated[
        str,
        typer.Option(
            metavar="auto|letter|calibrated|cloze",
            help="Compare the letters after the listed choices, the same with each letter's mean taken out, or the "
            "choices' own texts per byte. auto: letters, or texts where both models' letters stand at chance.",
        ),
    ] = "auto",
    shots: Annotated[int, typer.Option(metavar="0|5", help="Examples in the prompt.")] = 0,
    fresh: FreshFlag = False,
    json: JsonFlag = False,
) -> None:
    """Measure both models on MMLU's six medical subsets.

    By lm-evaluation-harness, on its own prompt; the difference is judged and the report written. It can be interrupted:
    the next call resumes where this one stopped.
    """
    from medqa_core.evaluation.mmlu import measure_mmlu

    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    with Bars() as progress:
        answers = measure_mmlu(opened, settings, scoring=scoring, shots=shots, fresh=fresh, progress=progress)
    writer.write(opened)
    results = opened.mmlu()
    assert results is not None, "just written"
    summary = _summary(answers, results) | {"run": opened.id, "asked": scoring, "shots": shots}
    if json:
        print_json(summary)
    else:
        for line in _table(summary):
            say(line)
        evaluation = opened.evaluation()
        if evaluation is not None and "mmlu" not in evaluation.metrics:
            say(f"Not judged: {opened.id} was evaluated with other weights.")
            say(f"Next: {PROGRAM} evaluate {opened.id}")


def _summary(answers: pd.DataFrame, results: MMLUResults) -> dict[str, Any]:
    picked = scored(answers, "letter") if results.letters else None
    return {
        "scoring": results.scoring,
        "scorings": {one.scoring: asdict(one) for one in scorings(answers, results)},
        "n": len(answers),
        "accuracy": _accuracies(answers),
        "by_subset": {
            str(subset): {"n": len(rows), "accuracy": _accuracies(rows)} for subset, rows in answers.groupby("subset")
        },
        "letters": None
        if picked is None
        else {variant: dict(zip(LETTERS, letters(picked, variant), strict=True)) for variant in VARIANTS},
        "always_one_letter": always_one_letter(answers),
        "chance": CHANCE,
    }


def _accuracies(answers: pd.DataFrame) -> dict[str, float]:
    return {variant: accuracy(answers, variant) for variant in VARIANTS}


def _table(summary: dict[str, Any]) -> list[str]:
    def line(name: str, n: str, *shares: str) -> str:
        return f"{name:<24}{n:>7}" + "".join(f"{share:>12}" for share in shares)

    def measured(name: str, n: int, shares: dict[str, float]) -> str:
        return line(name, count(n), *(percent(shares[variant]) for variant in VARIANTS))

    same, chance = percent(summary["always_one_letter"]), percent(summary["chance"])
    return [
        f"MMLU, six medical subsets, by {SCORINGS[summary['scoring']]}, {summary['shots']} examples in the prompt",
        line("subset", "n", *(MODELS[variant] for variant in VARIANTS)),
        *(measured(subset, row["n"], row["accuracy"]) for subset, row in summary["by_subset"].items()),
        measured("all", summary["n"], summary["accuracy"]),
        line("always one letter", "", same, same),
        line("chance", "", chance, chance),
        *_beside(summary, line),
    ]


def _beside(summary: dict[str, Any], line: Callable[..., str]) -> Iterator[str]:
    """What was asked beside the scoring that counts, why it is not another one, and which letters were said."""
    for scoring, one in summary["scorings"].items():
        if scoring != summary["scoring"]:
            yield line(f"by {SCORINGS[scoring]}", "", *(percent(one["accuracy"][variant]) for variant in VARIANTS))
    for letter in LETTERS if summary["letters"] else ():
        yield line(f"answered {letter}", "", *(count(summary["letters"][variant][letter]) for variant in VARIANTS))
    if summary["asked"] == "auto" and summary["scoring"] == "cloze":
        yield "By letter both models stand at chance, so the texts of the answers are compared."
