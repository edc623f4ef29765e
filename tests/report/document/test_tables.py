"""The tables that files and pages share: one row a metric, one label a figure."""

from medqa_core.report.document import answer_tables, records, tables
from medqa_core.report.document.model import Cell, Table
from medqa_core.report.facts import Facts
from medqa_core.report.views.metric import metric_views, whole
from medqa_core.runs.schema.evaluation import Metric
from tests.support.evaluations import metric
from tests.support.full_run import full
from tests.support.runs import RunBuilder


def test_a_page_shows_the_rows_of_the_files_and_the_test_behind_them(build: RunBuilder) -> None:
    facts = Facts.of(full(build))
    short, detailed = tables.metrics(facts), tables.metrics_in_detail(whole(facts), "loss")
    assert short is not None
    assert [c.title for c in detailed.columns if c.title != "p"] == list(short.titles)
    for few, many in zip(short.rows, detailed.rows, strict=True):
        assert [cell.text for cell in few[1:]] == [cell.text for cell in (*many[1:4], *many[5:])]
    assert detailed.rows[0][0] == Cell("Loss", ("nats per token", "lower is better", "primary"))
    assert detailed.rows[0][-1].verdict == "better"


def test_what_a_test_could_detect_stands_beside_what_it_could_not_tell() -> None:
    values = metric(0.25, 0.26, 0.02, "cannot tell", p=0.4, n=1089, margin=0.01, required_n=4360)
    shown = tables.metrics_in_detail(metric_views({"mmlu": Metric.model_validate(values)}), "loss")
    assert shown.rows[0][-1] == Cell(
        "? inconclusive", ("detects 2.0 points or more", "needs 4,360 questions"), "cannot tell"
    )
    same = metric(2.0, 2.0, 0.01, "equivalent", margin=0.02)
    shown = tables.metrics_in_detail(metric_views({"loss": Metric.model_validate(same)}), "")
    assert shown.rows[0][-1].notes == ("within ±0.02",)


def test_nothing_known_is_a_cell_without_text() -> None:
    shown = Table.of(("Metric", "Value"), [("loss", None)])
    assert shown.rows[0][1].text is None
    assert shown.texts == (("loss", "not stated"),)
    assert Cell("0.1", ("reported", "alone")).plain == "0.1 (reported; alone)"


def test_generations_have_one_label_each_however_many_models_there_are(build: RunBuilder) -> None:
    facts = Facts.of(full(build))
    both = answer_tables.of_both(facts)
    assert both is not None and facts.evaluation is not None
    alone = answer_tables.generations(("with_sources", facts.evaluation.base_generation))
    assert alone is not None
    assert [row[0] for row in alone.texts] == [row[0] for row in both.texts]
    assert alone.titles == ("Answers", "With passages")
    assert answer_tables.generations(("base", None)) is None


def test_the_record_of_the_data_is_labelled_once(build: RunBuilder) -> None:
    facts = Facts.of(build.run())
    assert facts.record.data is not None
    fields = records.data_fields(facts.record.data)
    assert ("Pairs parsed", "47,441") in fields
    assert set(fields) <= set(records.model_and_data(facts))
