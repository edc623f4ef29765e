"""Some answers of both models as a Markdown page: drawn at random, so that they are good and bad alike."""

import random
from typing import Any

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
    if rows is None:
        raise InputError(f"{facts.run.id} has no answers to show: only runs evaluated here have them.")
    known = rows.dropna(subset=[f"{variant}_answer" for variant in VARIANTS]).sort_values("question_id")
    drawn = sorted(random.Random(SEED).sample(range(len(known)), min(number_of, len(known))))
    scores = [name for name in SHOWN if name in measured(rows)]
    parts = [
        f"# {escape(facts.record.title)}: {plural(len(drawn), 'answer')} drawn at random",
        f"Of {count(len(known))} test questions, with seed {SEED}: good and bad alike. No one has checked what they "
        "say; they are no medical advice. Questions are named by their ids in the data set. Means over all of them: "
        f"{listing([_mean(rows, name) for name in scores])}.",
    ]
    records = known.iloc[drawn].to_dict("records")
    parts += [_one(place, record, scores) for place, record in enumerate(records, 1)]
    return "\n\n".join(parts) + "\n"


def _mean(rows: Any, name: str) -> str:
    base, tuned = (number(float(rows[f"{variant}_{name}"].mean()), 3) for variant in VARIANTS)
    return f"{METRICS[name].label} {base} → {tuned}"


def _one(place: int, record: dict[Any, Any], scores: list[str]) -> str:
    kind = words(str(record["question_type"] or "no type"), 60)
    lines = [f"## {place}. {escape(words(str(record['question_id']), 80))} ({escape(kind)})"]
    for variant in VARIANTS:
        said = [f"{METRICS[name].label} {number(float(record[f'{variant}_{name}']), 3)}" for name in scores]
        if (share := record.get(f"{variant}_supported")) is not None and share == share:
            said.append(f"{percent(float(share))} of its content words in its passages")
        lines.append(f"**{MODELS[variant].capitalize()}** ({', '.join(said)})")
        answer = str(record[f"{variant}_answer"]).strip() or "(empty)"
        lines.append("\n".join(f"> {escape(line)}".rstrip() for line in answer.splitlines()))
    return "\n\n".join(lines)
