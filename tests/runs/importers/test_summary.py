"""A summary text: every figure by its name, prose only as a quotation, what is not said, and odd lines."""

from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.runs.importers import import_path
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import ImportRecord
from medqa_core.runs.store.run_store import RunStore
from tests.support.foreign_runs import FIGURES, SUMMARY, misread


def _import(store: RunStore, tmp_path: Path, text: str, **options: bool) -> tuple[Run, ImportRecord]:
    path = tmp_path / "a-summary.txt"
    path.write_text(text, encoding="utf-8")
    run = import_path(path, store, **options)  # type: ignore[arg-type]
    assert run.record.imported is not None
    return run, run.record.imported


@pytest.mark.parametrize(
    "text",
    [
        SUMMARY,
        misread(SUMMARY),
        SUMMARY.replace("\n", "\r\n"),
        "\ufeff" + SUMMARY,
        SUMMARY.encode("ascii", "ignore").decode(),
        "\n".join([SUMMARY.splitlines()[2], *sorted(SUMMARY.splitlines()[3:])]),
    ],
    ids=["clean", "misread", "crlf", "bom", "no emoji", "any order"],
)
def test_every_figure_is_found(store: RunStore, tmp_path: Path, text: str) -> None:
    run, imported = _import(store, tmp_path, text)
    assert imported.figures == FIGURES
    assert run.record.title == "GPT-2 on HeartPairs"
    assert (run.id, run.record.number) == ("run-5", 5)
    assert run.record.created_at.isoformat() == "2024-02-03T04:05:06+00:00"
    assert run.record.base_model is not None
    assert (run.record.base_model.id, run.record.base_model.parameters) == ("GPT-2", 124_000_000)
    assert run.record.data is not None
    assert run.record.data.split is not None
    assert run.record.data.split.train == 2000
    assert run.record.environment.torch == "2.3.1"


@pytest.mark.parametrize("text", [SUMMARY, misread(SUMMARY)])
def test_prose_is_kept_by_heading(store: RunStore, tmp_path: Path, text: str) -> None:
    run, imported = _import(store, tmp_path, text)
    assert imported.sections == {
        "Objective": ["See whether a bigger network", "reads charts."],
        "Why this model": ["It was to hand", "It fits on one card"],
        "Why this data": ["Nothing else was allowed"],
        "Training results": ["✅ The curve fell → good"],
        "Evaluation metrics": ["→ Smaller is nicer"],
        "How It Went": ["✅ Nothing burned", "A perplexity of 9.97 was seen"],
        "Model Limitations": ["⚠️ Not for patients"],
    }
    assert run.record.description == "See whether a bigger network reads charts."


def test_prose_is_left_out_on_request(store: RunStore, tmp_path: Path) -> None:
    run, imported = _import(store, tmp_path, SUMMARY, keep_prose=False)
    assert imported.sections == {}
    assert imported.figures == FIGURES
    assert "The source's own words: 10 lines under 7 headings, left out on import." in imported.missing
    written = (run.folder / "run.json").read_text()
    assert not any(words in written for words in ("charts", "to hand", "burned", "patients"))


def test_nothing_is_compared_that_the_source_does_not_state(store: RunStore, tmp_path: Path) -> None:
    run, imported = _import(store, tmp_path, SUMMARY)
    evaluation = run.evaluation()
    assert evaluation is not None
    assert evaluation.primary_metric == "loss"
    assert {name: metric.fine_tuned for name, metric in evaluation.metrics.items()} == {
        "loss": 2.3,
        "perplexity": 9.97,
        "rouge1": 0.31,
        "rouge2": 0.1,
        "rougeL": 0.2,
    }
    for metric in evaluation.metrics.values():
        assert (metric.base, metric.difference, metric.verdict) == (None, None, "cannot tell")
        assert metric.reason
    assert run.metrics_log().empty
    assert run.predictions() is None
    assert run.state() == "imported"
    assert run.snapshot().problems == ()
    missing = " ".join(imported.missing)
    for words in ("time zone", "Base-model", "Loss curve", "Per-question", "hash", "Seed", "MMLU", "Validation loss"):
        assert words in missing


def test_the_checks_pass_where_the_figures_agree(store: RunStore, tmp_path: Path) -> None:
    _, imported = _import(store, tmp_path, SUMMARY)
    assert {check.name: check.passed for check in imported.checks} == {
        "perplexity = exp(test loss)": True,
        "samples per second × time = epochs × training size": True,
        "effective batch = batch × gradient accumulation steps": True,
        "split sizes sum to the total": None,
        "warm-up is shorter than training": True,
        "ROUGE lies in 0 to 1, ROUGE-L not above ROUGE-1": True,
    }


@pytest.mark.parametrize(
    ("old", "new", "check"),
    [
        ("Perplexity: 9.97", "Perplexity: 9.89", "perplexity"),
        ("Samples/Second: 5.00", "Samples/Second: 6.00", "samples per second"),
        ("effective: 32", "effective: 30", "effective batch"),
        ("Warmup Steps: 50", "Warmup Steps: 500", "warm-up"),
        ("ROUGE-L: 0.2000", "ROUGE-L: 20.0", "ROUGE"),
        ("ROUGE-L: 0.2000", "ROUGE-L: 0.3200", "ROUGE"),
        ("Epochs: 3", "Epochs: 3\nTotal: 2800", "split sizes"),
        ("Epochs: 3", "Epochs: 3\nTest Loss: 9", "test_loss is stated once"),
    ],
)
def test_a_check_fails_where_figures_disagree(store: RunStore, tmp_path: Path, old: str, new: str, check: str) -> None:
    assert old in SUMMARY
    _, imported = _import(store, tmp_path, SUMMARY.replace(old, new))
    failed = [c.name for c in imported.checks if c.passed is False]
    assert any(name.startswith(check) for name in failed)


@pytest.mark.parametrize(
    ("old", "new", "name", "value"),
    [
        ("Training Time: 20.00 minutes", "Training time: 2 hours", "train_minutes", 120.0),
        ("Training Time: 20.00 minutes", "Train Time: 90 s", "train_minutes", 1.5),
        ("ROUGE-1: 0.3100", "• Rouge 1: 31%", "rouge1", 0.31),
        ("Size: 2000", "Size: 2,000", "train_size", 2000),
        ("Batch Size: 8", "batch_size: 8", "batch_size", 8),
        ("Learning Rate: 3e-05", "- LR: 0.00003", "learning_rate", 3e-5),
        ("(124M parameters)", "(1.5B parameters)", "base_model_parameters", 1_500_000_000),
        ("MMLU Benchmark: Check mmlu_results/results.json", "MMLU: 0.27", "mmlu", 0.27),
        ("Weight Decay: 0.02", "Weight Decay: 0.02\nGradient Clip: 1.5", "gradient_clip", 1.5),
        ("Weight Decay: 0.02", "Weight Decay: 0.02\nSeed: 42", "seed", 42),
    ],
)
def test_other_ways_to_write_a_figure(
    store: RunStore, tmp_path: Path, old: str, new: str, name: str, value: float
) -> None:
    assert old in SUMMARY
    _, imported = _import(store, tmp_path, SUMMARY.replace(old, new))
    assert imported.figures[name] == pytest.approx(value)


@pytest.mark.parametrize("value", ["nan", "inf", "n/a", "1e999", "2,04", "1.2.3", "-", "9" * 400, "12abc"])
def test_a_figure_that_cannot_be_read_is_named_and_not_guessed(store: RunStore, tmp_path: Path, value: str) -> None:
    run, imported = _import(store, tmp_path, SUMMARY.replace("Test Loss: 2.3000", f"Test Loss: {value}"))
    assert "test_loss" not in imported.figures
    assert any(entry.startswith("test_loss: the source says") for entry in imported.missing)
    assert "loss" not in run.evaluation().metrics  # type: ignore[union-attr]


@pytest.mark.parametrize("line", [line.strip() for line in SUMMARY.splitlines() if ": " in line and "MMLU" not in line])
def test_any_line_may_be_missing(store: RunStore, tmp_path: Path, line: str) -> None:
    _, imported = _import(store, tmp_path, SUMMARY.replace(line, ""))
    assert len(imported.figures) >= len(FIGURES) - 3


def test_without_a_date_the_file_s_own_stands_in(store: RunStore, tmp_path: Path) -> None:
    run, imported = _import(store, tmp_path, SUMMARY.replace("Date: 2024-02-03 04:05:06", "Date: last week"))
    assert run.record.created_at.year >= 2024
    assert any(entry.startswith("Date: none that can be read") for entry in imported.missing)


def test_a_date_with_a_zone_is_kept(store: RunStore, tmp_path: Path) -> None:
    run, imported = _import(store, tmp_path, SUMMARY.replace("04:05:06", "04:05:06+02:00"))
    assert run.record.created_at.isoformat() == "2024-02-03T04:05:06+02:00"
    assert not any("zone" in entry for entry in imported.missing)


def test_a_test_loss_below_the_training_loss_is_remarked_and_not_failed(store: RunStore, tmp_path: Path) -> None:
    _, imported = _import(store, tmp_path, SUMMARY.replace("Final Training Loss: 2.1000", "Final Training Loss: 2.5"))
    [remark] = [check for check in imported.checks if "comparable" in check.name]
    assert remark.passed is None
    assert "mean over the whole run" in remark.detail


def test_the_author_s_folders_are_not_kept(store: RunStore, tmp_path: Path) -> None:
    text = SUMMARY.replace("GPT-2 (124M", "/Users/annette/models/GPT-2 (124M").replace(
        "Nothing burned", "saved in ~/annette/out/x"
    )
    run, imported = _import(store, tmp_path, text)
    written = (run.folder / "run.json").read_text()
    assert "annette" not in written
    assert str(tmp_path) not in written
    assert imported.figures["base_model"] == "GPT-2 (124M parameters)"


def test_hostile_text_is_harmless(store: RunStore, tmp_path: Path) -> None:
    text = SUMMARY.replace("Device: cuda", "Device: \u202ecuda\x1b[31m<script>alert(1)</script>" + "x" * 5000)
    _, imported = _import(store, tmp_path, text)
    device = str(imported.figures["device"])
    assert device.startswith("cuda[31m<script>")
    assert len(device) <= 500


@pytest.mark.parametrize("text", ["Test Loss", "Date: 2024-01-01", "Model: a\nEpochs: 3", "hello\n" * 100, "-----"])
def test_what_states_no_result_is_no_summary(store: RunStore, tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="states no result"):
        _import(store, tmp_path, text)


def test_more_lines_than_are_kept_are_counted(store: RunStore, tmp_path: Path) -> None:
    _, imported = _import(store, tmp_path, SUMMARY + "and so on\n" * 5000)
    assert any("lines beyond what is kept" in entry for entry in imported.missing)
