"""A run's training pairs: from its data once, then from the cache, and never of other data."""

from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.answering import training_pairs as module
from medqa_core.answering.training_pairs import training_pairs
from medqa_core.data.lookup import split_of
from medqa_core.foundation.errors import DataUnavailable
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import DataRecord
from tests.support.foreign_models import ASKED, rows

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture
def own(smoke: Run, lab: Settings, tmp_path: Path) -> tuple[Run, Settings]:
    """A run on a file of its own, and a cache that holds nothing."""
    config = TrainConfig(dataset=str(rows(ASKED, tmp_path / "my.csv")), train_size=6, validation_size=3, test_size=3)
    settings = replace(lab, cache=tmp_path / "cache")
    record = smoke.record.model_copy(update={"config": config, "data": None})
    return Run(smoke.folder, record), settings


def test_the_second_reading_needs_no_data(own: tuple[Run, Settings], monkeypatch: pytest.MonkeyPatch) -> None:
    run, settings = own
    first = training_pairs(run, settings)
    assert first == split_of(run.record, settings)[1].train and len(first) == 6
    monkeypatch.setattr(module, "split_of", lambda *_: pytest.fail("the data were read again"))
    assert training_pairs(run, settings) == first


def test_other_data_are_read_anew_and_refused(own: tuple[Run, Settings]) -> None:
    run, settings = own
    split = split_of(run.record, settings)[1]
    known = replace(run, record=run.record.model_copy(update={"data": DataRecord(source="own", split_hash=split.hash)}))
    assert training_pairs(known, settings) == split.train
    path = Path(known.record.config.dataset)  # type: ignore[union-attr]
    path.write_text(path.read_text("utf-8").replace("?", " now?"), "utf-8")
    with pytest.raises(DataUnavailable, match="some test questions could have been trained on"):
        training_pairs(known, settings)


@pytest.mark.parametrize("content", [b"", b"[]x", b'[{"id": 1}]'])
def test_a_damaged_cache_is_read_over(
    own: tuple[Run, Settings], content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    run, settings = own
    first = training_pairs(run, settings)
    (kept,) = (settings.cache / "training-pairs").glob("*/pairs.json")
    kept.write_bytes(content + b" " * (kept.stat().st_size - len(content)))
    assert training_pairs(run, settings) == first
    assert "are damaged" in caplog.text


def test_a_cache_that_takes_nothing(own: tuple[Run, Settings], caplog: pytest.LogCaptureFixture) -> None:
    run, settings = own
    settings.cache.write_text("a file, where the folder should be")
    assert len(training_pairs(run, settings)) == 6
    assert "is read anew by each process" in caplog.text
