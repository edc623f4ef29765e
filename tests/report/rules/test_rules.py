from collections.abc import Iterable

import numpy as np

from medqa_core.evaluation.rule import VERSION
from medqa_core.foundation.files import write_json
from medqa_core.report.insights import insights, limitations, next_steps
from medqa_core.report.rules.insight import Insight
from medqa_core.runs.schema.presets import from_preset
from tests.support.evaluations import evaluation, metric
from tests.support.runs import RunBuilder


def by_rule(found: Iterable[Insight]) -> dict[str, Insight]:
    return {insight.rule: insight for insight in found}


def test_a_finished_run_says_what_its_files_show(build: RunBuilder) -> None:
    found = by_rule(insights(build.finished()))
    assert list(found)[:3] == ["verdict:loss", "kept_falling", "where_the_gain_is"]
    assert {"verdict:rougeL", "training_fell", "length_moved", "empty_answers:base", "flips"} <= set(found)
    assert "no_training_overlap" in found
    assert "verdict:mmlu" not in found
    for insight in found.values():
        assert insight.evidence
        assert insight.effect
        assert insight.false_if


def test_an_empty_run_says_nothing_and_lists_what_is_missing(build: RunBuilder) -> None:
    run = build.run()
    assert insights(run) == []
    assert {"no_evaluation", "no_mmlu", "no_predictions", "few_validations", "research_demo"} <= set(
        by_rule(limitations(run))
    )
    assert {"evaluate", "run_mmlu"} <= set(by_rule(next_steps(run)))


def test_a_damaged_evaluation_is_said_to_be_damaged(build: RunBuilder) -> None:
    run = build.finished()
    (run.folder / "evaluation.json").write_text("{")
    found = by_rule(limitations(run))
    assert "no_evaluation" not in found and "cannot be read" in found["unreadable_evaluation"].sentence
    assert f"Evaluate it again: `medqa evaluate {run.id}`." in by_rule(next_steps(run))["evaluate"].sentence


def test_the_kind_of_question_needs_ten_questions_and_survives_correction(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run)
    found = by_rule(insights(run))["where_the_gain_is"]
    assert "“symptoms”" in found.sentence
    assert "“rare”" not in found.sentence
    assert "inconclusive" in found.sentence
    weak = {f"kind {i}": {"loss": metric(2.0, 1.9, 0.099, "better", n=20, p=0.04)} for i in range(8)}
    build.evaluation(run, by_question_type=weak)
    assert "where_the_gain_is" not in by_rule(insights(run))


def test_p_values_that_the_file_has_corrected_are_not_corrected_again(build: RunBuilder) -> None:
    run = build.run()
    weak = {f"kind {i}": {"loss": metric(2.0, 1.9, 0.099, "better", n=20, p=0.04)} for i in range(8)}
    build.evaluation(run, by_question_type=weak, by_question_type_correction="holm")
    assert "where_the_gain_is" in by_rule(insights(run))
    for said in (None, "", "by hand"):
        build.evaluation(run, by_question_type=weak, by_question_type_correction=said)
        assert "where_the_gain_is" not in by_rule(insights(run))
    untested = {"kind": {"loss": metric(2.0, 1.5, 0.1, "better", n=20, p=None)}}
    build.evaluation(run, by_question_type=untested, by_question_type_correction="holm")
    assert "where_the_gain_is" not in by_rule(insights(run))


def test_a_missing_p_value_is_taken_from_the_interval(build: RunBuilder) -> None:
    run = build.run()
    weak = {f"kind {i}": {"loss": metric(2.0, 1.9, 0.099, "better", n=20, p=None)} for i in range(8)}
    build.evaluation(run, by_question_type=weak)
    assert "where_the_gain_is" not in by_rule(insights(run))
    strong = {"kind": {"loss": metric(2.0, 1.5, 0.1, "better", n=20, p=None)}}
    build.evaluation(run, by_question_type=strong)
    assert "where_the_gain_is" in by_rule(insights(run))


def test_a_kind_that_became_worse_is_said_too(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, by_question_type={"dosage": {"loss": metric(2.0, 2.5, 0.1, "worse", n=20)}})
    assert "for the worse" in by_rule(insights(run))["where_the_loss_is"].sentence


def test_length_is_named_where_rouge_moved_with_it(build: RunBuilder) -> None:
    run = build.finished()
    assert "part of the change goes with length" in by_rule(insights(run))["length_moved"].sentence
    random = np.random.default_rng(0)
    build.predictions(run, fine_tuned_rougeL=random.uniform(0.1, 0.5, 60))
    assert "goes with length" not in by_rule(insights(run))["length_moved"].sentence
    build.predictions(run, base_answer_tokens=30, fine_tuned_answer_tokens=np.tile([20, 40], 30))
    assert "length_moved" not in by_rule(insights(run))
    build.predictions(run)
    build.evaluation(run, metrics={"rougeL": metric(0.15, 0.16, 0.05, "cannot tell")})
    assert "length_moved" not in by_rule(insights(run))


def test_flips_claim_a_direction_only_where_a_test_does(build: RunBuilder) -> None:
    run = build.finished()
    assert "more often higher than lower" in by_rule(insights(run))["flips"].sentence
    base, tuned = np.full(60, 0.2), np.tile([0.1, 0.1, 0.3, 0.3], 15)
    build.predictions(run, base_rougeL=base, fine_tuned_rougeL=tuned)
    found = by_rule(insights(run))["flips"]
    assert "higher after fine-tuning on 30, lower on 30" in found.sentence
    assert "neither is significantly more frequent" in found.sentence


def test_identical_answers_are_said(build: RunBuilder) -> None:
    run = build.finished()
    build.predictions(run, fine_tuned_answer=[f"base {i}" for i in range(60)])
    assert "60 of 60 questions" in by_rule(insights(run))["identical_answers"].sentence


def test_overlap_with_training_is_said_or_its_absence(build: RunBuilder) -> None:
    run = build.finished()
    build.predictions(run, train_overlap=np.array([0.5] * 6 + [0.0] * 54))
    found = by_rule(insights(run))
    assert "6 of 60 test references" in found["training_overlap"].sentence
    assert "no_training_overlap" not in found
    assert "remove_overlap" in by_rule(next_steps(run))
    build.predictions(run, train_overlap=None)
    assert not {"training_overlap", "no_training_overlap"} & set(by_rule(insights(run)))


def test_limits_follow_the_run(build: RunBuilder) -> None:
    found = by_rule(limitations(build.finished()))
    assert "20.0%" in found["truncated"].sentence
    assert "3,500" in found["training_size"].sentence
    assert "seed 42" in found["one_seed"].sentence
    assert "on 1,089 questions could have detected is about 2.0 percentage points" in found["cannot_tell:mmlu"].sentence
    assert "mmlu_at_chance" in found
    assert "starter_text" not in found
    assert list(found)[-1] == "research_demo"


def test_what_the_test_set_shares_with_training_is_a_limit(build: RunBuilder) -> None:
    """The evaluation's measure counts: it knows relations that a run of an older version did not look at."""
    clean = {"document": 0, "focus": 0, "question": 0, "answer": 0, "ngram13_any": 0.0, "ngram13_over_half": 0.0,
             "ngram13_over_80": 0.0}  # fmt: skip
    run = build.finished()
    build.evaluation(run, overlap={**clean, "synonym": 131, "concept": 0, "near_duplicate": 1})
    (found,) = [one for one in limitations(run) if one.rule == "leaks_into_test"]
    assert "131 " in found.sentence
    assert "Figures on those may be too good." in found.sentence
    assert found.evidence == ("evaluation.json, overlap: synonym 131, near_duplicate 1",)
    build.evaluation(run, overlap={**clean, "synonym": 0, "concept": 0, "near_duplicate": 0})
    assert "leaks_into_test" not in by_rule(limitations(run))


def test_mmlu_above_chance_is_no_limit(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, metrics={"mmlu": metric(0.25, 0.4, 0.03, "better", n=1089)})
    assert not {"mmlu_at_chance", "no_mmlu"} & set(by_rule(limitations(run)))


def test_the_starter_set_is_called_what_it_is(build: RunBuilder) -> None:
    run = build.run(data={"source": "starter", "split": {"train": 240, "validation": 30, "test": 30}})
    assert "no clinician has reviewed" in by_rule(limitations(run))["starter_text"].sentence
    assert "real_data" in by_rule(next_steps(run))


def test_mmlu_that_fell_to_chance_is_not_a_test_that_says_nothing(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, metrics={"mmlu": metric(0.62, 0.26, 0.04, "worse", n=1089)})
    found = by_rule(limitations(run))
    assert "took away what the base model knew" in found["mmlu_fell_to_chance"].sentence
    assert "mmlu_at_chance" not in found and "larger_model" not in by_rule(next_steps(run))


def test_metrics_that_say_nearly_the_same_are_one_finding(build: RunBuilder) -> None:
    run = build.run()
    names = ("rougeL", "rouge1", "rouge2", "token_f1")
    scores = {name: metric(0.1, 0.2, 0.05, "better") for name in names} | {"rouge2": metric(0.2, 0.1, 0.05, "worse")}
    losses = {"loss": metric(2.4, 2.0, 0.1, "better"), "perplexity": metric(11.0, 7.4, 0.5, "better")}
    build.evaluation(run, metrics=losses | scores)
    said = [rule for rule in by_rule(insights(run)) if rule.startswith("verdict:")]
    assert said == ["verdict:loss", "verdict:rouge1", "verdict:rouge2"]


def test_verdicts_of_an_older_rule_say_so(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, rule=2)
    assert "version 2 of the rule" in by_rule(limitations(run))["older_rule"].sentence
    build.evaluation(run, rule=VERSION)
    assert "older_rule" not in by_rule(limitations(run))


def test_an_unfinished_run_says_how_far_it_came(build: RunBuilder) -> None:
    run = build.run()
    build.status(run, state="failed", step=40, total_steps=175, error="The machine ran out of memory.")
    found = by_rule(limitations(run))["not_finished"]
    assert "failed at step 40 of 175" in found.sentence
    assert "ran out of memory" in found.sentence


def test_a_run_that_its_patience_ended_is_finished(build: RunBuilder) -> None:
    run = build.run(config=from_preset("medquad-cpu"))
    build.status(run, step=700, total_steps=1750)
    assert "not_finished" not in by_rule(limitations(run)) and "finish" not in by_rule(next_steps(run))
    build.status(run, state="stopped", step=700, total_steps=1750)
    assert "was stopped at step 700 of 1,750" in by_rule(limitations(run))["not_finished"].sentence
    without = build.run("without-patience", config=from_preset("medquad-cpu", {"patience": None}))
    build.status(without, step=700, total_steps=1750)
    assert "had not finished at step 700 of 1,750" in by_rule(limitations(without))["not_finished"].sentence


def test_a_larger_test_set_is_proposed_only_within_reach(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, metrics={"loss": metric(2.0, 1.95, 0.1, "cannot tell", n=100)})
    assert "400 questions in place of 100" in by_rule(next_steps(run))["larger_test:loss"].sentence
    build.evaluation(run, metrics={"loss": metric(2.0, 1.9999, 0.1, "cannot tell", n=100)})
    assert "larger_test:loss" not in by_rule(next_steps(run))
    known = {"margin": 0.05, "required_n": 430}
    build.evaluation(run, metrics={"loss": metric(2.0, 1.95, 0.1, "cannot tell", n=100, **known)})
    found = by_rule(next_steps(run))["larger_test:loss"].sentence
    assert "430 questions in place of 100: that many would show a difference of 0.05 nats per token" in found
    assert "about 430 questions would show" in by_rule(limitations(run))["cannot_tell:loss"].sentence
    build.evaluation(run, metrics={"mmlu": metric(0.25, 0.26, 0.03, "cannot tell", n=1089, **known)})
    assert "larger_test:mmlu" not in by_rule(next_steps(run))  # its subsets hold no more questions


def test_damaged_files_are_limits_and_never_errors(build: RunBuilder) -> None:
    run = build.run()
    for name in ("evaluation.json", "status.json", "predictions.parquet", "mmlu_results/results.json"):
        (run.folder / name).parent.mkdir(exist_ok=True)
        (run.folder / name).write_text("{torn")
    (run.folder / "metrics.jsonl").write_text('{"split": "train", "step": 1, "loss": 2.0}\n{"split": "tr')
    damaged = [i.sentence for i in limitations(run) if i.rule == "damaged"]
    assert len(damaged) == 5
    assert insights(run) == []


def test_an_imported_runs_checks_and_gaps(build: RunBuilder) -> None:
    run = build.imported()
    found = by_rule(insights(run))
    assert list(found) == ["check:examples a second", "checks_passed"]
    limits = by_rule(limitations(run))
    assert "base figures and loss curve" in limits["left_out"].sentence
    assert {"no_base_figures", "unchecked:MMLU", "truncation_unknown"} <= set(limits)
    assert {"ask_source", "ask_about_check", "measure_base"} <= set(by_rule(next_steps(run)))


def test_one_question_says_little(build: RunBuilder) -> None:
    run = build.run()
    build.predictions(run, rows=1, group_id=None)
    write_json(run.folder / "evaluation.json", evaluation(metrics={"loss": {"base": 2.0, "fine_tuned": 1.0, "n": 1}}))
    assert "flips" not in by_rule(insights(run))
    assert "cannot_tell:loss" in by_rule(limitations(run))
