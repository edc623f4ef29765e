"""The figures of an evaluation: differences with their intervals, MMLU by subset, gain by question, with sources."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from medqa_core.foundation.format import percent
from medqa_core.report.charts.figure import figure, plain
from medqa_core.report.charts.forest import ForestRow, scale_ends
from medqa_core.report.charts.palette import LIGHT, Palette
from medqa_core.report.names import MODELS, verdict_mark
from medqa_core.report.views.with_sources import PassagesRow
from medqa_core.runs.artifacts.mmlu import CHANCE, MMLUResults, SubsetScore

Z95 = 1.959964


def forest_figure(rows: list[ForestRow], palette: Palette = LIGHT) -> go.Figure:
    """Each metric's change in per cent of the base model's value, turned so that right of zero is better."""
    chart = figure(70 + 38 * len(rows), x="change in % of base; right is better", y="", palette=palette)
    chart.add_vline(x=0, line={"color": palette.muted, "width": 1})
    for row in reversed(rows):
        colour = palette.verdict(row.verdict)
        label = plain(row.label)
        if row.ends:
            chart.add_scatter(
                x=np.array(row.ends),
                y=[label, label],
                mode="lines",
                line={"color": colour, "width": 2.5},
                hoverinfo="skip",
            )
        if row.control is not None:
            chart.add_scatter(
                x=np.array([row.control]),
                y=[label],
                mode="markers",
                marker={"size": 10, "color": palette.control, "symbol": "square-open", "line": {"width": 2}},
                hovertemplate=f"{plain(row.control_text)}<br>{row.control:+.2f}% of the base's value<extra></extra>",
            )
        chart.add_scatter(
            x=np.array([row.middle]),
            y=[label],
            mode="markers",
            marker={"size": 10, "color": colour, "symbol": "circle"},
            hovertemplate=f"{label}: {row.change}<br>{row.middle:+.2f}% of the base model's value<extra></extra>",
        )
        chart.add_annotation(
            x=1,
            xref="paper",
            y=label,
            text=verdict_mark(row.verdict),
            showarrow=False,
            xanchor="left",
            xshift=10,
            font={"color": colour, "size": 13},
        )
    chart.update_xaxes(range=list(scale_ends(rows)), ticksuffix="%", showgrid=True)
    chart.update_yaxes(showgrid=False, tickfont={"color": palette.text, "size": 13})
    chart.update_layout(margin={"r": 110})
    return chart


def mmlu_figure(results: MMLUResults, palette: Palette = LIGHT) -> go.Figure:
    """Accuracy by subset with its 95% interval, against what guessing gives."""
    names = [_title(s.subset) for s in results.fine_tuned]
    chart = figure(118 + 44 * len(names), x="accuracy", y="", palette=palette)
    chart.add_vline(x=CHANCE, line={"color": palette.text, "width": 1, "dash": "dot"})
    chart.add_annotation(
        x=CHANCE, y=1, yref="paper", text="chance 25%", showarrow=False, yanchor="bottom", font={"color": palette.text}
    )
    _mmlu_points(chart, MODELS["base"], results.base or [], names, (palette.base, "circle-open", 0.14))
    _mmlu_points(chart, MODELS["fine_tuned"], results.fine_tuned, names, (palette.tuned, "circle", -0.14))
    chart.update_xaxes(tickformat=".0%", showgrid=True, rangemode="tozero")
    chart.update_yaxes(
        tickvals=[-n for n in range(len(names))],
        ticktext=names,
        showgrid=False,
        tickfont={"color": palette.text, "size": 13},
    )
    legend = {"x": 0, "y": 1, "yref": "container", "yanchor": "top"}  # above the line's name, however narrow the page
    chart.update_layout(showlegend=True, margin={"t": 68}, legend=legend)
    return chart


def _mmlu_points(
    chart: go.Figure, label: str, scores: list[SubsetScore], names: list[str], look: tuple[str, str, float]
) -> None:
    """One model's accuracies; `look` is its colour, its marker, and how far above its row it stands."""
    colour, symbol, lift = look
    known = [score for score in scores if _title(score.subset) in names]
    if not known:
        return
    chart.add_scatter(
        x=np.array([score.accuracy for score in known]),
        y=np.array([names.index(_title(score.subset)) for score in known]) * -1.0 + lift,
        error_x={
            "type": "data",
            "array": np.array([Z95 * (score.stderr or 0.0) for score in known]),
            "thickness": 1.5,
            "width": 0,
        },
        mode="markers",
        name=label,
        marker={"size": 10, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
        customdata=[_mmlu_hover(score) for score in known],
        hovertemplate=f"{label}, %{{customdata}}<extra></extra>",
    )


def gains_figure(differences: pd.Series, unit: str, palette: Palette = LIGHT) -> go.Figure:
    """One bar for each test question, from the largest gain to the largest drop."""
    values = np.sort(differences.dropna().to_numpy(dtype=float))[::-1]
    chart = figure(190, x="test questions, largest gain first", y=unit, palette=palette)
    chart.add_bar(
        x=np.arange(1, len(values) + 1),
        y=values,
        marker={"color": np.where(values > 0, palette.better, palette.worse), "line": {"width": 0}},
        hovertemplate=f"{unit} %{{y:+.4f}}<extra></extra>",
    )
    chart.add_hline(y=0, line={"color": palette.muted, "width": 1})
    chart.update_layout(bargap=0.15 if len(values) < 150 else 0)
    chart.update_xaxes(showticklabels=False, ticks="")
    return chart


def with_sources_figure(rows: Sequence[PassagesRow], palette: Palette = LIGHT) -> go.Figure:
    """Each metric's three values on one line: hollow circle, filled circle, diamond."""
    chart = figure(118 + 38 * len(rows), x="score, 0 to 1; right is better", y="", palette=palette)
    looks = [
        ("base", palette.base, "circle-open", [row.base.base for row in rows]),
        ("fine_tuned", palette.tuned, "circle", [row.fine_tuned.base for row in rows]),
        ("with_sources", palette.with_sources, "diamond", [row.with_passages for row in rows]),
    ]
    labels = [plain(row.base.label) for row in rows]
    for variant, colour, symbol, values in looks:
        chart.add_scatter(
            x=np.array(values, dtype=float),
            y=labels,
            mode="markers",
            name=MODELS[variant],
            marker={"size": 11, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
            hovertemplate=f"{MODELS[variant]}, %{{y}}: %{{x:.4f}}<extra></extra>",
        )
    chart.update_xaxes(showgrid=True, rangemode="tozero")
    chart.update_yaxes(showgrid=False, tickfont={"color": palette.text, "size": 13}, autorange="reversed")
    legend = {"x": 0, "y": 1, "yref": "container", "yanchor": "top"}
    chart.update_layout(showlegend=True, margin={"t": 48}, legend=legend)
    return chart


def mmlu_frame(results: MMLUResults) -> pd.DataFrame:
    """The rows behind the MMLU figure."""
    variants = ((MODELS["base"], results.base or []), (MODELS["fine_tuned"], results.fine_tuned))
    rows = [
        {"model": variant, "subset": s.subset, "accuracy": s.accuracy, "stderr": s.stderr, "n": s.n}
        for variant, scores in variants
        for s in scores
    ]
    return pd.DataFrame(rows)


def _title(subset: str) -> str:
    return subset.replace("_", " ")


def _mmlu_hover(score: SubsetScore) -> str:
    spread = f" ± {percent(Z95 * score.stderr)}" if score.stderr else ""
    return f"{_title(score.subset)}: {percent(score.accuracy)}{spread}" + (
        f" of {score.n} questions" if score.n else ""
    )
