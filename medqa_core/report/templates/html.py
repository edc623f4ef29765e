"""The write-up as one HTML file that needs nothing else: no script, no network, printable, light and dark."""

from medqa_core.report.charts.forest_svg import forest_svg
from medqa_core.report.charts.loss_svg import loss_svg
from medqa_core.report.charts.loss_words import describe
from medqa_core.report.document.write_up import write_up
from medqa_core.report.facts import Facts
from medqa_core.report.style import CSS
from medqa_core.report.templates.environment import environment
from medqa_core.runs.run import Run


def render(run: Run | Facts) -> str:
    """The full report."""
    facts = Facts.of(run)
    return (
        environment()
        .get_template("report.html.j2")
        .render(
            document=write_up(facts),
            css=CSS,
            curve=loss_svg(facts.metrics_log, facts.training),
            caption=describe(facts.metrics_log),
            forest=forest_svg(facts),
        )
    )
