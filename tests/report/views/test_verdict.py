"""The verdict as data: the answer, its clauses, the caveat and the figures are fields of their own."""

from medqa_core.report.views.verdict import CleanCaveat, verdict_view
from medqa_core.report.wording.verdict import sentence, verdict_text
from tests.support.evaluations import metric
from tests.support.runs import RunBuilder


def test_each_part_is_a_field(build: RunBuilder) -> None:
    found = verdict_view(build.finished())
    assert (found.answer, found.missing, found.primary) == ("yes", None, "loss")
    assert [(clause.name, clause.verdict) for clause in found.clauses] == [
        ("loss", "better"),
        ("rougeL", "better"),
        ("mmlu", "cannot tell"),
    ]
    assert found.figures is not None
    assert (found.figures.base, found.figures.fine_tuned, found.figures.n) == (2.4301, 2.0181, 60)
    assert found.caveat is None


def test_what_is_missing_is_named(build: RunBuilder) -> None:
    assert verdict_view(build.run("empty")).missing == "evaluation"
    assert verdict_view(build.imported()).missing == "base figures"
    run = build.run()
    build.evaluation(run, metrics={"loss": metric(2.0, None, 0, "cannot tell")})
    assert (verdict_view(run).missing, verdict_view(run).answer) == ("paired figures", None)


def test_a_gain_that_the_clean_subset_does_not_confirm_is_a_caveat(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, clean={"rougeL": metric(0.17, 0.173, 0.03, "cannot tell", n=44)})
    assert verdict_view(run).caveat == CleanCaveat(("rougeL",), 44)


def test_the_parts_in_words_make_the_sentence(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, clean={"rougeL": metric(0.17, 0.173, 0.03, "cannot tell", n=1)})
    said = verdict_text(verdict_view(run))
    assert said.answer.startswith("Yes: ") and said.figures.startswith("Loss, the primary metric: ")
    assert said.caveat.startswith("On the 1 question whose reference answer has no 13-word overlap")
    assert said.plain == f"{said.answer} {said.caveat}"
    assert sentence(run) == said.whole == f"{said.plain} {said.figures}"
