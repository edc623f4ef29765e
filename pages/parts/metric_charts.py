"""The figures of what came of it: differences with their intervals, MMLU by subset, gain by question."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from medqa_core.report.format import percent, verdict_mark
from medqa_core.report.verdict import METRICS, change_text, supported
from medqa_core.runs.evaluation import LOWER_IS_BETTER, Metric
from medqa_core.runs.mmlu import CHANCE, MMLUResults, SubsetScore
from pages.parts import charts, theme

Z95 = 1.959964


def forest(metrics: dict[str, Metric]) -> go.Figure | None:
    """Each metric's change in per cent of the base model's value, turned so that right of zero is better."""
    p = theme.palette()
    rows = [(name, m, *_relative(name, m)) for name, m in metrics.items() if m.base and m.difference is not None]
    if not rows:
        return None
    chart = charts.figure(70 + 38 * len(rows), x="change in % of base; right is better", y="")
    chart.add_vline(x=0, line={"color": p.muted, "width": 1})
    reached = [0.0, *(v for _, _, mid, ci in rows for v in (mid, *(ci or ())))]
    pad = 0.06 * (max(reached) - min(reached) or 1.0)
    for name, metric, middle, ci in reversed(rows):
        verdict = supported(name, metric)
        colour = {"better": p.better, "worse": p.worse}.get(verdict, p.muted)
        label = charts.plain(METRICS[name].label)
        hover = f"{label}: {change_text(name, metric)}<br>{middle:+.2f}% of the base model's value<extra></extra>"
        if ci:
            chart.add_scatter(
                x=np.array(ci),
                y=[label, label],
                mode="lines",
                line={"color": colour, "width": 2.5},
                hoverinfo="skip",
            )
        chart.add_scatter(
            x=np.array([middle]),
            y=[label],
            mode="markers",
            marker={"size": 10, "color": colour, "symbol": "circle"},
            hovertemplate=hover,
        )
        chart.add_annotation(
            x=1,
            xref="paper",
            y=label,
            text=verdict_mark(verdict),
            showarrow=False,
            xanchor="left",
            xshift=10,
            font={"color": colour, "size": 13},
        )
    chart.update_xaxes(range=[min(reached) - pad, max(reached) + pad], ticksuffix="%", showgrid=True)
    chart.update_yaxes(showgrid=False, tickfont={"color": p.text, "size": 13})
    chart.update_layout(margin={"r": 110})
    return chart


def mmlu(results: MMLUResults) -> go.Figure:
    """Accuracy by subset with its 95% interval, against what guessing gives."""
    p = theme.palette()
    names = [_title(s.subset) for s in results.fine_tuned]
    chart = charts.figure(90 + 44 * len(names), x="share answered right", y="")
    chart.add_vline(x=CHANCE, line={"color": p.text, "width": 1, "dash": "dot"})
    chart.add_annotation(
        x=CHANCE, y=1, yref="paper", text="chance 25%", showarrow=False, yanchor="bottom", font={"color": p.text}
    )
    sides: list[tuple[str, list[SubsetScore] | None, str, str, float]] = [
        ("base", results.base, p.base, "circle-open", 0.14),
        ("fine-tuned", results.fine_tuned, p.tuned, "circle", -0.14),
    ]
    for label, scores, colour, symbol, lift in sides:
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
    chart.update_layout(showlegend=True, margin={"t": 40}, legend={"x": 0, "y": 1.06})
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
    sides = (("base", results.base or []), ("fine-tuned", results.fine_tuned))
    rows = [
        {"model": side, "subset": s.subset, "accuracy": s.accuracy, "stderr": s.stderr, "n": s.n}
        for side, scores in sides
        for s in scores
    ]
    return pd.DataFrame(rows)


def _relative(name: str, metric: Metric) -> tuple[float, tuple[float, float] | None]:
    sign = -1.0 if name in LOWER_IS_BETTER else 1.0
    scale = sign * 100.0 / abs(metric.base or 1.0)
    low_high = sorted(bound * scale for bound in metric.ci) if metric.ci else None
    return (metric.difference or 0.0) * scale, (low_high[0], low_high[1]) if low_high else None


def _title(subset: str) -> str:
    return subset.replace("_", " ")


def _mmlu_hover(score: SubsetScore) -> str:
    spread = f" ± {percent(Z95 * score.stderr)}" if score.stderr else ""
    return f"{_title(score.subset)}: {percent(score.accuracy)}{spread}" + (
        f" of {score.n} questions" if score.n else ""
    )
