"""The write-up as one HTML file that needs nothing else: no script, no network, printable, light and dark."""

from medqa_core.report.document.write_up import write_up
from medqa_core.report.facts import Facts, Points
from medqa_core.report.forest import forest
from medqa_core.report.style import CSS
from medqa_core.report.svg import describe, loss_curve
from medqa_core.report.templates.environment import environment
from medqa_core.runs.run import Run


def render(run: Run | Facts) -> str:
    """The whole write-up."""
    facts = Facts.of(run)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            document=write_up(facts),
            css=CSS,
            curve=loss_curve(facts),
            caption=describe(Points.of(facts.metrics_log.train), Points.of(facts.metrics_log.validation)),
            forest=forest(facts),
        )
    )
