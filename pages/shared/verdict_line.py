"""The top of Summary and Metrics: the answer in everyday words, below it the figures that bear it out."""

from medqa_core.report.facts import Facts
from medqa_core.report.verdict import figures_line, sentence
from pages.shared.markup import answer, note


def verdict_line(facts: Facts) -> None:
    """Did it help? One sentence; then the primary metric with its interval, where it was compared."""
    if facts.evaluation is None and facts.in_progress:
        answer("Not known yet: the run is in progress, and the test questions are answered after training.")
        return
    figures = figures_line(facts)
    answer(sentence(facts).removesuffix(figures).strip())
    if figures:
        note(figures)
