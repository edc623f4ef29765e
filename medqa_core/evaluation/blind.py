"""The blind comparison: which model answers left is chosen at random, and kept on the server until the vote is cast."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import get_args

from medqa_core.answering.compare import Answer, Answers
from medqa_core.answering.question import Question
from medqa_core.data.lookup import split_of
from medqa_core.data.pairs import QAPair, normalise, references_of
from medqa_core.evaluation.text_metrics import answer_scores
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, Variant
from medqa_core.runs.artifacts.votes import Choice, Vote, cast_vote
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import now


@dataclass(frozen=True)
class BlindComparison:
    """Two answers whose models the reader does not know yet; it never leaves the server."""

    run: str
    question: Question
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    left: Variant = field(default_factory=lambda: secrets.choice(VARIANTS))
    answers: Answers | None = None
    """Both answers once they are whole; before that there is nothing to vote on."""

    @property
    def right(self) -> Variant:
        """The other one of the two."""
        return "fine_tuned" if self.left == "base" else "base"


@dataclass(frozen=True)
class VoteResult:
    """What a voter is told: whose answers they were, and what a reference says of them."""

    left: Variant
    right: Variant
    rouge_l: dict[Variant, float] | None
    """Of the two answers, 0 to 1, where the question is one of the run's test questions."""
    references: tuple[str, ...] = ()
    """Its reference answers, where it is one."""
    winner: Variant | None = None
    """Whose answer was preferred; None where neither was."""


def votable(answers: Answers) -> bool:
    """Whether both models have given a whole answer; a third one, with sources, is not voted on."""
    return all(
        variant in answers.by_column
        and answers.by_column[variant].finish_reason not in (None, "cancelled", "no_passage")
        for variant in VARIANTS
    )


def vote(blind: BlindComparison, choice: str, run: Run, settings: Settings) -> VoteResult:
    """Save a vote.

    Raises:
        InputError: no such choice, nothing to vote on, or this comparison already has a vote.
        RunError: the vote cannot be saved.
    """
    if choice not in get_args(Choice):
        raise InputError("A vote is one of: left, right, tie, both bad.")
    if blind.answers is None or not votable(blind.answers):
        raise InputError("There are no two whole answers to vote on: ask first.")
    base, tuned = (blind.answers.by_column[variant] for variant in VARIANTS)
    test = matching_test_question(run, blind.question, settings)
    rouge_l = None if test is None else _rouge_l(base, tuned, test[1])
    assert tuned.provenance.adapter_sha256 is not None
    made = Vote(
        id=blind.id,
        time=now(),
        left=blind.left,
        choice=choice,
        question_id=test[0].id if test else None,
        question=blind.question.text if settings.keep_questions else None,
        base_rougeL=rouge_l["base"] if rouge_l else None,
        fine_tuned_rougeL=rouge_l["fine_tuned"] if rouge_l else None,
        base_sha256=base.provenance.base_sha256,
        fine_tuned_sha256=tuned.provenance.adapter_sha256,
        temperature=base.provenance.temperature,
        precision=base.provenance.precision,
    )
    cast_vote(run.folder, made)
    return VoteResult(blind.left, blind.right, rouge_l, tuple(test[1]) if test else (), made.winner)


def matching_test_question(run: Run, question: Question, settings: Settings) -> tuple[QAPair, Sequence[str]] | None:
    """The run's test question with this text and its reference answers; None where it is none, or the data are away."""
    try:
        data, parts = split_of(run.record, settings)
    except MedQAError:
        return None
    key = normalise(question.text)
    found = next((pair for pair in parts.test if normalise(pair.question) == key), None)
    return None if found is None else (found, references_of([found], data.pairs)[0])


def has_test_questions(run: Run, settings: Settings) -> bool:
    """Whether `any_test_question` has one to give."""
    try:
        return bool(split_of(run.record, settings)[1].test)
    except MedQAError:
        return False


def any_test_question(run: Run, settings: Settings) -> str:
    """The text of one of the run's test questions, chosen at random.

    Raises:
        MedQAError: the run's data set is not available.
    """
    return secrets.choice(split_of(run.record, settings)[1].test).question


def _rouge_l(base: Answer, tuned: Answer, references: Sequence[str]) -> dict[Variant, float]:
    ours, theirs = answer_scores([base.text, tuned.text], [references, references])
    return {"base": ours["rougeL"], "fine_tuned": theirs["rougeL"]}
