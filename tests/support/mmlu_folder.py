"""A small MMLU folder: six subsets of a few questions each, written for these tests."""

import csv
from pathlib import Path

from medqa_core.runs.artifacts.mmlu import SUBSETS

TOPICS = ("asthma", "a lack of iron", "type 1 diabetes", "pneumonia", "migraine", "epilepsy", "arthritis")
CHOICES = ("a vaccine", "rest and plenty of water", "insulin every day", "nothing at all that helps", "tablets")
EXAMPLES = 5


def question(subset: str, number: int) -> list[str]:
    """A row of a file; of another length for each number."""
    topic = TOPICS[number % len(TOPICS)]
    text = f"In {subset.replace('_', ' ')}, how is {topic} treated{' as soon as it is found' * (number % 3)}?"
    first = number % len(CHOICES)
    return [text, *(CHOICES[(first + place) % len(CHOICES)] for place in range(4)), "ABCD"[number % 4]]


def write_mmlu(folder: Path, questions: int = 4) -> Path:
    """The six subsets with `questions` test questions and five examples each."""
    for part, numbers in (("test", range(questions)), ("dev", range(20, 20 + EXAMPLES))):
        (folder / part).mkdir(parents=True, exist_ok=True)
        for subset in SUBSETS:
            with open(folder / part / f"{subset}_{part}.csv", "w", encoding="utf-8", newline="") as file:
                csv.writer(file).writerows(question(subset, number) for number in numbers)
    return folder
