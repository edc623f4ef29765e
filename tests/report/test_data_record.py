"""What run.json says of the data, as reports and the Data page show it."""

from medqa_core.report.data_record import data_rows
from medqa_core.runs.schema.record import DataRecord, SplitSizes


def test_everything_that_is_stated_has_a_row() -> None:
    data = DataRecord(
        source="MedQuAD",
        licence="CC BY 4.0",
        pairs_parsed=47441,
        pairs_answered=16407,
        duplicates_dropped=48,
        split=SplitSizes(train=3500, validation=750, test=750),
        split_hash="ab" * 32,
        filters=["one", "two"],
        truncated_share=0.25,
    )
    rows = dict(data_rows(data))
    assert rows["Pairs parsed"] == "47,441" and rows["Duplicates dropped"] == "48"
    assert rows["Split"] == "3,500 training / 750 validation / 750 test"
    assert rows["Filters"] == "one; two" and rows["Examples truncated"] == "25.0%"
    assert "Split method" not in rows


def test_a_path_of_the_machine_stays_private() -> None:
    assert data_rows(DataRecord(source="/home/someone/answers.csv")) == [("Data", "local: answers.csv")]
