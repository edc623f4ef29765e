"""The blind comparison: variants drawn by lot, kept on the server until the vote is cast."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import get_args

from medqa_core.answering.compare import Answer
from medqa_core.answering.service import Answers
from medqa_core.data.lookup import split_of
from medqa_core.data.pairs import QAPair, normalise, references_of
from medqa_core.evaluation.text_metrics import answer_scores
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, Variant
from medqa_core.runs.artifacts.votes import Choice, Vote, cast_vote
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import now

CHOICES: dict[Choice, str] = {
    "left": "Left is better",
    "right": "Right is better",
    "tie": "Tie",
    "both bad": "Both bad",
}


@dataclass(frozen=True)
class Blind:
    """One comparison whose variants the reader does not know yet; it never leaves the server."""

    run: str
    question: str
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    left: Variant = field(default_factory=lambda: secrets.choice(VARIANTS))
    answers: Answers | None = None
    """Both answers once they are whole; before that there is nothing to vote on."""
    base_sha256: str = ""
    fine_tuned_sha256: str = ""

    def variants(self) -> tuple[Variant, Variant]:
        """Which variant stands left and which right."""
        return self.left, "fine_tuned" if self.left == "base" else "base"

    def with_answers(self, answers: Answers) -> "Blind":
        """This comparison with its final answers."""
        base, tuned = answers["base"].provenance, answers["fine_tuned"].provenance
        assert tuned.adapter_sha256 is not None
        return replace(self, answers=answers, base_sha256=base.base_sha256, fine_tuned_sha256=tuned.adapter_sha256)

    def revealed(self) -> list[tuple[Variant, Answer]]:
        """Left and right, with their answers."""
        assert self.answers is not None
        return [(variant, self.answers[variant]) for variant in self.variants()]


def vote(blind: Blind, choice: str, run: Run, settings: Settings) -> str:
    """Cast a vote, and say whose answers they were.

    Raises:
        InputError: no such choice, nothing to vote on, or this comparison already has a vote.
        RunError: the vote cannot be kept.
    """
    if choice not in get_args(Choice):
        raise InputError("A vote is one of: left, right, tie, both bad.")
    if blind.answers is None or any(answer.state == "stopped" for answer in blind.answers.values()):
        raise InputError("There are no two whole answers to vote on: ask first.")
    test = matching_test_question(run, blind.question, settings)
    scores = (
        [] if test is None else answer_scores([blind.answers[variant].text for variant in VARIANTS], [test[1], test[1]])
    )
    made = blind.answers["base"].provenance
    cast_vote(
        run.folder,
        Vote(
            id=blind.id,
            time=now(),
            left=blind.left,
            choice=choice,
            question_id=test[0].id if test else None,
            question=blind.question if settings.keep_questions else None,
            base_rougeL=scores[0]["rougeL"] if scores else None,
            fine_tuned_rougeL=scores[1]["rougeL"] if scores else None,
            base_sha256=blind.base_sha256,
            fine_tuned_sha256=blind.fine_tuned_sha256,
            temperature=made.temperature,
            precision=made.precision,
        ),
    )
    left, right = ("the base model" if variant == "base" else "the fine-tuned model" for variant in blind.variants())
    beside = ""
    if scores:
        base, tuned = (score["rougeL"] for score in scores)
        beside = f" A test question: ROUGE-L {base:.4f} for the base, {tuned:.4f} for the fine-tuned model."
    return f"Thank you: the vote is kept. Left was {left}, right {right}.{beside}"


def matching_test_question(run: Run, question: str, settings: Settings) -> tuple[QAPair, Sequence[str]] | None:
    """The run's test question with this text and its reference answers; None where it is none, or the data are away."""
    try:
        data, parts = split_of(run.record, settings)
    except MedQAError:
        return None
    key = normalise(question)
    found = next((pair for pair in parts.test if normalise(pair.question) == key), None)
    return None if found is None else (found, references_of([found], data.pairs)[0])


def any_test_question(run: Run, settings: Settings) -> str:
    """One of the run's test questions, by lot.

    Raises:
        MedQAError: the run's data are not in reach.
    """
    return secrets.choice(split_of(run.record, settings)[1].test).question
