"""Which test questions to show, and in what order. Works on frames only; nothing here draws."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from medqa_core.data.pairs import QAPair
from medqa_core.foundation.format import count

SCORES = {"rougeL": "ROUGE-L", "rouge1": "ROUGE-1", "rouge2": "ROUGE-2", "token_f1": "token F1", "loss": "loss"}
ORDERS = ("largest gain", "largest loss", "as in the test set", "longest answer")
OUTCOMES = ("all", "fine-tuned scores higher", "base scores higher", "equal")
LONGEST_SEARCH = 200


@dataclass(frozen=True)
class Filters:
    """What the visitor wants to see."""

    score: str = "rougeL"
    search: str = ""
    types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    outcome: str = "all"
    order: str = "largest gain"


def gain(rows: pd.DataFrame, score: str) -> pd.Series:
    """How much better the fine-tuned answer scores, question by question; of a loss, how much lower it is."""
    sign = -1.0 if score == "loss" else 1.0
    return sign * (rows[f"fine_tuned_{score}"].astype(float) - rows[f"base_{score}"].astype(float))


def choose(rows: pd.DataFrame, filters: Filters, texts: dict[str, QAPair] | None) -> pd.DataFrame:
    """The rows that pass the filters, in the order asked for, with their gain as a column."""
    kept = rows.assign(gain=gain(rows, filters.score))
    if filters.types:
        kept = kept[kept["question_type"].isin(filters.types)]
    if filters.sources:
        kept = kept[kept["source"].isin(filters.sources)]
    if filters.outcome != "all":
        wanted = {"fine-tuned scores higher": 1, "base scores higher": -1, "equal": 0}[filters.outcome]
        kept = kept[np.sign(kept["gain"]) == wanted]
    if filters.search.strip():
        kept = kept[_contains(kept, filters.search.strip()[:LONGEST_SEARCH], texts)]
    if filters.order == "largest gain":
        kept = kept.sort_values("gain", ascending=False, kind="stable", na_position="last")
    elif filters.order == "largest loss":
        kept = kept.sort_values("gain", kind="stable", na_position="last")
    elif filters.order == "longest answer":
        kept = kept.sort_values("fine_tuned_answer_tokens", ascending=False, kind="stable", na_position="last")
    return kept


def tally(rows: pd.DataFrame, score: str) -> str:
    """On how many questions each model's answer scores higher, as a sentence."""
    difference = gain(rows, score).dropna()
    if difference.empty:
        return f"{count(len(rows))} test questions; {SCORES[score]} was not measured for both models."
    won, lost = int((difference > 0).sum()), int((difference < 0).sum())
    equal = len(difference) - won - lost
    word = "has the lower" if score == "loss" else "has the higher"
    tie = f"; {count(equal)} {'is' if equal == 1 else 'are'} equal" if equal else ""
    return (
        f"The fine-tuned model {word} {SCORES[score]} on {count(won)} of {count(len(difference))} questions, "
        f"the base model on {count(lost)}{tie}."
    )


def values(rows: pd.DataFrame, column: str) -> list[str]:
    """The distinct values of a column, for a filter."""
    return sorted(str(value) for value in rows[column].dropna().unique())


def download(rows: pd.DataFrame, texts: dict[str, QAPair] | None) -> pd.DataFrame:
    """The rows with question and reference beside them where they are in reach."""
    pairs = [texts.get(str(i)) if texts else None for i in rows["question_id"]]
    front = {"question": [p.question if p else "" for p in pairs], "reference": [p.answer if p else "" for p in pairs]}
    return pd.concat([pd.DataFrame(front, index=rows.index), rows], axis=1)


def _contains(rows: pd.DataFrame, search: str, texts: dict[str, QAPair] | None) -> pd.Series:
    needle = search.casefold()

    def found(question_id: object, *answers: object) -> bool:
        pair = texts.get(str(question_id)) if texts else None
        hay = [str(question_id), *(a for a in answers if isinstance(a, str))]
        hay += [pair.question, pair.answer, pair.topic] if pair else []
        return any(needle in text.casefold() for text in hay)

    columns = zip(rows["question_id"], rows["base_answer"], rows["fine_tuned_answer"], strict=True)
    return pd.Series([found(*row) for row in columns], index=rows.index, dtype=bool)
