"""`votes.jsonl`: which of two answers people preferred without knowing whose is whose; appended a row a vote."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock, Timeout
from pydantic import AfterValidator, AwareDatetime, Field

from medqa_core.foundation.errors import InputError, RunError, UnreadableFile
from medqa_core.foundation.files import dumps
from medqa_core.foundation.lines import append, left_out, open_to_append, read_lines
from medqa_core.foundation.paths import resolve_inside
from medqa_core.runs.reading import Reading, read_model
from medqa_core.runs.schema.evaluation import Precision, Variant
from medqa_core.runs.schema.record import Line, Record, RunRecord

VOTES = "votes.jsonl"
LOCK = ".votes.lock"
SIZE_LIMIT = 8 * 2**20
"""Bytes that a run's votes may take, some 19,000 of them: strangers who vote must not fill the disk."""
PATIENCE = 10.0
"""Seconds to wait for another process that votes, which takes it milliseconds."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Share = Annotated[float, Field(ge=0, le=1)]
Choice = Literal["left", "right", "tie", "both bad"]


def _hour(moment: datetime) -> datetime:
    """The hour in UTC: a finer time could be put beside a server's log of visitors."""
    try:
        return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    except OverflowError as error:
        raise ValueError("out of range") from error


class Vote(Record):
    """One blind comparison and what was chosen. It holds nothing about the person who chose."""

    id: str = Field(pattern=r"^[0-9a-f]{16,64}$")
    """Random, drawn for the comparison: one comparison is counted once."""
    time: Annotated[AwareDatetime, AfterValidator(_hour)]
    """The hour of the vote in UTC; minutes are dropped."""
    left: Variant
    """Whose answer stood left; the voter did not know."""
    choice: Choice
    question_id: Line | None = None
    """The test question's id; None where the question is not one of the run's test questions."""
    question: Line | None = None
    """The question's text; None unless the host keeps questions (`Settings.keep_questions`)."""
    base_rougeL: Share | None = None  # noqa: N815
    """ROUGE-L of the two answers; None where there is no reference answer to score them by."""
    fine_tuned_rougeL: Share | None = None  # noqa: N815
    base_sha256: Sha256
    fine_tuned_sha256: Sha256
    """Of the weights that answered, by the same rule as in evaluation.json."""
    temperature: float = Field(ge=0)
    precision: Precision

    @property
    def winner(self) -> Variant | None:
        """The variant whose answer was preferred; None where neither was."""
        if self.choice == "left":
            return self.left
        if self.choice == "right":
            return "fine_tuned" if self.left == "base" else "base"
        return None


def cast_vote(run_folder: Path, vote: Vote) -> None:
    """Add `vote` to the run's votes; it is on the disk when this returns.

    Raises:
        InputError: the run is imported without weights, or this comparison already has a vote.
        RunError: the run has all the votes that it may take, or its folder cannot be read or written.
    """
    if read_model(run_folder, "run.json", RunRecord).figures_are_reported:
        raise InputError(f"{run_folder.name} is an imported run: it holds no models to vote on.")
    row = dumps(vote.model_dump(mode="json")) + "\n"
    path = resolve_inside(run_folder, VOTES)
    try:
        with FileLock(run_folder / LOCK).acquire(timeout=PATIENCE, poll_interval=0.02):
            _refuse(path, vote, len(row.encode()))
            descriptor = open_to_append(path)
            try:
                append(descriptor, row)
            finally:
                os.close(descriptor)
    except Timeout as error:
        raise RunError(f"Another process has locked the votes of {run_folder.name}; try again in a moment.") from error
    except OSError as error:
        raise RunError(f"The vote was not saved: {VOTES} cannot be written ({error.strerror or error}).") from error


def read_votes(run_folder: Path) -> Reading[tuple[Vote, ...]]:
    """The run's votes in the order in which they were cast, one a comparison; none where there are none to read.

    Torn and foreign lines are left out and never raise.
    """
    try:
        path = resolve_inside(run_folder, VOTES)
        if not path.exists():
            return Reading(())
        if not path.is_file():  # opening a named pipe would wait for a writer
            raise UnreadableFile(f"{VOTES} is not a file.")
        lines, wrong = read_lines(path, SIZE_LIMIT)
    except RunError as error:
        return Reading((), (str(error),))
    except OSError as error:
        return Reading((), (f"{VOTES} cannot be read: {error.strerror or error}.",))
    votes, odd = _parse(lines)
    return Reading(tuple(votes), (*wrong, *left_out(VOTES, odd)))


def _parse(lines: list[str]) -> tuple[list[Vote], int]:
    """The votes, of each comparison the first, and the number of lines that are none."""
    found: dict[str, Vote] = {}
    odd = 0
    for line in lines:
        if line.strip():
            try:
                vote = Vote.model_validate_json(line)
            except ValueError:
                odd += 1
            else:
                found.setdefault(vote.id, vote)
    return list(found.values()), odd


def _refuse(path: Path, vote: Vote, size: int) -> None:
    """Do nothing if the vote may be added to the file, by whoever holds its lock."""
    if not path.exists():
        return
    if not path.is_file():
        raise UnreadableFile(f"{VOTES} is not a file.")
    if path.stat().st_size + size >= SIZE_LIMIT:
        raise RunError(
            f"This run has reached its limit of votes ({VOTES} is at {SIZE_LIMIT // 2**20} MiB); no more are counted."
        )
    content = path.read_bytes()
    # The id is looked for in the bytes first: nearly every vote is new, and then no row need be parsed.
    if vote.id.encode() in content and any(
        known.id == vote.id for known in _parse(content.decode("utf-8", "replace").split("\n"))[0]
    ):
        raise InputError("This comparison already has a vote; each comparison counts once.")
