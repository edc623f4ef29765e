"""The four figures of a run: base → fine-tuned with interval and verdict; for an imported run, what its source says."""

from html import escape

from medqa_core.foundation.format import NOT_STATED
from medqa_core.report.facts import Facts
from medqa_core.report.headline import Headline, four
from medqa_core.report.verdict import METRICS, supported
from pages.shared.markup import html, verdict


def show(facts: Facts) -> None:
    """The strip, in one row on a wide screen and two by two on a phone; nothing where no figure is known."""
    found = four(facts)
    if any(figure.origin != "not stated" for figure in found):
        html(
            '<dl class="mq-figures">'
            + "".join(
                _cell(figure, NOT_STATED if facts.imported else "not measured", _verdict(facts, figure.name))
                for figure in found
            )
            + "</dl>"
        )


def _verdict(facts: Facts, name: str) -> str:
    metric = facts.metric(name)
    return "" if metric is None else supported(name, metric)


def _cell(figure: Headline, unknown: str, told: str) -> str:
    spec = METRICS[figure.name]
    about = [spec.unit] if spec.unit else []
    about.append("lower is better" if spec.lower_is_better else "higher is better")
    head = f"<dt>{escape(figure.label)} <span>{escape(', '.join(about))}</span></dt>"
    tuned = f'<span class="mq-tuned mq-strong">{escape(figure.fine_tuned)}</span>'
    if figure.verdict:
        base = f'<span class="mq-base">{escape(figure.base)}</span> <span class="mq-muted" aria-label="to">→</span> '
        below = f'<dd class="fit">{escape(figure.change)}</dd><dd>{verdict(told)}</dd>'
        return f'<div>{head}<dd class="mq-pair">{base}{tuned}</dd>{below}</div>'
    if figure.origin == "not stated":
        missing = f'<dd class="mq-pair mq-muted" aria-hidden="true">·</dd><dd class="mq-muted">{unknown}</dd>'
        return f"<div>{head}{missing}</div>"
    if not any(c.isdigit() for c in figure.fine_tuned.split(" ")[0]):  # words in place of a figure
        return f'<div>{head}<dd class="mq-muted">the source says: “{escape(figure.fine_tuned)}”</dd></div>'
    origin = "as the source reports it" if figure.origin == "reported" else "measured"
    below = f'<dd class="mq-muted">{origin}; base {unknown}</dd>'
    return f'<div>{head}<dd class="mq-pair">{tuned}</dd>{below}</div>'
