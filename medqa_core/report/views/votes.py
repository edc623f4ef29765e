"""Which answers people preferred: the blind votes of a run, counted.

No verdict follows from them. Votes of one visitor are not independent, and nothing about visitors is stored: where a
few people cast most votes, 24 to 76% of the verdicts that took votes as independent were false, simulated.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from medqa_core.foundation.files import sha256
from medqa_core.foundation.stamp import FileStamp
from medqa_core.report.statistics.proportion import Proportion
from medqa_core.runs.artifacts.votes import Vote
from medqa_core.runs.run import Run


@dataclass(frozen=True)
class Tally:
    """The votes on one set of weights, counted; votes on answers of float32 and of int8 weights alike."""

    base: int
    fine_tuned: int
    tie: int
    both_bad: int
    int8: int
    """Of the votes that count, those on answers of int8 weights."""
    other_weights: int
    """Votes on other weights than these; they count nowhere else."""
    wins: Proportion
    """Among the decided votes: the fine-tuned model's answer was preferred."""
    agreement: Proportion
    """Among the decided votes with two different ROUGE-L: the answer with the higher one was preferred."""
    left: Proportion
    """Among the decided votes: the answer on the left was preferred."""

    @property
    def votes(self) -> int:
        """The votes that count, decided or not."""
        return self.base + self.fine_tuned + self.tie + self.both_bad


def tally(votes: Iterable[Vote], fine_tuned_sha256: str | None) -> Tally:
    """The votes on the weights with this SHA-256, counted; with None no vote is known to be on them."""
    every = list(votes)
    ours = [vote for vote in every if vote.fine_tuned_sha256 == fine_tuned_sha256]
    decided = [vote for vote in ours if vote.winner is not None]
    won = sum(vote.winner == "fine_tuned" for vote in decided)
    agreed = [vote.winner == higher for vote in decided if (higher := _higher(vote)) is not None]
    return Tally(
        base=len(decided) - won,
        fine_tuned=won,
        tie=sum(vote.choice == "tie" for vote in ours),
        both_bad=sum(vote.choice == "both bad" for vote in ours),
        int8=sum(vote.precision == "int8" for vote in ours),
        other_weights=len(every) - len(ours),
        wins=Proportion.of(won, len(decided)),
        agreement=Proportion.of(sum(agreed), len(agreed)),
        left=Proportion.of(sum(vote.choice == "left" for vote in decided), len(decided)),
    )


def current_sha256(run: Run) -> str | None:
    """The SHA-256 of the run's fine-tuned weights as they are now; None where there are none to read."""
    path = run.weights_file()
    try:
        return None if path is None else _sha256(path, FileStamp.of(path))
    except OSError:
        return None


@lru_cache(maxsize=32)
def _sha256(path: Path, _stamp: FileStamp) -> str:
    """Of the file as it is at this stamp: a whole model takes a second, and pages are drawn again and again."""
    return sha256(path)


def _higher(vote: Vote) -> str | None:
    """The model with the higher ROUGE-L; None where one is not known or both are equal."""
    base, tuned = vote.base_rougeL, vote.fine_tuned_rougeL
    if base is None or tuned is None or base == tuned:
        return None
    return "fine_tuned" if tuned > base else "base"
