"""The worker's log: on a full disk its lines are lost, and nothing else."""

import logging
from pathlib import Path

import pytest

from medqa_core.training.process import logged

FULL = Path("/dev/full")


def test_what_is_logged_stands_in_the_file(tmp_path: Path) -> None:
    with logged(tmp_path / "train.log"):
        logging.getLogger("medqa.train").info("step %d", 3)
    assert (tmp_path / "train.log").read_text("utf-8").endswith("INFO step 3\n")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_ends_nothing_and_hides_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), logged(FULL):
        logging.getLogger("medqa.train").error("a line")
        raise ZeroDivisionError
    assert "Logging error" not in capsys.readouterr().err
