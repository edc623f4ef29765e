"""The headline as data: its word, what kind of gain it is, and what speaks against it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medqa_core.report.views.gain import content, gain
from medqa_core.report.views.metric import metric_views
from medqa_core.report.views.verdict import verdict_view
from medqa_core.report.wording.verdict import sentence, verdict_text
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Metric
from tests.support.evaluations import evaluation, metric
from tests.support.runs import RunBuilder


def test_each_part_is_a_field(build: RunBuilder) -> None:
    found = verdict_view(build.finished())
    assert (found.word, found.gain, found.missing, found.primary) == ("Mixed", None, None, "loss")
    assert [(clause.name, clause.verdict) for clause in found.clauses] == [
        ("loss", "better"),
        ("rougeL", "better"),
        ("mmlu", "cannot tell"),
    ]
    assert found.figures is not None
    assert (found.figures.base, found.figures.fine_tuned, found.figures.n) == (2.4301, 2.0181, 60)


def test_what_is_missing_is_named(build: RunBuilder) -> None:
    assert verdict_view(build.run("empty")).missing == "evaluation"
    assert verdict_view(build.imported()).missing == "base figures"
    run = build.run()
    build.evaluation(run, metrics={"loss": metric(2.0, None, 0, "cannot tell")})
    assert (verdict_view(run).missing, verdict_view(run).word) == ("paired figures", None)


def test_a_damaged_evaluation_is_not_a_missing_one(build: RunBuilder) -> None:
    run = build.finished()
    (run.folder / "evaluation.json").write_text("{")
    found = verdict_view(run)
    assert (found.missing, found.word) == ("readable evaluation", None)
    said = verdict_text(found).whole
    assert said.startswith("The evaluation of this run cannot be read (evaluation.json is damaged, or of a newer")
    assert said.endswith("`medqa evaluate run-1`, which replaces the file.") and "not been evaluated" not in said
    imported = build.imported()
    (imported.folder / "evaluation.json").write_text("{")
    assert verdict_text(verdict_view(imported)).whole.endswith("Import the run again from its source.")


def whole(**changes: Any) -> dict[str, Any]:
    """An evaluation of a run that gained in every respect, and of which nothing is left to be wished for."""
    metrics = {
        "loss": metric(2.4, 2.0, 0.05, "better"),
        "loss_outside_templates": metric(2.6, 2.2, 0.05, "better"),
        "topic_information": metric(0.4, 0.5, 0.03, "better"),
        "rougeL": metric(0.15, 0.20, 0.02, "better"),
        "rougeL_outside_templates": metric(0.10, 0.15, 0.02, "better"),
        "content_f1": metric(0.07, 0.12, 0.02, "better"),
    }
    against = {"rougeL": metric(0.16, 0.20, 0.02, "better"), "content_f1": metric(0.05, 0.12, 0.02, "better")}
    made = {"empty_share": 0.0, "mean_tokens": 40.0, "seconds": 3.0, "prompt": "chat", "length_ratio": 1.0}
    made |= {"repetition": 0.02, "template_share": 0.05, "ended_share": 0.9}
    return (
        evaluation(
            schema_version=3,
            metrics=metrics | changes.pop("metrics", {}),
            clean={name: one | {"n": 50} for name, one in metrics.items()},
            controls={"template_answer": {"values": {"rougeL": 0.16}, "fine_tuned": against}},
            references={"template_share": 0.05, "scored_share": 0.95},
            base_generation=made,
            fine_tuned_generation=made | changes.pop("tuned", {}),
        )
        | changes
    )


def test_yes_needs_all_of_it(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, **whole())
    found = verdict_view(run)
    assert (found.word, found.gain, found.content, found.caveats) == ("Yes", "content", "better", ())
    assert sentence(run).startswith(
        "Yes: after fine-tuning the model predicts the reference answers better (loss) and its own answers share more "
        "words with them (ROUGE-L); this is a gain in content. Loss"
    )


LOST = {"rougeL": metric(0.28, 0.20, 0.02, "worse")}
LEVEL = {"rougeL": metric(0.20, 0.20, 0.005, "equivalent", margin=0.01)}


@pytest.mark.parametrize(
    ("changes", "word", "kind", "said"),
    [
        ({"metrics": {"rougeL": metric(0.1, 0.0, 0.01, "worse")}}, "No", "no_overlap_at_all", "share no words"),
        ({"tuned": {"repetition": 0.95}}, "No", "repeats", "95% of its answers’ runs of four words repeat"),
        ({"tuned": {"empty_share": 0.97}}, "No", "empty", "97% of its answers are empty"),
        ({"tuned": {"repetition": 0.6}}, "Mixed", "repeats", "60% of its answers’ runs"),
        ({"clean": {}}, "Mixed", "no_clean_part", "no test question has no 13-word overlap"),
        ({"clean": {"loss": metric(2.4, 2.4, 0.1, "cannot tell", n=9)}}, "Mixed", "not_on_clean_part", "9 questions"),
        ({"controls": {}}, "Mixed", "no_controls", "no answers without a model were measured"),
        (
            {"controls": {"template_answer": {"values": {"rougeL": 0.28}, "fine_tuned": LOST}}},
            "Mixed",
            "control",
            "But template answers without a model score 0.2800 on ROUGE-L, the fine-tuned model 0.2000",
        ),
        ({"controls": {"nearest_answer": {"fine_tuned": LEVEL}}}, "Mixed", "control", "nearest training answers"),
        ({"tuned": {"template_share": 0.41}}, "Yes", "templates", "41% of its answers’ words are template text, of"),
        ({"tuned": {"ended_share": 0.2}}, "Yes", "unended", "80% of its answers are cut at the token limit"),
        ({"references": {"scored_share": 0.3}}, "Yes", "partly_scored", "only 30% of the references’ text"),
        ({"metrics": {"mmlu": metric(0.25, 0.26, 0.02, "cannot tell", n=1089)}}, "Yes", "mmlu_at_chance", "at chance"),
        ({"metrics": {"mmlu": metric(0.62, 0.26, 0.04, "worse", n=1089)}}, "Mixed", None, "MMLU accuracy is lower"),
        (
            {"metrics": {"content_f1": metric(0.1, 0.08, 0.01, "worse")}},
            "Mixed",
            None,
            "content was gained is inconclusive",
        ),
    ],
)
def test_what_speaks_against_a_gain(
    build: RunBuilder, changes: dict[str, Any], word: str, kind: str | None, said: str
) -> None:
    run = build.run()
    build.evaluation(run, **whole(**changes))
    found = verdict_view(run)
    assert found.word == word and said in verdict_text(found).whole
    assert kind is None or kind in [caveat.kind for caveat in found.caveats]


def test_answers_that_are_copies_are_no_gain_without_reserve(build: RunBuilder) -> None:
    run = build.finished()
    build.evaluation(run, **whole())
    build.predictions(run, 8, fine_tuned_copied_share=[0.95] * 8)
    found = verdict_view(run)
    assert found.word == "Mixed" and found.caveats[0].kind == "copied"
    assert "100% of its answers are copies of training answers" in verdict_text(found).caveat


@pytest.mark.parametrize(("task", "word"), [("closed_book", "Yes"), ("open_book", "Mixed")])
def test_the_top_passage_is_to_be_beaten_by_a_model_that_reads(build: RunBuilder, task: str, word: str) -> None:
    config = build.run("other").record.config
    assert config is not None
    run = build.run(config=config.model_copy(update={"task": task}))
    values = whole()
    values["controls"] |= {"top_passage": {"fine_tuned": LOST}}
    build.evaluation(run, **values)
    assert verdict_view(run).word == word


SAME = metric(0.1, 0.1, 0.005, "equivalent", margin=0.01)
UNCLEAR = metric(0.1, 0.11, 0.03, "cannot tell")


@pytest.mark.parametrize(
    ("metrics", "kind", "said"),
    [
        ({"content_f1": SAME, "topic_information": SAME}, "form", "equivalent"),
        ({"content_f1": metric(0.1, 0.07, 0.01, "worse")}, "form", "worse"),
        ({"content_f1": UNCLEAR, "topic_information": UNCLEAR}, "form", "cannot tell"),
        ({"content_f1": metric(0.1, 0.2, 0.01, "better")}, "content", "better"),
        ({"topic_information": metric(0.4, 0.5, 0.01, "better")}, "form", "cannot tell"),
        (
            {
                "topic_information": metric(0.4, 0.5, 0.01, "better"),
                "loss_outside_templates": metric(2.4, 2.0, 0.1, "better"),
            },
            "content",
            "better",
        ),
        (
            {
                "content_f1": metric(0.1, 0.2, 0.01, "better"),
                "loss_outside_templates": metric(2.4, 2.3, 0.05, "better"),
            },
            "both",
            "better",
        ),
        (
            {
                "content_f1": metric(0.1, 0.2, 0.01, "better"),
                "topic_information": metric(0.4, 0.3, 0.01, "worse"),
            },
            "form",
            "cannot tell",
        ),
        ({}, None, None),
        ({"loss": UNCLEAR, "rougeL": UNCLEAR}, "none", None),
        ({"loss": UNCLEAR, "rougeL": UNCLEAR, "content_f1": metric(0.1, 0.2, 0.01, "better")}, "content", "better"),
    ],
)
def test_what_kind_of_gain_it_is(metrics: dict[str, Any], kind: str | None, said: str | None) -> None:
    gained = {"loss": metric(2.4, 2.0, 0.05, "better"), "rougeL": metric(0.15, 0.2, 0.02, "better")}
    views = metric_views((name, Metric.model_validate(one)) for name, one in (gained | metrics).items())
    assert (gain(views), content(views)) == (kind, said)


def test_a_control_that_is_not_beaten_makes_it_form_too() -> None:
    gained = {"rougeL": metric(0.15, 0.2, 0.02, "better"), "content_f1": metric(0.1, 0.2, 0.01, "better")}
    views = metric_views((name, Metric.model_validate(one)) for name, one in gained.items())
    assert (gain(views), gain(views, control_unbeaten=True)) == ("content", "both")


SHARE = st.none() | st.floats(0, 1)
VERDICT = st.sampled_from(["better", "worse", "equivalent", "cannot tell", "absent"])
SIGNS = {"better": 0.3, "worse": -0.3, "equivalent": 0.0, "cannot tell": 0.01}


def _made(name: str, verdict: str, level: float) -> dict[str, Any]:
    step = SIGNS[verdict] * (-1 if name.startswith("loss") else 1)
    half = {"equivalent": 0.005}.get(verdict, 0.1)
    return metric(level, level + step, half, verdict, margin=0.01)


@pytest.fixture
def fuzzed(build: RunBuilder) -> Run:
    return build.run()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    verdicts=st.fixed_dictionaries(dict.fromkeys(("loss", "rougeL", "content_f1", "topic_information"), VERDICT)),
    controls=st.dictionaries(st.sampled_from(["template_answer", "nearest_answer"]), VERDICT),
    clean=VERDICT,
    repetition=SHARE,
    empty=st.floats(0, 1),
    nothing=st.booleans(),
)
def test_yes_is_never_said_of_a_run_that_failed(
    build: RunBuilder,
    fuzzed: Run,
    verdicts: dict[str, str],
    controls: dict[str, str],
    clean: str,
    repetition: float | None,
    empty: float,
    nothing: bool,
) -> None:
    metrics = {name: _made(name, verdict, 0.4) for name, verdict in verdicts.items() if verdict != "absent"}
    if nothing and "rougeL" in metrics:
        metrics["rougeL"] = metric(0.2, 0.0, 0.01, "worse")
    values = whole(tuned={"repetition": repetition, "empty_share": empty})
    values["metrics"] = metrics
    values["clean"] = {} if clean == "absent" else {name: _made(name, clean, 0.4) | {"n": 9} for name in metrics}
    values["controls"] = {
        name: {"fine_tuned": {} if verdict == "absent" else {"rougeL": _made("rougeL", verdict, 0.4)}}
        for name, verdict in controls.items()
    }
    build.evaluation(fuzzed, **values)
    found = verdict_view(fuzzed)
    text = verdict_text(found).whole
    assert text and found.word in ("Yes", "No", "Mixed", "Inconclusive", None)
    if found.word != "Yes":
        return
    assert not nothing or "rougeL" not in metrics
    assert (repetition or 0) < 0.5 and empty < 0.5 and clean == "better"
    assert (
        "worse" not in verdicts.values() and verdicts["loss" if verdicts["loss"] != "absent" else "rougeL"] == "better"
    )
    assert "better" in (verdicts["content_f1"], verdicts["topic_information"])
    if verdicts["rougeL"] != "absent":
        assert "better" in controls.values() and set(controls.values()) <= {"better", "absent"}


def test_what_the_topic_is_worth_does_not_count_where_passages_are_read(build: RunBuilder) -> None:
    less = {"topic_information": metric(0.5, 0.4, 0.03, "worse")}
    read = {"retrieval": {"passages": 3, "method": "BM25", "library": "data set", "test_documents_held_out": False}}
    run = build.run()
    for protocol, word, kind in (({}, "Mixed", "form"), (read, "Yes", "content")):
        build.evaluation(run, **{**whole(metrics=less), "protocol": protocol})
        found = verdict_view(run)
        assert (found.word, found.gain) == (word, kind)
