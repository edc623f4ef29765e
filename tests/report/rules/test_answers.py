from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest

from medqa_core.report.document.answer_tables import letters
from medqa_core.report.facts import Facts
from medqa_core.report.insights import insights, next_steps
from medqa_core.report.rules.insight import Insight
from medqa_core.report.templates import html, text
from medqa_core.report.views.choices import choices
from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.artifacts.mmlu import write_answers
from tests.support.evaluations import evaluation, metric
from tests.support.full_run import columns, full, mmlu_answers, rich_evaluation
from tests.support.runs import RunBuilder


def by_rule(found: Iterable[Insight]) -> dict[str, Insight]:
    return {insight.rule: insight for insight in found}


def test_copies_are_counted_beside_the_base_models(build: RunBuilder) -> None:
    found = by_rule(insights(full(build)))["copied_more"]
    assert (
        "Of 120 fine-tuned answers, 35 (29.2%) are copies of a training answer, 29 (24.2%) near-copies"
        in found.sentence
    )
    assert "of the base model's, which never saw these, 0 (0.0%)" in found.sentence
    assert "sign test over" in found.effect


def test_copies_of_one_side_alone_are_said_without_a_comparison(build: RunBuilder) -> None:
    run = build.finished()
    build.predictions(run, fine_tuned_copied_share=0.0)
    found = by_rule(insights(run))["copied"]
    assert "and 60 (100.0%) novel." in found.sentence
    assert "base" not in found.sentence


@pytest.mark.parametrize(
    ("part", "rule", "said"),
    [
        (metric(2.4, 2.0, 0.1, "better", n=44), "clean_holds", "The gain on loss holds on the 44 questions"),
        (metric(2.4, 2.3, 0.2, "cannot tell", n=44), "clean_unclear", "is inconclusive"),
        (metric(2.4, 2.9, 0.1, "worse", n=44), "clean_fails", "does not hold on the 44 questions"),
        (metric(2.4, 2.4, 0.01, "equivalent", n=44), "clean_fails", "equivalent"),
    ],
)
def test_the_clean_part_is_set_against_the_whole(build: RunBuilder, part: dict[str, Any], rule: str, said: str) -> None:
    run = build.run()
    build.evaluation(run, clean={"loss": part})
    found = {name: i for name, i in by_rule(insights(run)).items() if name.startswith("clean")}
    assert list(found) == [rule]
    assert said in found[rule].sentence


def test_a_gain_of_wording_that_the_clean_part_does_not_confirm_is_said(build: RunBuilder) -> None:
    run = build.run()
    assert not any(rule.startswith("clean") and rule.endswith("rougeL") for rule in by_rule(insights(run)))
    lost = metric(0.17, 0.173, 0.03, "cannot tell", n=44)
    build.evaluation(run, clean={"loss": metric(2.4, 2.0, 0.1, "better", n=44), "rougeL": lost})
    found = by_rule(insights(run))
    assert "Whether the gain on ROUGE-L holds on the 44 questions" in found["clean_unclear:rougeL"].sentence
    assert "clean_holds" in found
    said = "on the 44 questions whose reference answer has no 13-word overlap with the training data, the gain on"
    assert said in sentence(run)
    build.evaluation(run, clean={"rougeL": metric(0.15, 0.2, 0.02, "better", n=44)})
    assert said not in sentence(run)
    assert not any(rule.startswith("clean") for rule in by_rule(insights(run)))


def test_the_clean_part_says_nothing_where_it_is_the_whole_or_nothing_was_told(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, clean={"loss": metric(2.43, 2.02, 0.05, "better", n=60)})
    assert not any(rule.startswith("clean") for rule in by_rule(insights(run)))
    unclear = {"loss": metric(2.4, 2.3, 0.2, "cannot tell")}
    build.evaluation(run, metrics=unclear, clean={"loss": metric(2.4, 2.0, 0.1, "better", n=44)})
    assert not any(rule.startswith("clean") for rule in by_rule(insights(run)))


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ({"rougeL": metric(0.15, 0.15, 0.005, "equivalent", margin=0.01)}, "ROUGE-L is about the same"),
        ({"rougeL": metric(0.15, 0.16, 0.05, "cannot tell")}, "ROUGE-L did not change measurably"),
        ({"rougeL": metric(0.2, 0.1, 0.05, "worse")}, "ROUGE-L is worse"),
    ],
)
def test_longer_answers_that_are_no_better_are_said_as_that(
    build: RunBuilder, scores: dict[str, Any], said: str
) -> None:
    run = build.finished()
    build.evaluation(run, metrics=scores)
    found = by_rule(insights(run))
    assert "Answers got longer" in found["length_alone"].sentence
    assert said in found["length_alone"].sentence
    assert "length_moved" not in found
    build.evaluation(run, metrics=scores | {"token_f1": metric(0.2, 0.3, 0.05, "better")})
    assert "length_alone" not in by_rule(insights(run))


def test_repetition_is_told_in_its_direction(build: RunBuilder) -> None:
    run = full(build)
    found = by_rule(insights(run))
    assert "repeat themselves more than the base model's: 16.1%" in found["repeats_more"].sentence
    both = columns()
    other = {"base_repetition": both["fine_tuned_repetition"], "fine_tuned_repetition": both["base_repetition"]}
    build.predictions(run, 120, **other)
    assert "repeats_less" in by_rule(insights(run))


def test_a_favourite_letter_is_named_with_its_baseline(build: RunBuilder) -> None:
    found = by_rule(insights(full(build)))
    assert "letter_bias:base" not in found
    sentence = found["letter_bias:fine_tuned"].sentence
    assert "says C on 418 of 600 questions" in sentence
    assert "it is biased towards C." in sentence
    assert "answering D every time would be right 28.3% of the time" in sentence


def test_a_letter_that_is_right_as_often_as_it_is_picked_is_no_bias(build: RunBuilder) -> None:
    run = full(build)
    answers = mmlu_answers([0.1, 0.1, 0.7, 0.1])
    write_answers(run.folder, answers.assign(target=answers["fine_tuned_choice"]))
    assert "letter_bias:fine_tuned" not in by_rule(insights(run))


def test_a_model_without_letters_on_some_or_all_questions_is_told_by_the_others(build: RunBuilder) -> None:
    run = full(build)
    answers = mmlu_answers([0.1, 0.1, 0.7, 0.1])
    some = answers.assign(fine_tuned_choice=answers["fine_tuned_choice"].where(answers.index < 60))
    write_answers(run.folder, some)
    found = choices(Facts.of(run).mmlu_answers, "fine_tuned")
    assert found is not None and sum(found.right) == found.n == 60
    assert "of 60 questions" in by_rule(insights(run))["letter_bias:fine_tuned"].sentence

    write_answers(run.folder, answers.assign(fine_tuned_choice=np.nan))
    assert "letter_bias:fine_tuned" not in by_rule(insights(run))
    table = letters(Facts.of(run))
    assert table is not None
    assert all(row[1].text is not None and row[2].text is None for row in table.rows[:5])


def test_a_larger_model_is_named_where_the_machine_can_hold_it(build: RunBuilder) -> None:
    run = full(build)
    found = by_rule(next_steps(run))["larger_model"].sentence
    assert "all weights of HuggingFaceTB/SmolLM2-360M-Instruct" in found
    assert "an adapter of HuggingFaceTB/SmolLM2-1.7B-Instruct" in found
    build.status(run, memory={"used": 1, "peak": 1, "total": 2 * 10**9, "available": 1})
    assert "HuggingFaceTB" not in by_rule(next_steps(run))["larger_model"].sentence
    build.status(run)
    assert "HuggingFaceTB" not in by_rule(next_steps(run))["larger_model"].sentence


def test_the_write_up_holds_every_newer_table(build: RunBuilder) -> None:
    flat = " ".join(text.render(full(build)).split())
    for said in (
        "answer has no 13-word overlap with the training data:",
        "NIDDK: base 2.4000",
        "Repeated sequences of four words 4.0% 16.0%",
        "Near-copy 0 (0.0%) 29 (24.2%)",
        "Always D 28.3% 28.3%",
        "token F1: base 0.3010",
    ):
        assert said in flat


def test_what_an_older_run_lacks_leaves_no_trace(build: RunBuilder) -> None:
    page = html.render(build.finished())
    for absent in ("Answers against training", "MMLU letters", "by source", "Clean subset", "near-cop"):
        assert absent not in page
    assert rich_evaluation().keys() - evaluation().keys() == {"by_source", "by_question_type_correction", "clean"}
