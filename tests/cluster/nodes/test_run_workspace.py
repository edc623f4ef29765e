"""What goes on beside a training on a node: whatever fails in it once is done again."""

import threading

import pytest

from medqa_core.cluster.nodes import run_workspace


class HttpError(Exception):
    """As gcsfs has one: no OSError."""


@pytest.mark.parametrize("error", [OSError("no route to host"), HttpError("503")])
def test_a_storage_that_is_unavailable_for_a_moment_is_asked_again(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(run_workspace, "EVERY_SECONDS", 0.01)
    errors, again = [error], threading.Event()

    def act() -> None:
        if errors:
            raise errors.pop()
        again.set()

    with run_workspace.repeating(act):
        assert again.wait(20)
    assert caplog.messages == [f"the storage is unavailable ({error}); trying again"]


def test_what_fails_at_the_end_is_raised() -> None:
    def act() -> None:
        raise HttpError("503")

    with pytest.raises(HttpError), run_workspace.repeating(act, once_more=True):
        pass
