"""What a judge model preferred, how far its order of reading decides, and whether people's blind votes support it."""

from dataclasses import dataclass

import pandas as pd

from medqa_core.evaluation.preference import points
from medqa_core.report.facts import Facts
from medqa_core.report.statistics.agreement import cohens_kappa
from medqa_core.report.statistics.proportion import Proportion
from medqa_core.runs.artifacts.model_judge import ModelJudge
from medqa_core.runs.artifacts.votes import Vote

_CHOICE = {0.0: "base", 0.25: "base", 0.5: "tie", 0.75: "fine_tuned", 1.0: "fine_tuned"}
"""By what the fine-tuned model wins of a question over both orders: whom the judge prefers, or none."""


@dataclass(frozen=True)
class JudgeView:
    """The judge's choices on the sample, counted, and what they are worth."""

    result: ModelJudge
    base: int
    """Questions on which it prefers the base model's answer, in both orders or in one with a tie in the other."""
    fine_tuned: int
    tie: int
    """Ties in both orders, and opposite choices that are not explained by the order."""
    changed: int
    """Of the ties, questions on which it prefers whatever stands first, or whatever stands second."""
    position: Proportion
    """Of the questions on which it follows the order: it prefers what stands first."""
    agreement: Proportion
    """Of the questions on which a blind vote and the judge both prefer an answer: it is the same one."""
    kappa: float | None
    """Cohen's kappa with the votes, ties included; None where it is not defined."""
    votes: int
    """Blind votes on the same answers, ties included."""
    older: bool
    """Whether it judged answers of other weights than the evaluation's."""

    @property
    def supported(self) -> bool:
        """Whether people's votes agree with it more often than chance allows."""
        return self.agreement.against_half == "better"


def judge_view(facts: Facts) -> JudgeView | None:
    """The view; None where no judge was asked, or one of its files cannot be read."""
    result, rows = facts.judge, facts.judge_rows
    if result is None or rows is None:
        return None
    every = pd.Series(points(rows).to_numpy(), index=rows["question_id"].astype(str))
    sample = rows[rows["drawn"].fillna(True).astype(bool)]
    choices = points(sample).map(_CHOICE).dropna()
    first = int(((sample["base_first"] == "base") & (sample["fine_tuned_first"] == "fine_tuned")).sum())
    second = int(((sample["base_first"] == "fine_tuned") & (sample["fine_tuned_first"] == "base")).sum())
    protocol = facts.evaluation.protocol if facts.evaluation else None
    rated = _rated(facts.votes, every, result)
    decided = [(ours, theirs) for ours, theirs in rated if "tie" not in (ours, theirs)]
    return JudgeView(
        result=result,
        base=int((choices == "base").sum()),
        fine_tuned=int((choices == "fine_tuned").sum()),
        tie=int((choices == "tie").sum()),
        changed=first + second,
        position=Proportion.of(first, first + second),
        agreement=Proportion.of(sum(ours == theirs for ours, theirs in decided), len(decided)),
        kappa=cohens_kappa([ours for ours, _ in rated], [theirs for _, theirs in rated]),
        votes=len(rated),
        older=protocol is not None and protocol.fine_tuned_sha256 != result.fine_tuned_sha256,
    )


def _rated(votes: tuple[Vote, ...], won: pd.Series, result: ModelJudge) -> list[tuple[str, str]]:
    """The judge's choice and the voter's, for each vote on the answers that were judged."""
    judged = {str(question): _CHOICE.get(value) for question, value in won.items()}
    found: list[tuple[str, str]] = []
    for vote in votes:
        same = (vote.base_sha256, vote.fine_tuned_sha256) == (result.base_sha256, result.fine_tuned_sha256)
        theirs: str | None = vote.winner or ("tie" if vote.choice == "tie" else None)
        ours = judged.get(vote.question_id or "")
        if same and vote.temperature == 0 and theirs is not None and ours is not None:
            found.append((ours, theirs))
    return found
