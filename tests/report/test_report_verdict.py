import pytest
from report_builder import evaluation, metric

from medqa_core.report.verdict import METRICS, sentence, supported
from medqa_core.runs.evaluation import Metric


def test_the_answer_names_each_family_once_and_the_primary_metric_with_its_interval(build):
    run = build.finished()
    assert sentence(run) == (
        "Yes on loss and ROUGE-L; cannot tell on MMLU. Loss, the primary metric: 2.4301 → 2.0181 nats per token, "
        "a difference of −0.412 [−0.462, −0.362] (95% interval, 60 questions)."
    )


def test_a_worse_primary_metric_comes_first(build):
    run = build.run()
    build.evaluation(
        run,
        metrics={
            "rougeL": metric(0.1, 0.2, 0.05, "better"),
            "loss": metric(2.0, 2.5, 0.1, "worse"),
            "mmlu": metric(0.3, 0.3, 0.01, "equivalent"),
        },
    )
    assert sentence(run).startswith("No, worse on loss; yes on ROUGE-L; about the same on MMLU.")


def test_another_metric_stands_in_where_the_primary_one_was_not_compared(build):
    run = build.run()
    build.evaluation(
        run, metrics={"loss": metric(None, 2.0, 0, "cannot tell"), "rougeL": metric(0.1, 0.2, 0.05, "better")}
    )
    assert "because the primary metric, loss, was not compared" in sentence(run)


def test_without_an_evaluation_it_gives_the_command(build):
    assert "`python -m medqa_core evaluate run-1`" in sentence(build.run())


def test_imported_and_one_sided_runs_cannot_say(build):
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
def test_a_verdict_counts_only_where_its_own_numbers_bear_it_out(values, verdict):
    assert supported("loss", Metric.model_validate(values)) == verdict


def test_an_unsupported_verdict_is_reported_as_a_limitation(build):
    from medqa_core.report.insights import limitations

    run = build.run()
    build.evaluation(run, metrics={"loss": metric(2.0, 1.9, 0.6, "better")})
    found = next(i for i in limitations(run) if i.rule == "cannot_tell:loss")
    assert "do not bear out" in found.sentence
    assert sentence(run).startswith("Cannot tell on loss.")


def test_metrics_cover_the_contract():
    assert list(METRICS) == ["loss", "perplexity", "bits_per_byte", "rouge1", "rouge2", "rougeL", "mmlu"]
    assert set(evaluation()["metrics"]) <= set(METRICS)
