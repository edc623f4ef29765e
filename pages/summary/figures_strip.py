"""The four figures of a run: base → fine-tuned with interval and verdict; for an imported run, what its source says."""

from html import escape

from medqa_core.foundation.format import NOT_STATED
from medqa_core.report.facts import Facts
from medqa_core.report.views.controls import ControlView, best_control, control_views
from medqa_core.report.views.headline import Headline, four
from medqa_core.report.wording.headline import headline_text
from medqa_core.report.wording.metric import value_text
from pages.shared.markup import html, verdict


def show(facts: Facts) -> None:
    """The strip, in one row on a wide screen, else two by two; the best control stands with what it was measured on.

    Nothing where no figure is known.
    """
    found, controls = four(facts), control_views(facts)
    if any(figure.origin != "not stated" for figure in found):
        html(
            '<dl class="mq-figures">'
            + "".join(
                _cell(figure, NOT_STATED if facts.imported else "not measured", best_control(controls, figure.name))
                for figure in found
            )
            + "</dl>"
        )


def _cell(headline: Headline, unknown: str, control: ControlView | None) -> str:
    spec, text = headline.metric.spec, headline_text(headline)
    about = [spec.unit] if spec.unit else []
    about.append("lower is better" if spec.lower_is_better else "higher is better")
    head = f"<dt>{escape(headline.label)} <span>{escape(', '.join(about))}</span></dt>"
    tuned = f'<span class="mq-tuned mq-strong">{escape(text.fine_tuned or unknown)}</span>'
    if headline.compared:
        base = f'<span class="mq-base">{escape(text.base or unknown)}</span> '
        base += '<span class="mq-muted" aria-label="to">→</span> '
        change = "".join(f'<span class="fit">{escape(part)}</span> ' for part in _parts(text.change))
        below = f"<dd>{change}</dd><dd>{verdict(headline.metric.verdict)}</dd>"
        if control is not None:
            best = value_text(headline.name, control.values[headline.name])
            below += f'<dd class="mq-muted">□ without a model: {escape(best)}</dd>'
        return f'<div>{head}<dd class="mq-pair">{base}{tuned}</dd>{below}</div>'
    if headline.origin == "not stated":
        missing = f'<dd class="mq-pair mq-muted" aria-hidden="true">·</dd><dd class="mq-muted">{unknown}</dd>'
        return f"<div>{head}{missing}</div>"
    if headline.figure.in_words:
        return f'<div>{head}<dd class="mq-muted">the source says: “{escape(headline.figure.text)}”</dd></div>'
    origin = "as the source reports it" if headline.origin == "reported" else "measured"
    below = f'<dd class="mq-muted">{origin}; base {unknown}</dd>'
    return f'<div>{head}<dd class="mq-pair">{tuned}</dd>{below}</div>'


def _parts(change: str) -> list[str]:
    """A difference and its interval, between which a line may break."""
    value, bracket, interval = change.partition(" [")
    return [value, f"[{interval}"] if bracket else [value]
