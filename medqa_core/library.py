"""Runs in a notebook: their curves, metrics and answers as DataFrames, and their figures.

`import medqa_core` offers `open_run` and `list_runs` from here. Nothing is trained, and nothing is written but, once,
the shipped runs into an installation's own store.
"""

from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd

from medqa_core.foundation.errors import RunError
from medqa_core.foundation.settings import Settings
from medqa_core.report import answer_rows
from medqa_core.report.charts import forest
from medqa_core.report.charts.figure import Figure
from medqa_core.report.charts.loss import Axis, View, curve_frame, loss_figure
from medqa_core.report.charts.metrics import forest_figure, gains_figure, mmlu_figure
from medqa_core.report.charts.palette import DARK, LIGHT, Palette
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS
from medqa_core.report.views.controls import comparison_rows, control_views
from medqa_core.report.views.metric import MetricView, whole
from medqa_core.report.wording.verdict import sentence
from medqa_core.runs.artifacts.predictions import SCHEMA
from medqa_core.runs.store import shipped
from medqa_core.runs.store.run_store import RunStore

METRIC_COLUMNS = ("base", "fine_tuned", "difference", "ci_low", "ci_high", "level", "p", "n", "verdict")
RUN_COLUMNS = ("id", "number", "title", "kind", "state", "created_at", "base_model", "problem")


def list_runs(reports: Path | str | None = None) -> pd.DataFrame:
    """The runs of a store, newest first, one row each; `problem` says why a run cannot be opened.

    Args:
        reports: the folder of the store; by default the one that the environment names (`MEDQA_REPORTS`).
    """
    return pd.DataFrame([asdict(entry) for entry in _store(reports).list()], columns=list(RUN_COLUMNS))


def open_run(run_id: str, reports: Path | str | None = None) -> "OpenRun":
    """A run as its files are now.

    Args:
        run_id: the name of its folder, as `list_runs` gives it.
        reports: the folder of the store; by default the one that the environment names (`MEDQA_REPORTS`).

    Raises:
        InputError: not a run id.
        RunNotFound: there is no such run.
        UnreadableFile: its run.json cannot be read.
    """
    return OpenRun(Facts.of(_store(reports).open(run_id)))


class OpenRun:
    """One run, read once. What it does not have is an empty DataFrame, or a `RunError` where a figure is asked for."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def __repr__(self) -> str:
        return f"<run {self.id}: {self._facts.record.title}>"

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self._facts.run.id

    @property
    def problems(self) -> tuple[str, ...]:
        """What of the run could not be read, one line each."""
        return self._facts.problems

    def verdict(self) -> str:
        """Whether fine-tuning helped, in words, with its uncertainty."""
        return sentence(self._facts)

    def curve(self) -> pd.DataFrame:
        """The loss curve: one row a logged step, with `split` (train, validation), `step`, `epoch`, `loss`, …

        Loss in nats per token, time in seconds since training began.
        """
        frame = curve_frame([self._curve]).drop(columns="run").reset_index(drop=True)
        return frame.astype({"step": "int64"})

    def metrics(self) -> pd.DataFrame:
        """Base against fine-tuned: one row a metric, which is the index.

        `difference` is fine-tuned − base, with the ends of its interval at `level`; `n` counts questions; `verdict` is
        `better`, `worse`, `equivalent` or `cannot tell`, which is inconclusive. Loss in nats per token, MMLU and ROUGE
        as shares of one.
        """
        metrics = whole(self._facts)
        rows = {name: _metric_row(metrics[name]) for name in METRICS if name in metrics}
        frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(METRIC_COLUMNS))
        return frame.rename_axis("metric")

    def controls(self) -> pd.DataFrame:
        """The models against answers without a model: one row a control, model and metric.

        `base` is the control's value, `fine_tuned` that of `model`, `difference` model − control; the rest as in
        `metrics`. Empty where no control was measured.
        """
        columns = ["control", "model", "metric", *(field.name for field in fields(MetricView) if field.name != "name")]
        return pd.DataFrame(comparison_rows(self._facts), columns=columns)

    def predictions(self) -> pd.DataFrame:
        """One row a test question: both models' answers with their scores."""
        found = self._facts.predictions
        return pd.DataFrame(columns=SCHEMA.names) if found is None else found.copy()

    def loss_figure(self, *, axis: Axis = "step", smoothing: float = 0.6, dark: bool = False) -> Figure:
        """Training and validation loss over optimizer steps or epochs.

        Args:
            axis: `step` or `epoch`.
            smoothing: weight of the past in the moving average of the training loss, from 0 to below 1.
            dark: light lines on a dark ground.
        """
        if self._curve.metrics_log.empty:
            raise self._lacks("loss curve")
        return _on_paper(loss_figure([self._curve], View(axis, smoothing), _palette(dark)), dark)

    def metrics_figure(self, *, dark: bool = False) -> Figure:
        """The metrics' differences with their intervals, in per cent of the base model's value; right is better."""
        rows = forest.rows(whole(self._facts), control_views(self._facts))
        if not rows:
            raise self._lacks("metric of both models")
        return _on_paper(forest_figure(rows, _palette(dark)), dark)

    def mmlu_figure(self, *, dark: bool = False) -> Figure:
        """Accuracy on each MMLU subset with its 95% interval, against guessing."""
        if self._facts.mmlu is None:
            raise self._lacks("MMLU result")
        return _on_paper(mmlu_figure(self._facts.mmlu, _palette(dark)), dark)

    def gains_figure(self, score: str = answer_rows.SCORES[0], *, dark: bool = False) -> Figure:
        """One bar for each test question: how much better the fine-tuned answer scores.

        Args:
            score: one of `rougeL`, `rouge1`, `rouge2`, `token_f1`, `loss`.
            dark: light lines on a dark ground.
        """
        if self._facts.predictions is None:
            raise self._lacks("answer")
        gains = answer_rows.gain(self._facts.predictions, score)
        return _on_paper(gains_figure(gains, f"{METRICS[score].label} gain", _palette(dark)), dark)

    def figures(self, *, dark: bool = False) -> dict[str, Figure]:
        """All figures that the run has the data for, by name."""
        builders: dict[str, Callable[..., Figure]] = {
            "loss": self.loss_figure,
            "metrics": self.metrics_figure,
            "mmlu": self.mmlu_figure,
            "gains": self.gains_figure,
        }
        found = {}
        for name, build in builders.items():
            try:
                found[name] = build(dark=dark)
            except RunError:
                continue
        return found

    @property
    def _curve(self) -> RunCurve:
        return RunCurve.of(self._facts.snapshot)

    def _lacks(self, what: str) -> RunError:
        return RunError(f"Run {self.id} has no {what} to draw.")


def _metric_row(metric: MetricView) -> tuple[object, ...]:
    """The values under METRIC_COLUMNS."""
    low, high = metric.interval or (None, None)
    level = metric.level if metric.interval else None
    values = (metric.base, metric.fine_tuned, metric.difference, low, high, level, metric.p, metric.n)
    return (*values, metric.verdict)


def _store(reports: Path | str | None) -> RunStore:
    if reports is not None:
        return RunStore(Path(reports))
    settings = Settings.from_environment()
    shipped.unpack(settings)
    return RunStore(settings.reports)


def _palette(dark: bool) -> Palette:
    return DARK if dark else LIGHT


def _on_paper(chart: Figure, dark: bool) -> Figure:
    """On its own ground: a notebook's may be of the other kind."""
    paper = _palette(dark).paper
    return chart.update_layout(paper_bgcolor=paper, plot_bgcolor=paper)
