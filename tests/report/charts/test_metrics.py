"""The figures of an evaluation: the same data in light and dark, and nothing drawn that is not there."""

import numpy as np
import pandas as pd
import pytest

from medqa_core.report.charts.metrics import gains_figure, mmlu_figure, mmlu_frame, with_sources_figure
from medqa_core.report.charts.palette import DARK, LIGHT, Palette
from medqa_core.report.charts.shares import shares_figure
from medqa_core.report.views.metric import MetricView
from medqa_core.report.views.with_sources import PassagesRow
from medqa_core.runs.artifacts.mmlu import MMLUResults, SubsetScore

SCORES = [SubsetScore(subset="anatomy", accuracy=0.3, stderr=0.04, n=135)]


def results(base: list[SubsetScore] | None) -> MMLUResults:
    return MMLUResults(fine_tuned=SCORES, base=base)


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
def test_the_models_keep_their_colours_and_markers(palette: Palette) -> None:
    base, tuned = mmlu_figure(results(SCORES), palette).data
    assert (base.marker.color, base.marker.symbol) == (palette.base, "circle-open")
    assert (tuned.marker.color, tuned.marker.symbol) == (palette.tuned, "circle")
    bars = shares_figure(["a"], {"base": [0.2], "fine_tuned": [0.4]}, y="share", palette=palette).data
    assert [bar.marker.line.color for bar in bars] == [palette.base, palette.tuned]


def test_a_model_without_scores_is_not_drawn() -> None:
    assert [trace.name for trace in mmlu_figure(results(None)).data] == ["fine-tuned"]
    assert mmlu_frame(results(None))["model"].tolist() == ["fine-tuned"]


def test_gains_are_sorted_and_coloured_by_their_sign() -> None:
    [bars] = gains_figure(pd.Series([-0.1, 0.3, np.nan, 0.2]), "ROUGE-L gain").data
    assert bars.y.tolist() == [0.3, 0.2, -0.1]
    assert list(bars.marker.color) == [LIGHT.better, LIGHT.better, LIGHT.worse]


def test_with_sources_has_three_points_a_metric() -> None:
    base, tuned = (MetricView("rougeL", base=value, fine_tuned=0.4) for value in (0.2, 0.3))
    drawn = with_sources_figure([PassagesRow("rougeL", base, tuned)]).data
    assert [trace.x.tolist() for trace in drawn] == [[0.2], [0.3], [0.4]]


def test_a_reference_stands_beside_the_shares() -> None:
    drawn = shares_figure(
        ["A"], {"base": [0.2]}, y="share", level=(0.25, "equal"), reference=([0.3], "correct answers")
    )
    assert [bar.name for bar in drawn.data] == ["base", "correct answers"]
    assert drawn.layout.yaxis.range[1] == pytest.approx(0.345)
