"""The written questions from which emergencies are learnt (`train`) and on which that is measured (`test`)."""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

PATH = Path(__file__).with_name("questions.csv")
Part = Literal["train", "test"]


@dataclass(frozen=True)
class LabelledQuestion:
    """A question as someone might type it, labelled as a cautious emergency nurse would."""

    text: str
    emergency: bool
    kind: str
    """Of an emergency `heart`, `stroke`, …; of others `information`, `history`, `everyday`, `training`, …"""


def labelled_questions(part: Part) -> list[LabelledQuestion]:
    """One part of the file."""
    with open(PATH, encoding="utf-8", newline="") as file:
        return [
            LabelledQuestion(row["question"], row["emergency"] == "yes", row["kind"])
            for row in csv.DictReader(file)
            if row["part"] == part
        ]
