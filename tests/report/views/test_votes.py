"""What votes tell: never more than they bear out, at whatever number of them one looks."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from medqa_core.foundation.files import sha256
from medqa_core.report.views.votes import current_sha256, tally
from medqa_core.report.wording.votes import DEPENDENCE, notes, sentence
from medqa_core.runs.artifacts.votes import Vote
from tests.support.runs import RunBuilder

OURS, OTHERS = "b" * 64, "c" * 64


def vote(**changes: Any) -> Vote:
    values: dict[str, Any] = {
        "id": uuid4().hex,
        "time": datetime(2026, 3, 4, 5, tzinfo=UTC),
        "left": "base",
        "choice": "right",
        "base_sha256": "a" * 64,
        "fine_tuned_sha256": OURS,
        "temperature": 0.0,
        "precision": "float32",
    }
    return Vote(**(values | changes))


def won(by: str, n: int, **changes: Any) -> list[Vote]:
    """`n` decided votes for one side, which stood left in every second one."""
    other = "base" if by == "fine_tuned" else "fine_tuned"
    return [vote(left=by if i % 2 else other, choice="left" if i % 2 else "right", **changes) for i in range(n)]


def test_votes_are_counted_by_side_and_not_by_place() -> None:
    votes = [*won("fine_tuned", 5), *won("base", 3), vote(choice="tie"), vote(choice="both bad", precision="int8")]
    found = tally(votes, OURS)
    assert (found.fine_tuned, found.base, found.tie, found.both_bad, found.votes) == (5, 3, 1, 1, 10)
    assert (found.wins.hits, found.wins.n, found.wins.share) == (5, 8, 0.625)
    assert (found.left.hits, found.left.n) == (3, 8)
    assert found.int8 == 1 and found.other_weights == 0
    assert found.agreement.n == 0 and found.agreement.share is None


def test_only_votes_on_these_weights_count() -> None:
    votes = [*won("base", 20, fine_tuned_sha256=OTHERS), *won("fine_tuned", 9), vote(precision="int8")]
    found = tally(votes, OURS)
    assert (found.fine_tuned, found.base, found.other_weights, found.int8) == (10, 0, 20, 1)
    assert "20 more votes are on other weights than this run has now and do not count." in notes(found)
    assert "Of 10 votes, 1 are on answers of int8 weights." in notes(found)
    nowhere = tally(votes, None)
    assert nowhere.votes == 0 and nowhere.other_weights == 30
    assert sentence(nowhere).startswith("No one has voted on this run’s answers yet")
    assert notes(nowhere) == ["30 more votes are on other weights than this run has now and do not count."]


def test_agreement_with_rouge_is_counted_where_both_are_known_and_differ() -> None:
    votes = [
        *won("fine_tuned", 6, base_rougeL=0.1, fine_tuned_rougeL=0.2),
        *won("base", 2, base_rougeL=0.3, fine_tuned_rougeL=0.2),
        *won("base", 3, base_rougeL=0.1, fine_tuned_rougeL=0.2),
        *won("base", 4, base_rougeL=0.2, fine_tuned_rougeL=0.2),
        *won("base", 5, base_rougeL=0.0),
        vote(choice="tie", base_rougeL=0.1, fine_tuned_rougeL=0.2),
    ]
    found = tally(votes, OURS)
    assert (found.agreement.hits, found.agreement.n) == (8, 11)


@pytest.mark.parametrize(
    ("votes", "said"),
    [
        ([], "No one has voted on this run’s answers yet: votes are cast on Ask, in the blind comparison."),
        (
            [vote(choice="tie"), vote(choice="both bad"), vote(choice="both bad")],
            "No vote prefers one of the two (1 tie and 2 “both bad”).",
        ),
        (
            [*won("fine_tuned", 7), *won("base", 5)],
            "The fine-tuned model’s answer won 7 of 12 decided votes (58.3%).",
        ),
        (
            [*won("fine_tuned", 40), *won("base", 10), vote(choice="tie"), vote(choice="tie")],
            "The fine-tuned model’s answer won 40 of 50 decided votes (80.0%); besides, 2 ties.",
        ),
        (
            won("base", 8),
            "The fine-tuned model’s answer won 0 of 8 decided votes (0.0%).",
        ),
        (
            [vote()],
            "The fine-tuned model’s answer won 1 of 1 decided vote (100.0%).",
        ),
    ],
)
def test_the_sentence(votes: list[Vote], said: str) -> None:
    assert sentence(tally(votes, OURS)) == said


def test_that_no_verdict_follows_is_always_said() -> None:
    assert notes(tally([vote()], OURS)) == [DEPENDENCE] and "not" in DEPENDENCE
    assert notes(tally([], OURS)) == []


def test_the_weights_are_those_of_the_folder_now(build: RunBuilder) -> None:
    run = build.run()
    assert current_sha256(run) is None
    (run.folder / "model").mkdir()
    (run.folder / "model" / "model.safetensors").write_bytes(b"whole")
    assert current_sha256(run) == sha256(run.folder / "model" / "model.safetensors")
    (run.folder / "adapter").mkdir()
    weights = run.folder / "adapter" / "adapter_model.safetensors"
    for content in (b"first", b"the second"):
        weights.write_bytes(content)
        assert current_sha256(run) == sha256(weights)
