"""The summary: figures by what they are, key findings with evidence, the report as files and section by section."""

from medqa_core.report.writer import FORMATS
from tests.support.pages import Open, elements, shown
from tests.support.runs import RunBuilder


def test_words_in_place_of_a_figure_are_quoted_and_a_figure_is_shown(build: RunBuilder, open_page: Open) -> None:
    build.imported("words", source={"figures": {"perplexity": "7 or so", "rougeL": 0.2}})
    text = shown(open_page("summary/summary.py", run="words"))
    assert "the source says: “7 or so”" in text
    assert (
        '<span class="mq-tuned mq-strong">0.2000</span>' in text and "as the source reports it; base not stated" in text
    )


def test_the_report_is_there_to_read_and_to_download(build: RunBuilder, open_page: Open) -> None:
    build.finished("whole")
    app = open_page("summary/summary.py", run="whole")
    assert not app.exception
    assert [header.value for header in app.header] == ["Two answers", "Download report", "Full report"]
    assert [button.label for button in elements(app, "download_button")] == [
        *(f.label for f in FORMATS.values()),
        "Everything, one ZIP",
    ]
    text = shown(app)
    assert "<h2>Key findings</h2>" in text and "Would be wrong if" in text and "<summary>Next steps</summary>" in text
