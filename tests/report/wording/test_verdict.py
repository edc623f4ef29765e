from typing import Any, get_args

import pytest

from medqa_core.report.names import CONTROLS, METRICS
from medqa_core.report.views.metric import supported
from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.schema.evaluation import ControlName, Metric, MetricName
from tests.support.evaluations import evaluation, metric
from tests.support.runs import RunBuilder


def test_the_answer_names_each_family_once_and_the_primary_metric_with_its_interval(build: RunBuilder) -> None:
    run = build.finished()
    assert sentence(run) == (
        "Mixed: after fine-tuning the model predicts the reference answers better (loss) and its own answers share "
        "more words with them (ROUGE-L); whether that is a gain in form or in content was not measured; whether MMLU "
        "accuracy is higher is inconclusive. But no test question has no 13-word overlap with the training data, so "
        "this may be memory; no answers without a model were measured beside it; MMLU is at chance (26.0% of 1,089 "
        "questions). "
        "Loss, the primary metric: 2.4301 → 2.0181 nats per token, a difference of −0.412 [−0.462, −0.362] "
        "(95% interval, 60 questions)."
    )


def test_a_worse_primary_metric_comes_first(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(
        run,
        metrics={
            "rougeL": metric(0.1, 0.2, 0.05, "better"),
            "loss": metric(2.0, 2.5, 0.1, "worse"),
            "mmlu": metric(0.3, 0.3, 0.01, "equivalent"),
        },
    )
    assert sentence(run).startswith(
        "Mixed: after fine-tuning the model predicts the reference answers less well (loss); but its own answers "
        "share more words with them (ROUGE-L); whether that is a gain in form or in content was not measured; MMLU "
        "accuracy is unchanged. But"
    )


def test_another_metric_stands_in_where_the_primary_one_was_not_compared(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(
        run, metrics={"loss": metric(None, 2.0, 0, "cannot tell"), "rougeL": metric(0.1, 0.2, 0.05, "better")}
    )
    assert "because the primary metric, loss, was not compared" in sentence(run)


def test_without_an_evaluation_it_gives_the_command(build: RunBuilder) -> None:
    assert "`medqa evaluate run-1`" in sentence(build.run())


def test_imported_and_one_sided_runs_cannot_say(build: RunBuilder) -> None:
    said = "The source reports no base figures, so this run cannot say whether fine-tuning helped."
    run = build.imported()
    assert sentence(run) == said
    build.evaluation(run, metrics={"loss": metric(None, 2.0, 0, "cannot tell")})
    assert sentence(run) == said
    other = build.run()
    build.evaluation(other, metrics={"loss": metric(None, 2.0, 0, "cannot tell")})
    assert "The evaluation holds no base figures" in sentence(other)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        (metric(2.0, 1.5, 0.1, "better"), "better"),
        (metric(2.0, 1.5, 0.6, "better"), "cannot tell"),
        (metric(1.5, 2.0, 0.1, "better"), "cannot tell"),
        (metric(1.5, 2.0, 0.1, "worse"), "worse"),
        (metric(2.0, 1.5, 0.1, "better") | {"ci": None, "p": 0.2}, "cannot tell"),
        (metric(2.0, 1.5, 0.1, "better") | {"ci": None, "p": 0.01}, "better"),
        (metric(2.0, 2.0, 0.1, "equivalent") | {"ci": None}, "cannot tell"),
        (metric(None, 2.0, 0.1, "better"), "cannot tell"),
    ],
)
def test_a_verdict_counts_only_where_its_own_numbers_bear_it_out(values: dict[str, Any], verdict: str) -> None:
    assert supported("loss", Metric.model_validate(values)) == verdict


def test_an_unsupported_verdict_is_reported_as_a_limitation(build: RunBuilder) -> None:
    from medqa_core.report.insights import limitations

    run = build.run()
    build.evaluation(run, metrics={"loss": metric(2.0, 1.9, 0.6, "better")})
    found = next(i for i in limitations(run) if i.rule == "cannot_tell:loss")
    assert "do not support" in found.sentence
    assert sentence(run).startswith(
        "Inconclusive: whether after fine-tuning the model predicts the reference answers better (loss) is "
        "inconclusive. But"
    )
    assert "could have detected is about 0.6 nats per token." in sentence(run)


@pytest.mark.parametrize(
    ("verdicts", "lead"),
    [
        ({"loss": "better", "rougeL": "equivalent"}, "Mixed: "),
        ({"loss": "better", "rougeL": "worse"}, "Mixed: "),
        ({"loss": "cannot tell", "rougeL": "better"}, "Mixed: "),
        ({"loss": "worse", "rougeL": "cannot tell"}, "No: "),
        ({"loss": "equivalent", "rougeL": "cannot tell"}, "No: "),
        ({"loss": "cannot tell", "rougeL": "equivalent"}, "Inconclusive: "),
        (
            {"loss": "cannot tell", "rougeL": "cannot tell"},
            "Inconclusive: whether after fine-tuning the model predicts",
        ),
        ({"token_f1": "better"}, "Mixed: after fine-tuning the model’s answers share more words with the reference"),
    ],
)
def test_the_first_word_follows_from_the_verdicts(build: RunBuilder, verdicts: dict[str, str], lead: str) -> None:
    signs = {"better": 1, "worse": -1, "equivalent": 0, "cannot tell": 0.05}
    run = build.run()
    metrics = {}
    for name, verdict in verdicts.items():
        step = signs[verdict] * (-0.5 if name == "loss" else 0.5)
        metrics[name] = metric(2.0, 2.0 + step, 0.1, verdict)
    build.evaluation(run, metrics=metrics)
    assert sentence(run).startswith(lead)


@pytest.mark.parametrize("name", get_args(MetricName))
def test_any_metric_may_be_the_primary_one(build: RunBuilder, name: str) -> None:
    run = build.run()
    higher, lower = metric(0.1, 0.2, 0.05, "better"), metric(0.2, 0.1, 0.05, "better")
    build.evaluation(run, primary_metric=name, metrics={name: lower if METRICS[name].lower_is_better else higher})
    said = sentence(run).lower()
    assert said.startswith("mixed: after fine-tuning") and f"{METRICS[name].label}, the primary metric".lower() in said


def test_content_as_the_primary_metric_is_said_plainly(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, primary_metric="content_f1", metrics={"content_f1": metric(0.2, 0.1, 0.05, "worse")})
    assert sentence(run).startswith(
        "No: after fine-tuning the model’s answers hold less of the content of the reference answers (content F1)"
    )


def test_equivalence_states_its_margin_and_is_only_believed_within_it(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, metrics={"loss": metric(2.0, 2.0, 0.01, "equivalent", margin=0.02)})
    assert "The interval lies within the margin: less than 0.02 nats per token either way" in sentence(run)
    wide = Metric.model_validate(metric(2.0, 2.0, 0.05, "equivalent", margin=0.02))
    assert supported("loss", wide) == "cannot tell"


def test_metrics_cover_the_contract() -> None:
    assert list(METRICS) == list(get_args(MetricName))
    assert list(CONTROLS) == list(get_args(ControlName))
    assert set(evaluation()["metrics"]) <= set(METRICS)
