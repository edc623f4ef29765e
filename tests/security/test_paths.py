"""Whatever name a URL, a run folder, a ZIP or the API carries, no file outside is opened through it."""

import ast
import contextlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from medqa_core.data import medquad
from medqa_core.foundation.errors import MedQAError, OutsideStore
from medqa_core.foundation.paths import resolve_inside
from medqa_core.foundation.settings import PACKAGE_ROOT
from medqa_core.report.archive import archive, members
from medqa_core.runs.artifacts.manifest import check_manifest, write_manifest
from medqa_core.runs.artifacts.votes import read_votes
from medqa_core.runs.readers import WRITE_UPS
from medqa_core.runs.run import Run
from medqa_core.runs.store.run_store import RunStore, answerable

SECRET = "only-outside-the-store"
SEGMENTS = (
    *("..", ".", "", "/", "//", "\\", "..\\", "~", "~root", "a", "run", "out", "up", "loop", "in", "deep", "secret"),
    *(
        "/etc/passwd",
        "../outside/secret",
        "..%2f",
        "%2e%2e",
        "C:\\x",
        "C:/x",
        "\\\\host\\share",
        "//host/share",
        "\\\\?\\C:",
    ),
    *(
        "．．",
        "‥",
        "․․",
        "∕",
        "⁄",
        "／",
        "\u202e",
        "\ufeff",
        "\ud800",
        "\0",
        "run\0.json",
        "con",
        "nul.txt",
        "a:stream",
        "\n",
    ),
    *(
        "x" * 300,
        "é" * 200,
        "/proc/self/environ",
        "/dev/fd/0",
        "file:///etc/passwd",
        "run.",
        "run ",
        " run",
        "-",
        "$HOME",
    ),
)
SEGMENT = st.one_of(st.sampled_from(SEGMENTS), st.text(max_size=12), st.text(alphabet="./\\~ua\0:", max_size=16))
NAME = st.builds("/".join, st.lists(SEGMENT, max_size=5)) | st.builds("".join, st.lists(SEGMENT, max_size=4))
FEW = hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
MANY = hypothesis_settings(FEW, max_examples=10_000)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one run, links of every kind in both, and a secret beside them."""
    top = tmp_path_factory.mktemp("world")
    outside, store = top / "outside", top / "reports"
    outside.mkdir()
    (outside / "secret").write_text(SECRET)
    run = store / "run"
    (run / "deep").mkdir(parents=True)
    record = {"id": "run", "title": "t", "kind": "imported", "created_at": "2026-01-01T00:00:00Z"}
    (run / "run.json").write_text(json.dumps(record))
    (outside / "run.json").write_text(json.dumps(record | {"title": SECRET}))
    for place in (store, run, run / "deep"):
        (place / "out").symlink_to(outside)
        (place / "up").symlink_to("../..")
        (place / "loop").symlink_to("loop")
        (place / "in").symlink_to(run)
        (place / "secret").symlink_to(outside / "secret")
    return top


def check_inside(world: Path, names: list[str]) -> None:
    for root in (world / "reports", world / "reports" / "run"):
        try:
            path = resolve_inside(root, *names)
        except OutsideStore as error:
            assert str(error).isprintable(), "a message is one harmless line"
            continue
        assert path.is_relative_to(root.resolve()) and path == path.resolve()
        with contextlib.suppress(OSError):  # a name too long to be one
            assert not path.is_file() or SECRET not in path.read_text(errors="replace")


@FEW
@given(names=st.lists(NAME, max_size=4))
def test_no_name_leads_out(world: Path, names: list[str]) -> None:
    check_inside(world, names)


def test_a_loop_of_links_hides_no_link_that_leads_out(world: Path) -> None:
    for names in (["loop/../out"], ["loop", "..", "out", "secret"], ["deep", "loop", "../out"]):
        check_inside(world, names)


@pytest.mark.reliability
@MANY
@given(names=st.lists(NAME, max_size=4))
def test_no_name_of_ten_thousand_leads_out(world: Path, names: list[str]) -> None:
    check_inside(world, names)


def check_readers(world: Path, name: str) -> None:
    """A name as a run's id and as a write-up's: a run of the store, or one of our own errors."""
    store = RunStore(world / "reports")
    try:
        run = store.open(name)
    except MedQAError as error:
        assert "\n" not in str(error) and SECRET not in str(error)
    else:
        assert run.folder.resolve() == (world / "reports" / "run").resolve() and run.record.title == "t"
    try:
        text = store.open("run").write_up(name)
    except MedQAError as error:
        assert "\n" not in str(error)
    else:
        assert name in WRITE_UPS and text is None


@FEW
@given(name=NAME)
def test_no_run_id_leads_out(world: Path, name: str) -> None:
    check_readers(world, name)


@pytest.mark.reliability
@MANY
@given(name=NAME)
def test_no_run_id_of_ten_thousand_leads_out(world: Path, name: str) -> None:
    check_readers(world, name)


def test_the_widget_takes_only_runs_of_the_store(world: Path) -> None:
    from medqa_core.answering.question import Question
    from medqa_core.answering.service import AnswerService
    from medqa_core.foundation.settings import Settings

    service = AnswerService.of(
        Settings(reports=world / "reports", cache=world / "cache", medquad=None, mmlu=None, public=False)
    )
    for name in SEGMENTS:
        assert service.choose_run(name) == ""
        if name:  # without a name the newest run is asked
            with pytest.raises(MedQAError):
                list(service.answers(Question.checked("What is gout?"), name))


def files_of(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def read_all(run: Run) -> Iterator[Any]:
    yield from (run.status(), run.state(), run.evaluation(), run.predictions(), run.with_sources(), run.mmlu())
    yield from (run.mmlu_answers(), run.trials(), run.log_tail(), run.metrics_log(), run.weights_file())
    yield from (run.write_up(name) for name in WRITE_UPS)
    yield read_votes(run.folder).value


def test_a_run_whose_every_file_is_a_link_out_gives_nothing_away(run_copy: Run, tmp_path: Path) -> None:
    """Each file lies outside, whole and valid, and the run links to it."""
    write_manifest(run_copy.folder)
    (run_copy.folder / "votes.jsonl").write_text("{}\n")
    outside = Path(shutil.copytree(run_copy.folder, tmp_path / "outside"))
    for name in files_of(run_copy.folder):
        if name != "run.json":
            (run_copy.folder / name).unlink()
            (run_copy.folder / name).symlink_to(outside / name)
    run = RunStore(run_copy.folder.parent).open("smoke")
    found = list(read_all(run))
    kept = [one for one in found if one is not None and not isinstance(one, str)]
    assert all(len(one) == 0 if hasattr(one, "__len__") else not len(one.train) for one in kept), kept
    assert all(text in ("", "unknown") for text in found if isinstance(text, str))
    problems = run.snapshot().problems
    assert len(problems) >= 3 and all("leads out of smoke" in problem for problem in problems)
    assert members(run) == ["run.json"]
    assert all("run.json" in problem or "leads out" in problem for problem in check_manifest(run.folder))
    assert not answerable(RunStore(run_copy.folder.parent))


@pytest.mark.parametrize("folder", ["adapter", "mmlu_results", "checkpoints"])
def test_a_folder_that_is_a_link_out_is_not_entered(run_copy: Run, tmp_path: Path, folder: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json", "results.json", "answers.parquet"):
        (outside / name).write_text(SECRET)
    shutil.rmtree(run_copy.folder / folder, ignore_errors=True)
    (run_copy.folder / folder).symlink_to(outside)
    run = RunStore(run_copy.folder.parent).open("smoke")
    assert not any(name.startswith(folder) for name in members(run)) and SECRET.encode() not in archive(run)
    if folder == "adapter":
        assert run.adapter_folder() is None
    if folder == "checkpoints":
        from medqa_core.training import checkpoint

        (outside / "step-00000001").mkdir()
        assert checkpoint.newest(run.folder) is None


def test_a_run_folder_that_is_a_link_out_is_not_a_run(world: Path) -> None:
    store = RunStore(world / "reports")
    assert [entry.id for entry in store.list() if entry.state != "unreadable"] in (
        ["run"],
        ["in", "run"],
        ["run", "in"],
    )
    with pytest.raises(OutsideStore):
        store.open("out")


@pytest.mark.parametrize("name", ["../../escaped.xml", "/tmp/escaped.xml", "a/../../escaped.xml", "C:\\escaped.xml"])
def test_members_of_a_zip_are_read_and_never_unpacked(tmp_path: Path, name: str) -> None:
    before = set(tmp_path.rglob("*"))
    path = tmp_path / "MedQuAD.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(name, "<Document id='1' source='s'><QAPairs><QAPair><Question qid='1'>Q?</Question>"
                           "<Answer>A.</Answer></QAPair></QAPairs></Document>")  # fmt: skip
    assert len(medquad.load(path).pairs) == 1
    assert set(tmp_path.rglob("*")) - before == {path}
    assert not Path("/tmp/escaped.xml").exists() and not (tmp_path.parent / "escaped.xml").exists()


ROOTS = {"folder", "run_folder", "_folder", "reports"}
KNOWN = {
    "runs/reading.py": "only asks whether a name exists, of names that the program gives",
    "runs/artifacts/names.py": "only asks whether a name exists, of names that stand in the program",
    "runs/artifacts/weights.py": "file names that stand in the program, in a folder put through resolve_inside",
    "runs/store/run_store.py": "names from a listing of the store, opened through `open`; ids after check_run_id",
    "report/archive.py": "names that `members` has put through resolve_inside",
    "report/run_list.py": "ids from a listing of the store",
    "report/verdict_words.py": "ids from a listing of the store, which opens the run",
    "report/views/leaderboard.py": "ids from a listing of the store, opened through `open`",
    "report/hub/folder.py": "names that `members` has put through resolve_inside, into a folder of one's own",
    "report/hub/push.py": "names from a listing of the folder that is sent, which was made here",
    "runs/store/bin.py": "ids after check_run_id, and names of the bin that its pattern matches whole",
    "report/writer.py": "the names of FORMATS, to be written",
    "evaluation/verify_files.py": "file names that stand in the program",
    "evaluation/mmlu_tasks.py": "a folder of the library's own",
    "evaluation/mmlu_data.py": "the user's own folder, and file names that stand in the program",
    "runs/metrics_log/cache.py": "the cache, and file names that stand in the program",
    "training/model.py": "`adapter` or `model`, to be written",
    "training/checkpoint.py": "file names that stand in the program, in a folder put through resolve_inside",
    "answering/retrieval/embeddings.py": "the cache, and file names that stand in the program",
}


def test_no_other_module_joins_a_name_to_a_run_folder() -> None:
    """A name that is no literal and no constant goes through `resolve_inside`, or the module stands above with why."""
    found = set()
    for floor in ("runs", "report", "answering", "evaluation", "training", "jobs", "cli"):
        for path in (PACKAGE_ROOT / "medqa_core" / floor).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and _is_root(node.left):
                    name = node.right
                    constant = isinstance(name, ast.Constant) or (isinstance(name, ast.Name) and name.id.isupper())
                    if not constant:
                        found.add(path.relative_to(PACKAGE_ROOT / "medqa_core").as_posix())
    # What is imported is a path that the user gives, and the names looked for in it stand in the program.
    assert {name for name in found if not name.startswith("runs/importers/")} <= set(KNOWN), found - set(KNOWN)


def _is_root(node: ast.expr) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in ROOTS


def test_this_test_can_see_an_escape(world: Path) -> None:
    """The world holds what it should: without the check these would be read."""
    run = world / "reports" / "run"
    assert SECRET in (run / "out" / "secret").read_text() and os.path.realpath(run / "up") == str(world.resolve())
