"""The sentence about answers with passages says what the verdicts support, and no more."""

import pytest

from medqa_core.report.wording.with_sources import sentence
from medqa_core.runs.schema.evaluation import (
    Metric,
    MetricName,
    Protocol,
    RetrievalProtocol,
    Verdict,
    WithSources,
)


def metric(before: float, after: float, verdict: Verdict) -> Metric:
    d = after - before
    return Metric(
        base=before, fine_tuned=after, difference=d, ci=(d - 0.01, d + 0.01), level=0.95, p=0.001, n=99, groups=60,
        verdict=verdict, margin=0.02,
    )  # fmt: skip


def part(base: Metric, tuned: Metric, name: MetricName = "rougeL") -> WithSources:
    return WithSources(weights="base", against_base={name: base}, against_fine_tuned={name: tuned})


def said_of(found: WithSources) -> str:
    return sentence(found, of_readers=False)


def test_better_than_one_and_worse_than_the_other() -> None:
    said = said_of(part(metric(0.15, 0.2, "better"), metric(0.27, 0.2, "worse")))
    assert said == (
        "With passages to read, the base model’s answers share more words with the references than its own without "
        "them (ROUGE-L +0.050 [0.040, 0.060]), and share fewer words with the references than the fine-tuned model’s "
        "(ROUGE-L −0.070 [−0.080, −0.060]); 95% intervals."
    )


@pytest.mark.parametrize(
    ("verdict", "after", "said"),
    [("equivalent", 0.151, "share about as many words"), ("cannot tell", 0.157, "cannot be told apart")],
)
def test_no_difference_is_not_sold_as_one(verdict: Verdict, after: float, said: str) -> None:
    found = said_of(part(metric(0.15, after, verdict), metric(0.15, after, verdict)))
    assert found.count(said) == 2
    assert "more words with the references than" not in found.replace("cannot be told", "")


def test_a_verdict_that_its_interval_does_not_bear_out_is_not_repeated() -> None:
    wrong = metric(0.15, 0.151, "better")
    assert said_of(part(wrong, wrong)).count("cannot be told apart") == 2


def test_the_weights_that_read_are_named() -> None:
    tuned = part(metric(0.15, 0.2, "better"), metric(0.27, 0.2, "worse")).model_copy(update={"weights": "fine_tuned"})
    said = said_of(tuned)
    assert said.startswith("With passages to read, the fine-tuned model’s answers share more words")
    assert "than the base model’s (ROUGE-L +0.050" in said and "than its own without them (ROUGE-L −0.070" in said


def test_another_metric_where_rouge_is_missing_and_nothing_where_all_are() -> None:
    found = metric(0.15, 0.2, "better")
    assert "(token F1 +0.050" in said_of(part(found, found, "token_f1"))
    assert said_of(WithSources(weights="base")) == ""
    assert said_of(part(Metric(), Metric())) == ""


def test_of_readers_the_library_is_named() -> None:
    read = RetrievalProtocol(
        passages=3, method="BM25", library="other documents", test_documents_held_out=True, asked=99, of=750
    )
    found = part(metric(0.23, 0.23, "equivalent"), metric(0.56, 0.23, "worse")).model_copy(
        update={"weights": "fine_tuned", "protocol": Protocol(retrieval=read)}
    )
    said = sentence(found, of_readers=True)
    assert said.startswith("With their questions’ own documents hidden, the fine-tuned model’s answers share about as")
    assert "as the base model’s from the whole library (" in said and "than its own from the whole library (" in said
    assert "without them" not in said
