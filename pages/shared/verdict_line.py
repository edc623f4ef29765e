"""The top of Summary and Metrics: the answer in everyday words, below it the figures behind it."""

from medqa_core.report.facts import Facts
from medqa_core.report.views.verdict import verdict_view
from medqa_core.report.wording.verdict import verdict_text
from pages.shared.markup import answer, caveat, note


def verdict_line(facts: Facts) -> None:
    """Did it help? One sentence, and in a second what speaks against it; then the primary metric, where compared."""
    if facts.evaluation is None and facts.in_progress:
        answer("Not known yet: the run is in progress, and the test questions are answered after training.")
        return
    view = verdict_view(facts)
    said = verdict_text(view)
    answer(said.answer, f"{view.word}:" if view.word else "")
    if said.caveat:
        caveat(said.caveat)
    if said.figures:
        note(said.figures)
