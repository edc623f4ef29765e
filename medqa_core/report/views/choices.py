"""Which letters the models chose on MMLU, and what a model that always chooses the same one would reach."""

from dataclasses import dataclass

import pandas as pd

from medqa_core.runs.artifacts.mmlu import accuracy, always_one_letter, letters


@dataclass(frozen=True)
class Choices:
    """One model's letters over all questions that it answered."""

    picked: tuple[int, ...]
    """How often each letter was chosen."""
    right: tuple[int, ...]
    """How often each letter is the right one."""
    accuracy: float
    always: float
    """Share right of a model that always chooses the letter that is right most often."""

    @property
    def n(self) -> int:
        """Questions."""
        return sum(self.picked)

    @property
    def best_letter(self) -> int:
        """The place of the letter that is right most often."""
        return max(range(len(self.right)), key=lambda i: self.right[i])


def choices(answers: pd.DataFrame | None, variant: str) -> Choices | None:
    """One variant's letters; None where there are no answers."""
    if answers is None or answers.empty:
        return None
    key = letters(answers.rename(columns={f"{variant}_choice": "picked", "target": f"{variant}_choice"}), variant)
    return Choices(letters(answers, variant), key, accuracy(answers, variant), always_one_letter(answers))
