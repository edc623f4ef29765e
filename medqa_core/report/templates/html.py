"""The write-up as one HTML file that needs nothing else: no script, no network, printable, light and dark."""

from functools import cache

from jinja2 import Template
from markupsafe import Markup

from medqa_core.report.document.write_up import write_up
from medqa_core.report.facts import Facts, Points
from medqa_core.report.forest import forest
from medqa_core.report.style import CSS
from medqa_core.report.svg import describe, loss_curve
from medqa_core.report.templates.environment import code_spans, environment
from medqa_core.runs.run import Run


def render(run: Run | Facts) -> str:
    """The whole write-up."""
    facts = Facts.of(run)
    points = Points.of(facts.metrics_log.train), Points.of(facts.metrics_log.validation)
    return _template().render(
        document=write_up(facts),
        css=Markup(CSS),
        curve=Markup(loss_curve(facts)),
        caption=describe(*points),
        forest=Markup(forest(facts)),
    )


def code(text: str) -> Markup:
    """Text that shows as it is; what we put in backticks as code."""
    pieces = (Markup("<code>{}</code>").format(piece) if is_code else piece for piece, is_code in code_spans(text))
    return Markup("").join(pieces)


@cache
def _template() -> Template:
    made = environment().overlay()
    made.filters = {**made.filters, "code": code}
    return made.get_template("report.html.j2")
