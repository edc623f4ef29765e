"""What came of a training, as sentences for the end of `train`, the head of a report and the pages."""

from medqa_core.foundation.format import number
from medqa_core.runs.outcome import TrainingOutcome


def outcome_lines(outcome: TrainingOutcome) -> list[str]:
    """What has to be said of a training that changed nothing or fell apart; nothing of any other."""
    lines = []
    if outcome.diverged is not None:
        first, last = (number(loss, 1) for loss in outcome.diverged)
        lines.append(
            f"The training diverged: the loss went from {first} to {last}. Most often the learning rate is too high: "
            "try a third of it."
        )
    if outcome.unchanged:
        why = (
            "no validation was better than the one before the first step"
            if outcome.best_step == 0
            else "the weights that were kept add nothing to it"
        )
        lines.append(f"Unchanged: the fine-tuned model is the base model; {why}.")
    return lines
