"""The figures of what came of it: differences with their intervals, MMLU by subset, gain by question."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from medqa_core.foundation.format import percent
from medqa_core.report.forest import ForestRow, reach
from medqa_core.report.names import verdict_mark
from medqa_core.runs.artifacts.mmlu import CHANCE, MMLUResults, SubsetScore
from pages.shared import charts, theme

Z95 = 1.959964


def forest(rows: list[ForestRow]) -> go.Figure:
    """Each metric's change in per cent of the base model's value, turned so that right of zero is better."""
    p = theme.palette()
    chart = charts.figure(70 + 38 * len(rows), x="change in % of base; right is better", y="")
    chart.add_vline(x=0, line={"color": p.muted, "width": 1})
    for row in reversed(rows):
        colour = {"better": p.better, "worse": p.worse}.get(row.verdict, p.muted)
        label = charts.plain(row.label)
        if row.ends:
            chart.add_scatter(
                x=np.array(row.ends),
                y=[label, label],
                mode="lines",
                line={"color": colour, "width": 2.5},
                hoverinfo="skip",
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
    chart.update_xaxes(range=list(reach(rows)), ticksuffix="%", showgrid=True)
    chart.update_yaxes(showgrid=False, tickfont={"color": p.text, "size": 13})
    chart.update_layout(margin={"r": 110})
    return chart


def mmlu(results: MMLUResults) -> go.Figure:
    """Accuracy by subset with its 95% interval, against what guessing gives."""
    p = theme.palette()
    names = [_title(s.subset) for s in results.fine_tuned]
    chart = charts.figure(118 + 44 * len(names), x="share answered right", y="")
    chart.add_vline(x=CHANCE, line={"color": p.text, "width": 1, "dash": "dot"})
    chart.add_annotation(
        x=CHANCE, y=1, yref="paper", text="chance 25%", showarrow=False, yanchor="bottom", font={"color": p.text}
    )
    variants: list[tuple[str, list[SubsetScore] | None, str, str, float]] = [
        ("base", results.base, p.base, "circle-open", 0.14),
        ("fine-tuned", results.fine_tuned, p.tuned, "circle", -0.14),
    ]
    for label, scores, colour, symbol, lift in variants:
        if not scores:
            continue
        places = [names.index(_title(s.subset)) for s in scores if _title(s.subset) in names]
        known = [s for s in scores if _title(s.subset) in names]
        chart.add_scatter(
            x=np.array([s.accuracy for s in known]),
            y=np.array(places) * -1.0 + lift,
            error_x={
                "type": "data",
                "array": np.array([Z95 * (s.stderr or 0.0) for s in known]),
                "thickness": 1.5,
                "width": 0,
            },
            mode="markers",
            name=label,
            marker={"size": 10, "color": colour, "symbol": symbol, "line": {"width": 2, "color": colour}},
            customdata=[_mmlu_hover(s) for s in known],
            hovertemplate=f"{label}, %{{customdata}}<extra></extra>",
        )
    chart.update_xaxes(tickformat=".0%", showgrid=True, rangemode="tozero")
    chart.update_yaxes(
        tickvals=[-n for n in range(len(names))], ticktext=names, showgrid=False, tickfont={"color": p.text, "size": 13}
    )
    legend = {"x": 0, "y": 1, "yref": "container", "yanchor": "top"}  # above the line's name, however narrow the page
    chart.update_layout(showlegend=True, margin={"t": 68}, legend=legend)
    return chart


def gains(differences: pd.Series, unit: str) -> go.Figure:
    """One bar a test question, from the largest gain to the largest loss."""
    p = theme.palette()
    values = np.sort(differences.dropna().to_numpy(dtype=float))[::-1]
    chart = charts.figure(190, x="test questions, largest gain first", y=unit)
    chart.add_bar(
        x=np.arange(1, len(values) + 1),
        y=values,
        marker={"color": np.where(values > 0, p.better, p.worse), "line": {"width": 0}},
        hovertemplate=f"{unit} %{{y:+.4f}}<extra></extra>",
    )
    chart.add_hline(y=0, line={"color": p.muted, "width": 1})
    chart.update_layout(bargap=0.15 if len(values) < 150 else 0)
    chart.update_xaxes(showticklabels=False, ticks="")
    return chart


def mmlu_frame(results: MMLUResults) -> pd.DataFrame:
    """The rows behind the MMLU figure."""
    variants = (("base", results.base or []), ("fine-tuned", results.fine_tuned))
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
