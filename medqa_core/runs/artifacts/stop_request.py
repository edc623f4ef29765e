"""`stop.request`: the wish to stop a run that another machine trains, as a file, since a signal does not get there."""

from pathlib import Path

from medqa_core.foundation.files import write_text

STOP_REQUEST = "stop.request"


def ask(folder: Path) -> None:
    """Ask whoever trains the run in `folder` to stop; it looks every few seconds."""
    write_text(folder / STOP_REQUEST, "")


def asked(folder: Path) -> bool:
    """Whether somebody asked."""
    return (folder / STOP_REQUEST).exists()


def withdraw(folder: Path) -> None:
    """Forget that somebody asked: the run starts or goes on."""
    (folder / STOP_REQUEST).unlink(missing_ok=True)
