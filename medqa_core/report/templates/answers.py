"""Some answers of both models as a Markdown page: drawn at random, so that they are good and bad alike."""

import random
from typing import Any

import pandas as pd

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import count, listing, number, percent, plural, words
from medqa_core.report.answer_rows import measured
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS, MODELS
from medqa_core.report.templates.markdown import escape
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import VARIANTS

SEED = 0
SHOWN = ("content_f1", "rougeL")


def render(run: Run | Facts, number_of: int) -> str:
    """So many of the run's answers, the same ones at each call.

    Raises:
        InputError: the run has no answers.
    """
    facts = Facts.of(run)
    rows = facts.predictions
    known = None if rows is None else rows.dropna(subset=[f"{variant}_answer" for variant in VARIANTS])
    if known is None or known.empty:
        raise InputError(f"{facts.run.id} has no answers to show: only runs evaluated here have them.")
    known = known.sort_values("question_id")
    drawn = sorted(random.Random(SEED).sample(range(len(known)), min(number_of, len(known))))
    scores = [name for name in SHOWN if name in measured(known)]
    means = f" Means over all of them: {listing([_mean(known, name) for name in scores])}." if scores else ""
    parts = [
        f"# {escape(facts.record.title)}: {plural(len(drawn), 'answer')} drawn at random",
        f"Of {count(len(known))} test questions, with seed {SEED}: good and bad alike. No one has checked what they "
        f"say; they are no medical advice. Questions are named by their ids in the data set.{means}",
    ]
    records = known.iloc[drawn].to_dict("records")
    parts += [_one(place, record, scores) for place, record in enumerate(records, 1)]
    return "\n\n".join(parts) + "\n"


def _mean(rows: pd.DataFrame, name: str) -> str:
    """Both models' means, over the questions that have the score for both."""
    both = rows[[f"{variant}_{name}" for variant in VARIANTS]].dropna()
    base, tuned = (number(float(both[f"{variant}_{name}"].mean()), 3) for variant in VARIANTS)
    some = f" ({count(len(both))} have it)" if len(both) < len(rows) else ""
    return f"{METRICS[name].label} {base} → {tuned}{some}"


def _one(place: int, record: dict[Any, Any], scores: list[str]) -> str:
    kind = words(str(record["question_type"] or "no type"), 60)
    lines = [f"## {place}. {escape(words(str(record['question_id']), 80))} ({escape(kind)})"]
    for variant in VARIANTS:
        had = {name: record[f"{variant}_{name}"] for name in scores}
        said = [f"{METRICS[name].label} {number(float(had[name]), 3)}" for name in scores if pd.notna(had[name])]
        if (share := record.get(f"{variant}_supported")) is not None and share == share:
            said.append(f"{percent(float(share))} of its content words in its passages")
        lines.append(f"**{MODELS[variant].capitalize()}**" + (f" ({', '.join(said)})" if said else ""))
        answer = str(record[f"{variant}_answer"]).strip() or "(empty)"
        lines.append("\n".join(f"> {escape(line)}".rstrip() for line in answer.splitlines()))
    return "\n\n".join(lines)
