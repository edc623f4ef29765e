"""MMLU against what the same choices would get right by guessing."""

import numpy as np
import pandas as pd
import pytest

from medqa_core.report.facts import Facts
from medqa_core.report.insights import limitations
from medqa_core.report.views.chance import accuracy
from medqa_core.report.views.verdict import verdict_view
from medqa_core.runs.artifacts.mmlu import ANSWER_SCHEMA, write_answers
from medqa_core.runs.run import Run
from tests.support.evaluations import metric
from tests.support.full_run import with_likelihoods
from tests.support.runs import RunBuilder

N, RIGHT_D = 1089, 338
TARGET = [3] * RIGHT_D + [place % 3 for place in range(N - RIGHT_D)]
ALWAYS_D = [3] * N
EVENLY = [place % 4 for place in range(N)]


def answered(build: RunBuilder, base: list[int], tuned: list[int]) -> Run:
    """A run whose models made these choices; D is right on 338 of 1,089 questions."""
    run = build.finished()
    shares = [float(np.mean(np.array(choices) == TARGET)) for choices in (base, tuned)]
    build.evaluation(run, metrics={"mmlu": metric(shares[0], shares[1], 0.02, "cannot tell", n=N)})
    rows = pd.DataFrame(
        {
            **dict.fromkeys(ANSWER_SCHEMA.names, -1.0),
            "subset": "anatomy",
            "question": range(N),
            "target": TARGET,
            "base_choice": base,
            "fine_tuned_choice": tuned,
        }
    )
    write_answers(run.folder, with_likelihoods(rows))
    return run


def test_one_letter_every_time_is_at_chance_however_often_it_is_right(build: RunBuilder) -> None:
    run = answered(build, EVENLY, ALWAYS_D)
    found = accuracy(Facts.of(run), "fine_tuned")
    assert found is not None and not found.above
    assert found.share == pytest.approx(RIGHT_D / N) and found.chance == pytest.approx(RIGHT_D / N)
    (said,) = [one for one in limitations(run) if one.rule == "mmlu_at_chance"]
    assert "31.0% of 1,089 questions, is not significantly above chance (31% with the same choices)" in said.sentence
    assert "mmlu_at_chance" in [caveat.kind for caveat in verdict_view(run).caveats]


def test_a_base_model_that_always_said_one_letter_knew_nothing_to_be_taken_away(build: RunBuilder) -> None:
    rules = {one.rule for one in limitations(answered(build, ALWAYS_D, EVENLY))}
    assert "mmlu_at_chance" in rules and "mmlu_fell_to_chance" not in rules


def test_without_choices_chance_is_a_quarter(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, metrics={"mmlu": metric(0.25, RIGHT_D / N, 0.02, "cannot tell", n=N)})
    found = accuracy(Facts.of(run), "fine_tuned")
    assert found is not None and (found.chance, found.above) == (0.25, True)
