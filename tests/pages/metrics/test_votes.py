"""The metrics page's votes: what people preferred, in counts only; one line where nobody has voted."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from streamlit.testing.v1 import AppTest

from medqa_core.foundation.files import sha256
from medqa_core.report.wording.votes import DEPENDENCE, ORDER
from medqa_core.runs.artifacts.votes import VOTES, Vote, cast_vote
from tests.support.hostile import HOSTILE
from tests.support.pages import Open, elements, shown
from tests.support.runs import RunBuilder
from tests.support.scenarios import SHOWN_AT

HEADING = "Which answer do people prefer?"
NONE_YET = "No one has voted on this run’s answers yet"


def headings(app: AppTest) -> list[str]:
    return [element.value for element in app.header]


def cast(folder: Path, n: int, left: str, choice: str, weights: str | None = None) -> None:
    for i in range(n):
        ours = sha256(folder / "adapter" / "adapter_model.safetensors")
        vote = Vote(
            id=uuid4().hex,
            time=SHOWN_AT,
            left=left,
            choice=choice,
            question_id=f"q{i:03d}",
            question=f"{HOSTILE} my own question",
            base_rougeL=0.1,
            fine_tuned_rougeL=0.2,
            base_sha256="a" * 64,
            fine_tuned_sha256=weights or ours,
            temperature=0.3,
            precision="int8",
        )
        cast_vote(folder, vote)


@pytest.fixture
def voted(build: RunBuilder) -> Path:
    """A run whose fine-tuned answers were preferred 18 to 2."""
    folder = build.finished("voted").folder
    cast(folder, 9, "base", "right")
    cast(folder, 9, "fine_tuned", "left")
    cast(folder, 2, "base", "left")
    cast(folder, 3, "base", "tie")
    cast(folder, 1, "base", "both bad")
    return folder


def test_what_people_preferred(voted: Path, open_page: Open) -> None:
    app = open_page("metrics/metrics.py", run="voted", tab="Preferences")
    assert not app.exception
    assert HEADING in headings(app)
    text = shown(app)
    assert "The fine-tuned model’s answer won 18 of 20 decided votes (90.0%)" in text
    assert "besides, 3 ties and 1 “both bad”" in text
    table = text.split('<table aria-label="Blind votes')[1].split("</table>")[0]
    for name, cell in (
        ("fine-tuned answer preferred", "18"),
        ("base answer preferred", "2"),
        ("tie", "3"),
        ("both bad", "1"),
        ("decided: fine-tuned answer won", "18 of 20"),
        ("decided: higher ROUGE-L won", "18 of 20"),
        ("decided: left answer won", "11 of 20"),
    ):
        assert re.search(rf">{re.escape(name)}</th><td [^>]*><span>{cell}</span></td>", table)
    assert DEPENDENCE in text
    assert NONE_YET not in text


def test_no_single_vote_and_no_question_is_shown(voted: Path, open_page: Open) -> None:
    app = open_page("metrics/metrics.py", run="voted", tab="Preferences")
    assert "my own question" in (voted / VOTES).read_text()
    everything = "\n".join([shown(app), *(element.value for element in app.markdown)])
    assert "my own question" not in everything
    assert not [button for button in elements(app, "download_button") if "vote" in button.label.lower()]


def test_where_nobody_has_voted_one_line_leads_to_ask(build: RunBuilder, open_page: Open) -> None:
    build.finished("quiet")
    app = open_page("metrics/metrics.py", run="quiet", tab="Preferences")
    assert not app.exception
    assert HEADING not in headings(app)
    assert shown(app).count(NONE_YET) == 1
    assert 'votes are cast on <a href="ask?run=quiet"' in shown(app)


def test_votes_on_other_weights_do_not_count(build: RunBuilder, open_page: Open) -> None:
    folder = build.finished("changed").folder
    cast(folder, 12, "base", "right", weights="c" * 64)
    app = open_page("metrics/metrics.py", run="changed", tab="Preferences")
    assert HEADING not in headings(app)
    assert NONE_YET in shown(app)
    assert "12 more votes are on other weights than this run has now and do not count." in shown(app)


@pytest.mark.parametrize("kind", ["imported", "failed"])
def test_a_run_without_models_says_nothing_of_votes(kind: str, build: RunBuilder, open_page: Open) -> None:
    app = open_page("metrics/metrics.py", run=getattr(build, kind)().id, tab="Preferences")
    assert not app.exception
    assert NONE_YET not in shown(app) and HEADING not in headings(app)


def test_foreign_lines_are_said_and_the_votes_still_shown(voted: Path, open_page: Open) -> None:
    with open(voted / VOTES, "ab") as file:
        file.write(b'\xff\xfe\n{"id": "<script>"}\n{"id": "torn')
    app = open_page("metrics/metrics.py", run="voted", tab="Preferences")
    assert not app.exception
    assert HEADING in headings(app)
    assert "votes.jsonl: 3 lines could not be read and were left out." in shown(app)
    assert "<script>" not in shown(app)


def test_runs_stand_by_the_share_that_they_won(voted: Path, build: RunBuilder, open_page: Open) -> None:
    cast(build.finished("better").folder, 30, "base", "right")
    cast(build.finished("few").folder, 19, "base", "right")
    cast(build.finished("stale").folder, 30, "base", "right", "c" * 64)
    build.finished("silent")
    app = open_page("metrics/metrics.py", run="voted", tab="Preferences")
    assert not app.exception and "How do runs stand in blind votes?" in headings(app)
    text = shown(app)
    assert "3 runs have blind votes, 2 of them with the 20 decided votes that a share takes." in text and ORDER in text
    table = text.split('<table aria-label="Each run')[1].split("</table>")[0]
    rows = re.findall(r"<tr role=\"row\"><th scope=\"row\".*?</tr>", table)
    assert ["better" in rows[0], "voted" in rows[1], "few" in rows[2], len(rows)] == [True, True, True, 3]
    assert ", this run" in rows[1] and "90.0% [" in rows[1] and ">20<" in rows[1] and ">3<" in rows[1]
    assert "under 20 decided" in rows[2] and "100.0%" not in rows[2]
    assert 'href="metrics?run=better&amp;tab=Preferences"' in rows[0]


def test_a_damaged_neighbour_does_not_take_the_leaderboard_along(
    voted: Path, build: RunBuilder, open_page: Open
) -> None:
    cast(build.finished("better").folder, 20, "base", "right")
    folder = build.finished("damaged").folder
    (folder / VOTES).write_bytes(b"\xff torn")
    (build.broken() / VOTES).write_text("{}")
    app = open_page("metrics/metrics.py", run="voted", tab="Preferences")
    assert not app.exception
    assert "2 runs have blind votes, all have the 20 decided votes" in shown(app)


def test_where_only_this_run_has_votes_there_is_no_leaderboard(voted: Path, open_page: Open) -> None:
    app = open_page("metrics/metrics.py", run="voted", tab="Preferences")
    assert "How do runs stand in blind votes?" not in headings(app)
