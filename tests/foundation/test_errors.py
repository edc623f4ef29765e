"""Messages name the nearest allowed value and stay on one line; exit codes follow the kind of error."""

import pickle

import pytest

from medqa_core.foundation import errors
from medqa_core.foundation.errors import (
    InputError,
    MedQAError,
    RunNotFound,
    UnknownName,
    UnreadableFile,
    first_line,
    shorten,
)


def test_the_nearest_name_is_offered() -> None:
    error = UnknownName("preset", "medquad-cpus", ["smoke", "medquad-cpu", "run-2"])
    assert error.nearest == "medquad-cpu"
    assert str(error) == (
        "preset: 'medquad-cpus' is not known; allowed: medquad-cpu, run-2, smoke. Did you mean 'medquad-cpu'?"
    )


def test_nothing_is_offered_where_nothing_is_near() -> None:
    error = UnknownName("preset", "zzz", ["smoke"])
    assert error.nearest is None
    assert "Did you mean" not in str(error)


def test_an_error_names_its_field() -> None:
    error = InputError("2 is too much.", field="epochs")
    assert (str(error), error.field, error.reason) == ("epochs: 2 is too much.", "epochs", "2 is too much.")
    error = InputError("There is nothing to stop.")
    assert (str(error), error.field, error.reason) == (
        "There is nothing to stop.",
        None,
        "There is nothing to stop.",
    )
    unknown = UnknownName("preset", "zzz", ["smoke"])
    assert (unknown.field, unknown.reason) == ("preset", "'zzz' is not known; allowed: smoke.")
    assert MedQAError("No room.").field is None
    assert MedQAError("No room.").reason == "No room."
    assert MedQAError("No room.").may_pass and not error.may_pass and not unknown.may_pass


def test_an_error_of_another_process_keeps_its_field() -> None:
    error = pickle.loads(pickle.dumps(InputError("2 is too much.", field="epochs")))
    assert (str(error), error.field, error.reason) == ("epochs: 2 is too much.", "epochs", "2 is too much.")


def test_an_empty_list_of_names_is_said() -> None:
    assert "allowed: none." in str(UnknownName("run", "a", []))


def test_a_long_or_many_lined_name_stays_on_one_line() -> None:
    message = str(UnknownName("field", "a\nb" * 500, ["epochs"]))
    assert "\n" not in message
    assert len(message) < 200


@pytest.mark.parametrize(("kind", "code"), [(InputError, 2), (RunNotFound, 2), (UnreadableFile, 1), (MedQAError, 1)])
def test_exit_codes(kind: type[MedQAError], code: int) -> None:
    assert kind("x").exit_code == code


def test_every_exception_is_a_medqa_error() -> None:
    kinds = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Exception)]
    assert len(kinds) >= 10
    assert all(issubclass(kind, MedQAError) for kind in kinds)


def test_shorten_keeps_what_fits() -> None:
    assert shorten("short text") == "short text"
    assert shorten("x" * 100, 10) == "x" * 9 + "…"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("Torn at 3.\nTraceback: …"), "Torn at 3."),
        (ValueError("\n  later\nlines"), "later"),
        (OSError(), "OSError"),
        (KeyError("key"), "'key'"),
    ],
)
def test_what_another_library_says_is_its_first_line(error: Exception, line: str) -> None:
    assert first_line(error) == line
