"""How single answers are chosen and what makes one right, in words."""

from medqa_core.foundation.format import count, number
from medqa_core.report.answer_rows import RIGHT
from medqa_core.report.names import METRICS
from medqa_core.report.views.examples import Examples

TITLES = {"better": "One of the better answers", "worse": "One of the worse answers"}


def rule(found: Examples) -> str:
    """Why these two answers are shown and no others."""
    if found.place == 1:
        where = "the best and the worst"
    else:
        where = f"number {count(found.place)} from the top and number {count(found.place)} from the bottom"
    return (
        f"Chosen by rank, not by hand: of {count(found.n)} answers of the fine-tuned model, ordered by "
        f"{METRICS[found.score].label}, {where}. No one has checked what they say."
    )


def right_means(score: str | None) -> str:
    """What counts as a right answer; `score`: what a run has to say so, None for nothing."""
    if score is None:
        return "This run has no score by which an answer could count as right."
    if score == "content_f1":
        about = "the share of its words outside templates that a reference has too. It checks no fact."
    else:
        about = "which standard phrases raise too: this run has no content F1. It checks no fact."
    return f"Right means here: {METRICS[score].label} of {number(RIGHT[score], 2)} or more, {about}"
