"""What can be said of an import before it is queued: at its field, several at once, and with what would help."""

from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.imports import GENERAL, absolute_paths, field_called, import_problems, import_request

ROWS = "question,answer\nWhat is gout?,Gout is a kind of arthritis with sudden pain.\n"
OTHERS = "question,answer\nWhat is croup?,Croup is a barking cough of small children.\n"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a model's folder and two files of questions."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "test.csv").write_text(ROWS)
    (tmp_path / "train.csv").write_text(OTHERS)
    return tmp_path


def test_a_request_of_the_command_line_and_of_a_task_are_one(place: Path) -> None:
    typed = import_request({"path": Path("out"), "dataset": "test.csv", "test_size": None, "max_new_tokens": 16})
    assert typed == import_request({"path": "out", "dataset": "test.csv", "max_new_tokens": "16"})
    assert typed.questions is not None and typed.questions.trained_on is None
    assert import_request({"path": "out", "title": "Mine"}).questions is None
    for given in ({"base": "toy"}, {"trained_on": "train.csv"}, {"revision": "main"}, {"base_revision": "main"}):
        with pytest.raises(InputError, match="name the questions that the model is to be asked") as error:
            import_request({"path": "out", **given})
        assert field_called(error.value.field) == "dataset"


def test_paths_mean_the_same_in_the_process_that_imports(place: Path) -> None:
    given = {"path": "out", "dataset": "./test.csv", "trained_on": "owner/name", "base": "toy", "title": "out"}
    assert absolute_paths(given) == {
        "path": str(place / "out"),
        "dataset": str(place / "test.csv"),
        "trained_on": "owner/name",
        "base": "toy",
        "title": "out",
    }
    assert absolute_paths({"path": "owner/model"}) == {"path": "owner/model"}


def test_what_fits_has_no_problems(place: Path, settings: Settings) -> None:
    assert import_problems({"path": "out"}, settings) == {}
    given = {"path": "out", "dataset": "test.csv", "trained_on": "train.csv", "base": "owner/model", "test_size": "1"}
    assert import_problems(given, settings) == {}
    for hub in ({"path": "owner/model", "dataset": "owner/data"}, {"path": "out", "dataset": "medquad"}):
        assert import_problems(hub, settings) == {}, "the import itself looks at what is not small and here"


def test_a_folder_has_no_revision(place: Path, settings: Settings) -> None:
    given = {"path": "out", "dataset": "test.csv", "revision": "v1"}
    said = "'out' has no revisions; leave the revision out (only models on the hub have one)."
    assert import_problems(given, settings) == {"revision": said}
    assert import_problems({**given, "path": "owner/model"}, settings) == {}


def test_each_field_says_what_is_wrong_with_it(place: Path, settings: Settings) -> None:
    (place / "bad.csv").write_text("name,colour\nx,y\n")
    given = {"path": "/gone", "dataset": "test.csv", "columns": "question", "test_size": "-3", "base": "./gone"}
    found = import_problems(given, settings)
    assert found.keys() == {"path", "columns", "test_size", "base"}
    assert found["path"] == "There is nothing at '/gone' on this machine."
    assert "write it as question=COLUMN,answer=COLUMN" in found["columns"]
    found = import_problems({"path": "out", "dataset": "gone.csv", "trained_on": "bad.csv"}, settings)
    assert found.keys() == {"dataset", "trained_on"}
    assert "'gone.csv' does not exist" in found["dataset"] and "bad.csv" in found["trained_on"]
    columns = {"trained_on": "starter", "trained_on_columns": "question=nope"}
    assert import_problems({"path": "out", "dataset": "test.csv", **columns}, settings).keys() == {"trained_on_columns"}
    assert import_problems({"path": "out", "base": "toy"}, settings).keys() == {"dataset"}
    assert import_problems({"path": "owner/model"}, settings).keys() == {"path"}, "figures alone are files of here"
    assert import_problems({"path": ""}, settings).keys() == {"path"}
    found = import_problems({"path": "out", "dataset": "test.csv", "test_size": "7"}, settings)
    assert found == {"test_size": "the data hold 1 test questions; you asked for 7."}


def test_large_files_are_left_to_the_import(place: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("medqa_core.jobs.checks.SMALL", 10)
    assert import_problems({"path": "out", "dataset": "test.csv", "test_size": "7"}, settings) == {}


def test_errors_about_nothing_that_was_given() -> None:
    assert [field_called(name) for name in (None, "run id", "--base")] == [GENERAL, GENERAL, "base"]
