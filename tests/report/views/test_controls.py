"""Controls beside the models: table, sentence, forest plot."""

from typing import Any

from medqa_core.report.charts import forest
from medqa_core.report.charts.forest_svg import forest_svg
from medqa_core.report.charts.metrics import forest_figure
from medqa_core.report.document import answer_tables, tables
from medqa_core.report.facts import Facts
from medqa_core.report.views.controls import best_control, control_views
from medqa_core.report.views.metric import whole
from medqa_core.report.wording.controls import sentence
from medqa_core.report.wording.protocol import protocol_lines
from tests.support.evaluations import metric
from tests.support.runs import RunBuilder


def measured(build: RunBuilder) -> Facts:
    """ROUGE-L 0.15 and 0.204, of the template answer 0.25, of the nearest one 0.2."""
    run = build.run()
    controls: dict[str, Any] = {
        "nearest_answer": {
            "values": {"rougeL": 0.2},
            "fine_tuned": {"rougeL": metric(0.2, 0.204, 0.02, "cannot tell")},
            "answered": 60,
            "mean_words": 50.0,
        },
        "template_answer": {
            "values": {"rougeL": 0.25},
            "base": {"rougeL": metric(0.25, 0.15, 0.02, "worse")},
            "fine_tuned": {"rougeL": metric(0.25, 0.204, 0.02, "worse")},
        },
        "top_passage": {"answered": 0, "reason": "The training data hold nothing that it could answer with."},
    }
    protocol = {
        "content": {"words": 8, "topics": 5, "templates": True, "language": "English"},
        "controls": {"most_words": 80, "patterns": 17, "method": "BM25"},
        "other_topic": {"kind": "question pattern", "seed": 0, "questions": 60},
    }
    references = {"template_share": 0.3, "template_share_by_question_type": {"symptoms": 0.6}, "scored_share": 0.32}
    build.evaluation(run, controls=controls, protocol=protocol, references=references)
    return Facts.of(run)


def test_they_come_in_order_and_the_best_counts(build: RunBuilder) -> None:
    views = control_views(measured(build))
    assert [view.name for view in views] == ["template_answer", "nearest_answer", "top_passage"]
    best = best_control(views, "rougeL")
    assert best is not None and best.label == "template answer"
    assert best_control(views, "loss") is None


def test_the_table_puts_them_beside_the_models(build: RunBuilder) -> None:
    table = tables.controls(measured(build))
    assert table is not None
    assert table.titles == (
        "Score", "Base", "Fine-tuned", "Template answer", "Nearest training answer", "Fine-tuned − best control",
        "Verdict",
    )  # fmt: skip
    assert table.texts == (("ROUGE-L", "0.1500", "0.2040", "0.2500", "0.2000", "−0.046 [−0.066, −0.026]", "▼ worse"),)


def test_the_sentence_says_what_needs_no_model(build: RunBuilder) -> None:
    facts = measured(build)
    assert sentence(control_views(facts), whole(facts)["rougeL"]) == (
        "Without any model, the template answer reaches ROUGE-L 0.2500; the base model 0.1500, the fine-tuned model "
        "0.2040. The fine-tuned model is below it."
    )
    assert "No top passage: The training data hold nothing" in sentence(control_views(facts), None)
    assert sentence((), None) == ""


def test_the_forest_plot_has_a_hollow_square(build: RunBuilder) -> None:
    facts = measured(build)
    rows = forest.rows(whole(facts), control_views(facts))
    row = next(one for one in rows if one.name == "rougeL")
    assert row.control is not None and abs(row.control - 100 * (0.25 - 0.15) / 0.15) < 1e-9
    assert forest.scale_ends(rows)[1] > row.control
    assert "template answer 0.2500, +66.7%" in forest.describe(rows)
    assert forest.CONTROLS_CAPTION in forest.caption(rows)
    assert forest_svg(facts).count('class="control"') == 1
    symbols = [trace.marker.symbol for trace in forest_figure(rows).data]
    assert symbols.count("square-open") == 1


def test_a_run_without_controls_shows_none(build: RunBuilder) -> None:
    facts = Facts.of(build.finished())
    assert control_views(facts) == () and tables.controls(facts) is None and answer_tables.references(facts) is None
    assert forest.caption(forest.rows(whole(facts))) == forest.CAPTION


def test_what_references_are_made_of_and_how_it_was_measured(build: RunBuilder) -> None:
    facts = measured(build)
    table = answer_tables.references(facts)
    assert table is not None
    assert table.texts == (
        ("Words in templates", "30.0%"),
        ("Bytes that enter the loss", "32.0%"),
        ("Words in templates, symptoms", "60.0%"),
    )
    assert facts.evaluation is not None
    lines = dict(protocol_lines(facts.evaluation.protocol))
    assert lines["Controls"].startswith("from training data alone, cut to 80 words; 17 question patterns")
    assert "content F1 leaves out function words of English" in lines["Outside templates"]
    assert "question of the same pattern about another topic" in lines["Topic information"]
