"""Text that a stranger wrote is shown as text: on every page, in every chart, in every file and in the terminal."""

import json
import zipfile
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
import yaml
from google.protobuf.json_format import MessageToDict
from markdown_it import MarkdownIt
from streamlit.testing.v1 import AppTest

from medqa_core.cli.app import main
from medqa_core.report.archive import archive
from medqa_core.report.templates import html, markdown, model_card, text
from medqa_core.report.writer import write
from medqa_core.runs.importers.importer import import_path
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore
from tests.security.poison import (
    PAYLOAD,
    SHORT,
    UNSEEN,
    harmful_html,
    harmful_label,
    harmful_markdown,
    poison_run,
)  # fmt: skip
from tests.support.pages import MAIN, PAGES
from tests.support.runs import RunBuilder
from tests.support.scenarios import SHOWN

KINDS = ("finished", "imported", "running", "failed", "lost")
ALL = [
    *("finished", "imported"),
    *(pytest.param(kind, marks=pytest.mark.reliability) for kind in ("running", "failed", "lost")),
]
PLAIN = ("options", "rawValues", "rawValue", "placeholder", "value", "default", "src", "alt", "url")
"""Fields that Streamlit's front end shows as plain text, or only uses as an address."""


@pytest.fixture
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = tmp_path / "reports"
    folder.mkdir()
    monkeypatch.setenv("MEDQA_REPORTS", str(folder))
    yield folder
    st.cache_resource.clear()


@pytest.fixture
def hostile(reports: Path) -> Callable[[str], Run]:
    """A run of that kind with a payload wherever one may stand."""

    def go(kind: str) -> Run:
        folder = getattr(RunBuilder(reports, SHOWN), kind)().folder
        poison_run(folder)
        run = RunStore(reports).open(folder.name)
        assert "evil" in run.record.title, "the payload is where people read it"
        return run

    return go


def texts(app: AppTest) -> Iterator[tuple[str, str]]:
    """Every text that the server sent for a page, with the field that it is in."""
    left: list[Any] = [app._tree]
    while left:
        node = left.pop()
        left += getattr(node, "children", {}).values()
        proto = getattr(node, "proto", None)
        if proto is not None:
            kind = getattr(node, "type", type(node).__name__)
            for path, value in _strings(MessageToDict(proto)):
                yield f"{kind}:{path}", value


def _strings(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(key, f"{path}.keys")
            yield from _strings(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, path)


def harm(field: str, value: str) -> list[str]:
    kind, _, path = field.partition(":")
    last = path.rpartition(".")[2]
    if kind == "html" or last == "html":
        return harmful_html(value)
    if kind == "plotly_chart" and last in ("spec", "figure", "json"):
        return [bad for _, text in _strings(json.loads(value)) for bad in harmful_label(text)]
    if kind == "code" or last in (
        "options",
        "rawValues",
        "placeholder",
        "value",
        "default",
        "rawValue",
        "src",
        "alt",
        "url",
    ):
        return []
    return harmful_markdown(value)


@pytest.mark.parametrize("page", [*PAGES, "fine_tune/fine_tune.py"])
@pytest.mark.parametrize("kind", ALL)
def test_pages(hostile: Callable[[str], Run], kind: str, page: str) -> None:
    run = hostile(kind)
    app = AppTest.from_file(MAIN, default_timeout=30)
    app.query_params["run"] = run.id
    app.switch_page(page).run()
    assert not app.exception, [e.message for e in app.exception]
    found = list(texts(app))
    assert any("evil" in value for _, value in found), "the page shows nothing of the run"
    assert {field: harm(field, value) for field, value in found if harm(field, value)} == {}


def test_compare_with_two_hostile_runs(hostile: Callable[[str], Run]) -> None:
    first, second = hostile("finished"), hostile("imported")
    app = AppTest.from_file(MAIN, default_timeout=30)
    app.query_params["run"], app.query_params["runs"] = first.id, second.id
    app.switch_page("compare/compare.py").run()
    assert {f: harm(f, v) for f, v in texts(app) if harm(f, v)} == {}


@pytest.mark.parametrize("asked", [PAYLOAD, SHORT, "<script>evil()</script>", "[a](javascript:evil())", "\u202e"])
def test_addresses(hostile: Callable[[str], Run], asked: str) -> None:
    hostile("finished")
    for page in ("summary/summary.py", "compare/compare.py", "ask/ask.py"):
        app = AppTest.from_file(MAIN, default_timeout=30)
        for name in ("run", "runs", "question", "q"):
            app.query_params[name] = asked
        app.switch_page(page).run()
        assert not app.exception
        assert {f: harm(f, v) for f, v in texts(app) if harm(f, v)} == {}


@pytest.mark.parametrize("kind", KINDS)
def test_files(hostile: Callable[[str], Run], kind: str) -> None:
    run = hostile(kind)
    page = html.render(run)
    assert harmful_html(page) == [] and "evil" in page and not UNSEEN.search(page)
    assert "default-src 'none'" in page
    for made in (markdown.render(run), model_card.render(run).split("\n---\n", 1)[1]):
        reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
        drawn = reader.render(made)
        assert harmful_html(drawn) == [] and "evil" in drawn and not UNSEEN.search(made)
    assert not UNSEEN.search(text.render(run))
    front = yaml.safe_load(model_card.render(run).split("---")[1])
    assert set(front) <= {
        "language", "license", "library_name", "base_model", "base_model_relation", "pipeline_tag", "datasets", "tags",
        "model-index", "model_name",
    }  # fmt: skip
    assert front.get("language") in (None, ["en"]) and "evil" not in json.dumps(
        [front.get("base_model"), front["tags"]]
    )


def test_archive(hostile: Callable[[str], Run]) -> None:
    run = hostile("finished")
    write(run)
    with zipfile.ZipFile(BytesIO(archive(run))) as packed:
        names = packed.namelist()
    assert all(name.startswith(f"{run.id}/") and ".." not in name and "\\" not in name for name in names), names
    assert not any("<" in name for name in names) and f"{run.id}/README.md" in names


def test_a_file_name_that_is_no_text_breaks_no_export(hostile: Callable[[str], Run]) -> None:
    run = hostile("finished")
    (run.folder / "bad\udcff\udcfe.txt").write_text("x")
    (run.folder / "line\nbreak.txt").write_text("x")
    write(run)
    with zipfile.ZipFile(BytesIO(archive(run))) as packed:
        assert all(name.isprintable() for name in packed.namelist())


def run_cli(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit):
        main(list(arguments))
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize("kind", KINDS)
def test_terminal(
    hostile: Callable[[str], Run], kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    run = hostile(kind)
    for arguments in (("runs",), ("runs", "--json"), ("report", run.id), ("report", run.id, "--json")):
        assert not UNSEEN.search(run_cli(capsys, *arguments)), arguments
    for arguments in (
        ("verify", PAYLOAD),
        ("report", "\x1b[31m\u202e"),
        ("ask", SHORT, SHORT),
        (PAYLOAD,),
        ("--\x1b[31m",),
    ):
        said = run_cli(capsys, *arguments)
        assert not UNSEEN.search(said) and len(said.splitlines()) <= 2, said


def test_terminal_shows_what_a_model_says_without_its_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    from medqa_core.cli.output import note, print_json, say

    for show in (say, print_json, note):
        show(f"first {PAYLOAD}")
    out = capsys.readouterr().out
    assert "evil" in out and not UNSEEN.search(out)


def test_an_imported_summary_of_a_stranger(reports: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"{SHORT.replace('/', '')}.txt"
    lines = [
        f"Title: {PAYLOAD}",
        "Test Loss: 2.04",
        "Perplexity: 7.69",
        f"{PAYLOAD}:",
        f"- {PAYLOAD}",
        f"{SHORT}: {PAYLOAD}",
    ]
    path.write_text("\n".join(line.replace("\x00", "") for line in lines), encoding="utf-8")
    assert not UNSEEN.search(run_cli(capsys, "import", str(path), "--run-id", "foreign"))
    run = RunStore(reports).open("foreign")
    assert harmful_html(html.render(run)) == [] and not UNSEEN.search(markdown.render(run))
    with pytest.raises(Exception, match="run id"):
        import_path(path, RunStore(reports), run_id=PAYLOAD)


def test_charts() -> None:
    """Plotly reads a few HTML tags in its labels, links among them."""
    from medqa_core.report.charts.figure import end_label, figure
    from medqa_core.report.charts.forest import ForestRow
    from medqa_core.report.charts.metrics import forest_figure
    from medqa_core.report.charts.shares import shares_figure

    chart = figure(100, x="x", y="y")
    end_label(chart, PAYLOAD, 1, 1, "#000000")
    drawn = [
        chart,
        shares_figure([PAYLOAD, SHORT], {"base": [0.1, 0.2]}, y="share"),
        forest_figure([ForestRow("loss", PAYLOAD, 1.0, (0.5, 1.5), "better", "+1.0")]),
    ]
    for one in drawn:
        assert "evil" in one.to_json() and harm("plotly_chart:spec", one.to_json()) == []
