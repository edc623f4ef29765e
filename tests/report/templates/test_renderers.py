import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from medqa_core.report.document.quotation import quotation
from medqa_core.report.document.write_up import write_up
from medqa_core.report.facts import Facts
from medqa_core.report.templates import html, markdown, model_card, text
from medqa_core.report.writer import write
from medqa_core.runs.run import Run
from tests.support.evaluations import evaluation, metric
from tests.support.runs import RunBuilder

HOSTILE = (
    "<script>alert(1)</script> [x](javascript:alert(1)) ![y](http://e.v/p.png) | `rm` **b** # h "
    "https://evil.example www.evil.example a@evil.example $x$ \u202e\x07</title>"
)
EMOJI = re.compile("[\u2600-\u27bf\U0001f000-\U0001faff]")
RENDERERS = [text.render, markdown.render, html.render, model_card.render]


def hostile(build: RunBuilder) -> Run:
    """A run with hostile text in every place that a source or a model can write to."""
    run = build.imported(
        "hostile",
        title=HOSTILE,
        description=HOSTILE,
        data={"source": HOSTILE, "licence": HOSTILE, "filters": [HOSTILE]},
        base_model={"id": HOSTILE},
        environment={"device": HOSTILE},
        source={
            "source": HOSTILE,
            "figures": {HOSTILE: HOSTILE, "device": HOSTILE, "perplexity": HOSTILE},
            "sections": {HOSTILE: [HOSTILE]},
            "missing": [HOSTILE],
            "checks": [{"name": HOSTILE, "passed": False, "detail": HOSTILE}],
        },
    )
    variant = {"empty_share": 0.5, "mean_tokens": 1.0, "length_ratio": 1.0, "seconds": 1.0, "prompt": HOSTILE}
    build.evaluation(
        run,
        by_question_type={HOSTILE: {"loss": metric(3.0, 2.0, 0.1, "better", n=30)}},
        by_source={HOSTILE: {"loss": metric(3.0, 2.0, 0.1, "better", n=30)}},
        clean={"loss": metric(3.0, 2.9, 0.2, "cannot tell", reason=HOSTILE)},
        protocol={"notes": {HOSTILE: HOSTILE}},
        base_generation=variant,
        fine_tuned_generation=variant,
        metrics={"loss": metric(3.0, 2.9, 0.2, "cannot tell", reason=HOSTILE)},
    )
    copied: dict[str, Any] = {"fine_tuned_copied_share": 0.95, "fine_tuned_nearest": HOSTILE, "source": HOSTILE}
    build.predictions(run, base_answer=HOSTILE, fine_tuned_answer=HOSTILE, question_type=HOSTILE, **copied)
    return run


class Tags(HTMLParser):
    """The tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_the_curve_of_another_training_than_a_supervised_one_is_not_in_nats_per_token(build: RunBuilder) -> None:
    run = build.imported("preference", source={"training": "preference"})
    build.curve(run, train=[0.69, 0.5, 0.4])
    page = html.render(run)
    assert ">loss of preference training</text>" in page and "(nats per token)</text>" not in page
    assert ">loss (nats per token)</text>" in html.render(build.finished())


def test_hostile_text_is_inert_in_html(build: RunBuilder) -> None:
    page = html.render(hostile(build))
    tags = Tags()
    tags.feed(page)
    assert not {"script", "img", "a", "iframe", "link", "object", "form"} & set(tags.tags)
    assert not [name for name, _ in tags.attributes if name.startswith("on") or name in ("href", "src")]
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "default-src 'none'" in page


def test_hostile_text_is_inert_in_markdown(build: RunBuilder) -> None:
    run = hostile(build)
    for written in (markdown.render(run), model_card.render(run).split("\n---\n", 1)[1]):
        assert "<" not in re.sub(r"`[^`\n]*`|```.*?```", "", written, flags=re.DOTALL)
        assert not re.search(r"(?<!\\)\]\(", written)
        assert not re.search(r"(?<!\\)!\[", written)
        assert not re.search(r"(?i)https?://|www\.evil|\w@evil", written)
        assert "`rm`" in written or "\\`rm\\`" in written
        for line in written.splitlines():
            if line.startswith("|"):
                bars = len(re.findall(r"(?<!\\)\|", line))
                assert bars >= 3
    tables = re.findall(r"(?m)(?:^\|.*\n)+", markdown.render(run) + "\n")
    for table in tables:
        assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table.strip().splitlines()}) == 1


def test_hostile_text_is_flat_in_plain_text(build: RunBuilder) -> None:
    written = text.render(hostile(build))
    assert "\x07" not in written
    assert "\u202e" not in written


def test_hostile_text_cannot_leave_the_front_matter(build: RunBuilder) -> None:
    from huggingface_hub import ModelCard

    card = ModelCard(model_card.render(hostile(build)))
    assert card.data.get("license") == "unknown"
    assert card.data.get("base_model") is None


@pytest.mark.parametrize("make", ["finished", "imported", "run"])
@pytest.mark.parametrize("render", RENDERERS)
def test_plain_words_in_every_format(build: RunBuilder, make: str, render: Callable[[Run], str]) -> None:
    written = render(getattr(build, make)())
    words = re.sub(r"<!doctype html>|!\\\[|(?s:<style>.*?</style>)", "", written)
    assert "!" not in words
    assert not EMOJI.search(words)
    assert "nan" not in re.findall(r"[a-z/]+", words)
    assert "None" not in words.replace("None of", "").replace("None was found", "")
    assert "not medical advice" in words


@pytest.mark.parametrize("make", ["finished", "imported", "run"])
@pytest.mark.parametrize("render", RENDERERS)
def test_blocks_stand_one_blank_line_apart(build: RunBuilder, make: str, render: Callable[[Run], str]) -> None:
    written = render(getattr(build, make)())
    assert "\n\n\n" not in written and not written.startswith("\n") and written.endswith("\n")


@pytest.mark.parametrize("make", ["finished", "imported", "run"])
def test_text_keeps_to_80_columns(build: RunBuilder, make: str) -> None:
    assert max(len(line) for line in text.render(getattr(build, make)()).splitlines()) <= 80
    assert max(len(line) for line in text.render(hostile(build)).splitlines()) <= 80


def test_sections_come_in_the_order_of_the_reference(build: RunBuilder) -> None:
    titles = [section.title for section in write_up(build.imported()).sections]
    assert titles == [
        "Run information",
        "Objective",
        "Model and data",
        "Hyper-parameters",
        "Training results",
        "Evaluation",
        "Key findings",
        "What the source claims",
        "Limitations",
        "Next steps",
    ]


def test_the_curve_has_a_text_alternative_and_survives_one_point_and_equal_values(build: RunBuilder) -> None:
    run = build.run()
    for validation, train in (([2.0], [2.0]), ([2.0] * 5, []), ([], [1.0] * 1000), (range(50), range(400))):
        build.curve(run, validation=validation, train=train)
        page = html.render(run)
        assert 'role="img"' in page
        assert "<desc" in page
        assert not re.search(r'="[^"]*(nan|inf)[^"]*"', page)
    build.curve(run, validation=[float("nan")], train=[])
    assert "This run has no loss curve." in html.render(run)


def test_a_claim_stands_beside_what_the_figures_support(build: RunBuilder) -> None:
    written = text.render(build.imported())
    assert "Cannot be checked: the source gives no loss" in written
    assert "the one it reports as ROUGE-1" in written
    flat = " ".join(written.split())
    assert "A judgement that cannot be checked" in flat


def test_a_claim_that_runs_over_two_lines_is_one(build: RunBuilder) -> None:
    claims = {"WHAT I LEARNED": ["Loss curves show", "how training went", "Perplexity of 7.39", "One more."]}
    table = quotation(Facts.of(build.imported(source={"sections": claims})))
    assert table is not None
    assert [(row[0], row[1]) for row in table.texts] == [
        ("What I learned", "“Loss curves show how training went”"),
        ("What I learned", "“Perplexity of 7.39”"),
        ("What I learned", "“One more.”"),
    ]


def test_a_claim_is_set_against_a_curve_where_there_is_one(build: RunBuilder) -> None:
    claims = {"CLAIMS": ["Loss decreased", "Validation loss tracked training loss (no overfitting)"]}
    run = build.imported(source={"sections": claims})
    build.curve(run, validation=[2.3, 2.0, 1.8, 1.84, 1.9, 1.97, 2.05, 2.15], train=[2.0, 2.1] * 20)
    flat = " ".join(text.render(run).split())
    assert "logged training losses show no fall" in flat
    assert "the model overfits from epoch 3 on" in flat


def test_the_same_folder_gives_the_same_bytes_in_another_process(build: RunBuilder, tmp_path: Path) -> None:
    run = build.finished()
    first = {path.name: path.read_bytes() for path in write(run)}
    run.write_up("summary.txt")
    assert {path.name: path.read_bytes() for path in write(run)} == first
    code = (
        "import sys; from pathlib import Path; from medqa_core.runs.store.run_store import RunStore; "
        "from medqa_core.report.writer import write; write(RunStore(Path(sys.argv[1])).open('run-1')); "
        "assert not {'torch', 'transformers', 'streamlit', 'gradio', 'plotly'} & set(sys.modules)"
    )
    root = Path(__file__).resolve().parents[3]
    for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo")):
        environment = {"PYTHONHASHSEED": seed, "TZ": zone, "PYTHONPATH": str(root), "LC_ALL": "C.UTF-8"}
        command = [sys.executable, "-c", code, str(run.folder.parent)]
        subprocess.run(command, env=environment, check=True, cwd=tmp_path, capture_output=True)
        assert {name: (run.folder / name).read_bytes() for name in first} == first


def test_every_absence_is_survived(build: RunBuilder) -> None:
    for missing in (
        "metrics.jsonl",
        "status.json",
        "evaluation.json",
        "predictions.parquet",
        "mmlu_results",
        "run.json",
    ):
        run = build.finished(f"without-{missing.replace('.', '-')}")
        path = run.folder / missing
        if path.is_dir():
            (path / "results.json").unlink()
        else:
            path.unlink()
        assert len(write(run)) == 4


def test_odd_values_are_survived(build: RunBuilder) -> None:
    run = build.finished()
    build.evaluation(
        run,
        metrics={
            "loss": {"base": 1e300, "fine_tuned": -1e300, "difference": None},
            "mmlu": {"fine_tuned": 7.0, "n": 3},
            "rougeL": metric(0.2, 0.2, 0.0, "better"),
        },
        by_question_type={"": {"loss": {}}},
        base_generation=evaluation()["base_generation"] | {"length_ratio": 0.0},
        fine_tuned_generation=evaluation()["fine_tuned_generation"] | {"length_ratio": 0.0},
    )
    nan = float("nan")
    build.predictions(run, base_rougeL=nan, fine_tuned_loss=nan, group_id=None, base_answer=None, question_type=None)
    assert len(write(run)) == 4
    build.predictions(run, rows=0)
    assert len(write(run)) == 4


def test_trials_are_shown_as_a_record_kept_by_hand(build: RunBuilder) -> None:
    run = build.finished()
    assert "Trials" not in markdown.render(run)
    (run.folder / "trials.csv").write_text("Recipe,Loss\nrank 8 <b>,1.77\n")
    for render in (text.render, markdown.render, html.render, model_card.render):
        shown = render(run)
        assert "not verified by this run" in " ".join(shown.split())
        assert "1.77" in shown
        assert "<b>," not in shown
    assert "<b>" not in html.render(run)
    (run.folder / "trials.csv").write_text("Recipe,Loss\nrank 8\n")
    assert "Trials" not in text.render(run)
    assert any("trials.csv, row 2" in problem for problem in run.snapshot().problems)
