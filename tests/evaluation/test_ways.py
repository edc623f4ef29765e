"""Fine-tuning, sources, or both: which way to answer is best, on the questions of both runs."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from medqa_core.evaluation.between_runs import Measured
from medqa_core.evaluation.ways import READER, judge_ways
from medqa_core.foundation.errors import InputError
from medqa_core.report.document.ways_table import ways_table
from medqa_core.report.wording import ways as wording
from tests.support.scenarios import predictions

HARD = np.random.default_rng(1).normal(0, 0.05, 60)


def rows(base: float, tuned: float, seed: int, **columns: Any) -> pd.DataFrame:
    """60 questions on 30 topics; `base` and `tuned`: how good both models' answers are."""
    noise = np.random.default_rng(seed)
    values: dict[str, Any] = {
        "question_id": [f"q{n}" for n in range(60)],
        "group_id": [f"g{n // 2}" for n in range(60)],
        "reference_all_bytes": 200,
        "base_answer_tokens": 64,
        "fine_tuned_answer_tokens": [64 if n % 4 == 0 else 20 for n in range(60)],
        "fine_tuned_words": 15,
    }
    for name in ("content_f1", "rougeL"):
        for variant, level in (("base", base), ("fine_tuned", tuned)):
            values[f"{variant}_{name}"] = np.clip(level + HARD + noise.normal(0, 0.01, 60), 0, 1)
    return predictions({**values, **columns})


def run(name: str, table: pd.DataFrame, source: str = "demo") -> Measured:
    return Measured(name, source, table)


def test_reading_and_fine_tuning_together_are_better_than_either() -> None:
    reading = rows(0.3, 0.5, 3, top_passage_content_f1=0.45 + HARD, fine_tuned_supported=0.9)
    found = judge_ways(run("closed", rows(0.1, 0.12, 2)), run("open", reading), (64, 64))
    assert [way.name for way in found.ways] == ["base", "fine_tuned", "base_reading", READER, "top_passage"]
    assert (found.questions, found.groups) == (60, 30)
    said = wording.sentence(found)
    assert said.startswith("Both. On 60 test questions of both runs, the model that was fine-tuned to read is better")
    assert "better than fine-tuned (+0.379" in said and "base with sources (+0.20" in said
    assert "It is better than the top passage alone, which needs no model" in said
    reader, closed = found[READER], found["fine_tuned"]
    assert reader is not None and closed is not None
    assert reader.values["supported"] == pytest.approx(0.9) and "supported" not in closed.values
    assert reader.values["ended"] == 0.75 and not reader.against
    table = ways_table(found)
    assert table.texts[3][0] == "Fine-tuned to read, with sources"
    assert "75.0%" in table.texts[3] and "90.0%" in table.texts[3]
    assert "30 independent topics" in wording.caption(found)


@pytest.mark.parametrize(
    ("closed", "reading", "word"),
    [
        (0.1, 0.5, "Sources."),
        (0.5, 0.1, "Fine-tuning."),
        (0.5, 0.5, "One is enough."),
    ],
)
def test_one_of_them_may_be_enough(closed: float, reading: float, word: str) -> None:
    """The model that reads is as good as one way and better than the other, or no better than either."""
    best = max(closed, reading)
    found = judge_ways(run("closed", rows(0.1, closed, 2)), run("open", rows(reading, best, 4)))
    assert wording.sentence(found).startswith(word)


@pytest.mark.parametrize(("passage", "said"), [(0.7, "It is worse than"), (0.5, "It is no better than")])
def test_where_the_first_passage_is_as_good_no_model_is_needed(passage: float, said: str) -> None:
    reading = rows(0.3, 0.5, 3)
    noise = np.random.default_rng(5).normal(0, 0.005, 60)
    reading["top_passage_content_f1"] = reading["fine_tuned_content_f1"] + passage - 0.5 + noise
    found = judge_ways(run("closed", rows(0.1, 0.12, 2)), run("open", reading))
    assert wording.sentence(found).startswith("The search alone. On 60 test questions of both runs, the model that")
    assert f"{said} the top passage alone, which needs no model" in wording.sentence(found)


def test_where_reading_does_not_help_the_first_passage_says_nothing() -> None:
    reading = rows(0.1, 0.5, 4, top_passage_content_f1=0.7 + HARD)
    found = judge_ways(run("closed", rows(0.1, 0.5, 2)), run("open", reading))
    assert wording.sentence(found).startswith("Fine-tuning.")


def test_without_content_nothing_is_concluded() -> None:
    without = rows(0.3, 0.5, 3, base_content_f1=np.nan)
    found = judge_ways(run("closed", rows(0.1, 0.1, 2)), run("open", without))
    assert wording.sentence(found).endswith("nothing is concluded.")


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (run("open", rows(0.3, 0.5, 3), "other"), "closed and open share"),
        (run("open", rows(0.3, 0.5, 3).head(6)), "closed and open share 3 independent topics of their test questions"),
        (run("open", rows(0.3, 0.5, 3, reference_all_bytes=100)), "their references are not the same"),
        (run("open", rows(0.3, 0.5, 3, question_id=[f"x{n}" for n in range(60)])), "share 0 independent topics"),
    ],
)
def test_runs_that_do_not_belong_together(reading: Measured, message: str) -> None:
    with pytest.raises(InputError, match=message):
        judge_ways(run("closed", rows(0.1, 0.12, 2)), reading)


def test_a_question_that_stands_twice_in_a_file_counts_once() -> None:
    closed, reading = rows(0.1, 0.12, 2), rows(0.3, 0.5, 3)
    twice = pd.concat([closed, closed.head(1)], ignore_index=True)
    assert judge_ways(run("closed", twice), run("open", reading)) == judge_ways(
        run("closed", closed), run("open", reading)
    )
