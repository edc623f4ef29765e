"""What a disk says is told from everything else, and becomes one line without a path."""

import errno
import os

import pytest

from medqa_core.foundation.disk import as_os_error, sentence, trouble


def failing(number: int, *path: str) -> OSError:
    return OSError(number, os.strerror(number), *path)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (failing(errno.ENOSPC), "full"),
        (failing(errno.EDQUOT), "full"),
        (failing(errno.EIO), "broken"),
        (failing(errno.EROFS), "broken"),
        (failing(errno.EACCES), None),
        (ValueError("No space left on device"), None),
        (OSError("a library's own"), None),
    ],
)
def test_what_is_wrong_with_the_disk(error: Exception, kind: str | None) -> None:
    assert trouble(error) == kind


def test_a_library_s_exception_that_tells_of_the_system_s() -> None:
    told = as_os_error(RuntimeError("I/O error: No space left on device (os error 28)"))
    assert told is not None and told.errno == errno.ENOSPC
    assert as_os_error(RuntimeError("os errors are many")) is None
    assert as_os_error(failing(errno.EIO)) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (failing(errno.ENOSPC), "The disk is full. Free some space, then try again; what was there before is whole."),
        (
            failing(errno.ENOSPC, f"/home/me/reports/one/.run.json.{'0' * 32}.tmp"),
            "The disk is full. run.json was not written. Free some space, then try again; "
            "what was there before is whole.",
        ),
        (
            failing(errno.EIO, "/a/train.log"),
            "The disk reported an error on train.log: Input/output error. Check it before you go on.",
        ),
        (failing(errno.EACCES, "/a/b"), "b cannot be read or written: Permission denied."),
    ],
)
def test_in_a_sentence(error: OSError, said: str) -> None:
    assert sentence(error) == said
