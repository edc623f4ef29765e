"""A vote is kept whatever is killed when, counted once, and says nothing about who cast it."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from filelock import FileLock
from pydantic import ValidationError

from medqa_core.foundation.errors import InputError, OutsideStore, RunError, UnreadableFile
from medqa_core.foundation.files import dumps
from medqa_core.foundation.settings import PACKAGE_ROOT
from medqa_core.runs.artifacts import votes
from medqa_core.runs.artifacts.manifest import check_manifest, write_manifest
from medqa_core.runs.artifacts.votes import LOCK, SIZE_LIMIT, VOTES, Vote, cast_vote, read_votes
from medqa_core.runs.reading import Reading
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import EvaluationConfig
from medqa_core.runs.schema.record import ImportRecord
from medqa_core.runs.store.run_store import RunStore
from tests.support.runs import record

WHEN = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
VOTER = f"""
import sys; sys.path.insert(0, {str(PACKAGE_ROOT)!r})
from pathlib import Path
from uuid import uuid4
from medqa_core.runs.schema.status import now
from medqa_core.runs.artifacts.votes import Vote, cast_vote
for _ in range(int(sys.argv[2])):
    vote = Vote(id=uuid4().hex, time=now(), left="base", choice="tie", base_sha256="a" * 64,
                fine_tuned_sha256="b" * 64, temperature=0.3, precision="int8")
    cast_vote(Path(sys.argv[1]), vote)
    print(vote.id, flush=True)
"""


def values(**changes: Any) -> dict[str, Any]:
    known = {"id": uuid4().hex, "time": WHEN, "left": "base", "choice": "right"}
    weights = {"base_sha256": "a" * 64, "fine_tuned_sha256": "b" * 64}
    return known | weights | {"temperature": 0.3, "precision": "float32"} | changes


def vote(**changes: Any) -> Vote:
    return Vote(**values(**changes))


def line(**changes: Any) -> bytes:
    return dumps(vote(**changes).model_dump(mode="json")).encode() + b"\n"


def voter(run: Run, times: int) -> "subprocess.Popen[str]":
    """Another process that votes, and prints each id when its vote is kept."""
    command = [sys.executable, "-c", VOTER, str(run.folder), str(times)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_vote_comes_back_as_it_was_cast(run: Run) -> None:
    assert read_votes(run.folder).value == ()
    cast = [
        vote(question_id="q1", base_rougeL=0.25, fine_tuned_rougeL=0.5),
        vote(question="What is\u2028“gout”?", choice="both bad", left="fine_tuned", precision="int8"),
    ]
    for one in cast:
        cast_vote(run.folder, one)
    assert read_votes(run.folder).value == tuple(cast)
    rows = [json.loads(row) for row in (run.folder / VOTES).read_bytes().split(b"\n") if row]
    assert rows[0] == {
        "id": cast[0].id, "time": "2026-03-04T05:00:00Z", "left": "base", "choice": "right", "question_id": "q1",
        "question": None, "base_rougeL": 0.25, "fine_tuned_rougeL": 0.5, "base_sha256": "a" * 64,
        "fine_tuned_sha256": "b" * 64, "temperature": 0.3, "precision": "float32",
    }  # fmt: skip


def test_the_time_is_the_hour_in_utc() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    assert vote(time=datetime(2026, 3, 4, 5, 59, 59, 999, east)).time == datetime(2026, 3, 4, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("left", "choice", "winner"),
    [
        ("base", "left", "base"),
        ("base", "right", "fine_tuned"),
        ("fine_tuned", "left", "fine_tuned"),
        ("fine_tuned", "right", "base"),
        ("base", "tie", None),
        ("fine_tuned", "both bad", None),
    ],
)
def test_who_won(left: str, choice: str, winner: str | None) -> None:
    assert vote(left=left, choice=choice).winner == winner


@pytest.mark.parametrize(
    "changes",
    [
        {"id": "short"},
        {"id": "../" * 8},
        {"time": datetime(2026, 3, 4)},
        {"time": "0001-01-01T00:00:00+14:00"},
        {"left": "with_sources"},
        {"choice": "both good"},
        {"question": "x" * 2001},
        {"base_rougeL": 1.1},
        {"fine_tuned_rougeL": float("nan")},
        {"base_sha256": "abc"},
        {"fine_tuned_sha256": None},
        {"temperature": float("inf")},
        {"precision": "float16"},
    ],
    ids=str,
)
def test_a_vote_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        vote(**changes)


def test_one_comparison_is_counted_once(run: Run) -> None:
    first = vote(choice="left")
    cast_vote(run.folder, first)
    with pytest.raises(InputError, match="already has a vote"):
        cast_vote(run.folder, first.model_copy(update={"choice": "right"}))
    cast_vote(run.folder, vote(question=f"Is {first.id} a word?"))
    cast_vote(run.folder, vote(question="Another one?"))
    assert len(read_votes(run.folder).value) == 3
    with open(run.folder / VOTES, "ab") as file:  # by a foreign hand
        file.write(line(id=first.id, choice="right"))
    assert [found.choice for found in read_votes(run.folder).value if found.id == first.id] == ["left"]


def test_an_imported_run_takes_no_votes(store: RunStore) -> None:
    source = ImportRecord(format="summary", source="summary.txt")
    run = store.create(record("theirs", kind="imported", config=None, imported=source))
    with pytest.raises(InputError, match="theirs is an imported run"):
        cast_vote(run.folder, vote())
    assert sorted(path.name for path in run.folder.iterdir()) == ["run.json"]


def test_a_model_that_was_imported_takes_votes_as_one_that_was_trained_here(store: RunStore) -> None:
    source = ImportRecord(format="model", source="adapter")
    asked = EvaluationConfig(dataset="starter")
    run = store.create(record("theirs", kind="imported", config=None, imported=source, evaluated_on=asked))
    cast = vote()
    cast_vote(run.folder, cast)
    assert read_votes(run.folder).value == (cast,)


def test_a_folder_that_is_no_run_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"run\.json is missing"):
        cast_vote(tmp_path / "nothing", vote())
    assert not (tmp_path / "nothing").exists()
    assert read_votes(tmp_path / "nothing").value == ()


def test_a_torn_last_line_costs_that_line_only(run: Run) -> None:
    cast_vote(run.folder, vote())
    whole, torn = (run.folder / VOTES).read_bytes(), line()
    for cut in range(1, len(torn) - 1, 7):
        (run.folder / VOTES).write_bytes(whole + torn[:cut])
        found = read_votes(run.folder)
        assert len(found.value) == 1
        assert found.problems == ("votes.jsonl: 1 line could not be read and was left out.",)
        cast_vote(run.folder, vote())
        cast_vote(run.folder, vote())
        assert len(read_votes(run.folder).value) == 3
    (run.folder / VOTES).write_bytes(whole + torn[:-1])  # all but the end of the line
    cast_vote(run.folder, vote())
    assert len(read_votes(run.folder).value) == 3


@pytest.mark.parametrize(
    "foreign",
    [
        b"\xff\xfe\x00",
        b"{",
        b"null",
        b'"text"',
        b"[1]",
        b"{}",
        b"[" * 100_000,
        b"9" * 5000,
        line().replace(b"0.3", b"NaN").strip(),
        line().replace(b"0.3", b"1e999").strip(),
        line().replace(b'"base"', b'"\\ud800"').strip(),
        line().replace(b"2026-03-04", b"0000-00-00").strip(),
        line().replace(b"2026-03-04T05:00:00Z", b"0001-01-01T00:00:00+14:00").strip(),
    ],
    ids=range(13),
)
def test_a_foreign_line_is_left_out(run: Run, foreign: bytes) -> None:
    (run.folder / VOTES).write_bytes(line() + foreign + b"\n\n" + line())
    found = read_votes(run.folder)
    assert len(found.value) == 2
    assert found.problems == ("votes.jsonl: 1 line could not be read and was left out.",)
    cast_vote(run.folder, vote())
    assert len(read_votes(run.folder).value) == 3


def test_fields_of_a_newer_version_are_left_alone(run: Run) -> None:
    newer = json.dumps(json.loads(line()) | {"reason": "shorter"})
    (run.folder / VOTES).write_text(newer + "\n")
    assert len(read_votes(run.folder).value) == 1


def test_a_full_file_takes_no_more(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votes, "SIZE_LIMIT", 5 * len(line()) + 100)
    for _ in range(5):
        cast_vote(run.folder, vote())
    before = (run.folder / VOTES).read_bytes()
    with pytest.raises(RunError, match="reached its limit of votes"):
        cast_vote(run.folder, vote())
    assert (run.folder / VOTES).read_bytes() == before
    assert len(read_votes(run.folder).value) == 5


def test_of_a_file_that_others_made_huge_the_end_is_read(run: Run) -> None:
    with open(run.folder / VOTES, "wb") as file:
        file.truncate(2**30)
        file.seek(0, os.SEEK_END)
        file.write(b"\n" + line())
    found = read_votes(run.folder)
    assert len(found.value) == 1
    assert found.problems[0] == "votes.jsonl is 1024 MiB; its last 8 were read." and SIZE_LIMIT == 8 * 2**20
    with pytest.raises(RunError, match="8 MiB"):
        cast_vote(run.folder, vote())


def test_what_is_no_plain_file_is_not_opened(run: Run, tmp_path: Path) -> None:
    os.mkfifo(run.folder / VOTES)
    assert read_votes(run.folder) == Reading((), ("votes.jsonl is not a file.",))
    with pytest.raises(UnreadableFile, match="is not a file"):
        cast_vote(run.folder, vote())
    (run.folder / VOTES).unlink()
    (tmp_path / "elsewhere").write_bytes(line())
    (run.folder / VOTES).symlink_to(tmp_path / "elsewhere")
    found = read_votes(run.folder)
    assert found.value == () and "leads out of" in found.problems[0]
    with pytest.raises(OutsideStore):
        cast_vote(run.folder, vote())
    assert (tmp_path / "elsewhere").read_bytes().count(b"\n") == 1


def test_a_disk_without_room_is_said_in_one_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(RunError, match=r"The vote was not saved: .*No space left on device"):
            cast_vote(run.folder, vote())
    cast_vote(run.folder, vote())
    assert len(read_votes(run.folder).value) == 1


def test_one_process_writes_at_a_time(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(votes, "PATIENCE", 0.1)
    with FileLock(run.folder / LOCK), pytest.raises(RunError, match="try again in a moment"):
        cast_vote(run.folder, vote())
    assert read_votes(run.folder).value == ()
    cast_vote(run.folder, vote())
    assert len(read_votes(run.folder).value) == 1


def test_a_vote_is_no_damage(run: Run) -> None:
    write_manifest(run.folder)
    cast_vote(run.folder, vote())
    assert (run.folder / LOCK).exists() and LOCK.startswith(".")
    assert check_manifest(run.folder) == []
    write_manifest(run.folder)
    assert VOTES not in (run.folder / "manifest.json").read_text()


def test_a_voter_that_is_killed_takes_nothing_with_it(run: Run) -> None:
    kept: list[str] = []
    for round_, wanted in enumerate((1, 6, 23)):
        process = voter(run, 10_000)
        assert process.stdout is not None
        kept += [process.stdout.readline().strip() for _ in range(wanted)]
        process.kill()
        kept += process.stdout.read().split()  # kept between the last line read and the kill
        process.wait()
        process.stdout.close()
        mine = vote()
        cast_vote(run.folder, mine)  # at once: a dead process holds no lock
        kept.append(mine.id)
        found = [one.id for one in read_votes(run.folder).value]
        assert set(kept) <= set(found)
        assert len(found) - len(kept) <= round_ + 1, "more was written than was said, beside one at each kill"
        assert found[-1] == mine.id


def test_two_that_vote_at_once_lose_nothing(run: Run) -> None:
    processes = [voter(run, 60) for _ in range(2)]
    said = [one for process in processes for one in process.communicate()[0].split()]
    assert [process.returncode for process in processes] == [0, 0]
    found = read_votes(run.folder)
    assert len(said) == 120 and sorted(one.id for one in found.value) == sorted(said)
    assert found.problems == ()
