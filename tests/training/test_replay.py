"""The first steps of a run, done again."""

from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.run import Run
from medqa_core.training.replay import replay
from medqa_core.training.train import train
from tests.training.toy_state import config

pytestmark = pytest.mark.usefixtures("no_network")


def test_the_losses_are_the_same(smoke: Run, lab: Settings) -> None:
    before = (smoke.folder / "metrics.jsonl").read_bytes()
    steps = list(replay(smoke, lab, 5))
    assert [one.step for one in steps] == [1, 2, 3, 4, 5]
    assert [one.same for one in steps] == [True] * 5
    assert (smoke.folder / "metrics.jsonl").read_bytes() == before


def test_a_run_on_kept_hidden_states_is_replayed_on_them(lab: Settings, tmp_path: Path) -> None:
    """In bfloat16 they are rounded when they are kept, so that without them every loss would be another."""
    store = replace(lab, reports=tmp_path / "reports")
    run = train(config(method="last_k", last_k=1, epochs=2.0, precision="bfloat16"), store, run_id="last")
    said: list[str] = []
    assert [one.same for one in replay(run, store, 3, said.append)] == [True] * 3
    assert said[-1] == "computing the frozen layers once for all examples, as the training did"


def test_a_loss_that_was_changed_is_found(smoke: Run, lab: Settings, tmp_path: Path) -> None:
    rows = (smoke.folder / "metrics.jsonl").read_text().splitlines()
    changed = [row.replace('"loss": 6', '"loss": 5') if '"step": 2,' in row else row for row in rows]
    (tmp_path / "metrics.jsonl").write_text("\n".join(changed))
    found = list(replay(replace(smoke, folder=tmp_path), lab, 3))
    assert [one.same for one in found] == [True, False, True]


def test_a_step_without_a_row_has_nothing_to_compare_with(smoke: Run, lab: Settings, tmp_path: Path) -> None:
    assert [one.same for one in replay(replace(smoke, folder=tmp_path), lab, 2)] == [None, None]


@pytest.mark.parametrize("steps", [0, 13])
def test_steps_that_the_run_does_not_have(smoke: Run, lab: Settings, steps: int) -> None:
    with pytest.raises(InputError, match="has 12; give a number from 1"):
        list(replay(smoke, lab, steps))


def test_other_data_or_weights(smoke: Run, lab: Settings) -> None:
    base, data = smoke.record.base_model, smoke.record.data
    assert base is not None
    assert data is not None
    for changes, words in (
        ({"base_model": base.model_copy(update={"sha256": "0" * 64})}, "other base weights"),
        ({"data": data.model_copy(update={"split_hash": "0" * 64})}, "another split"),
        ({"config": None}, "imported run"),
    ):
        with pytest.raises(InputError, match=words):
            list(replay(replace(smoke, record=smoke.record.model_copy(update=changes)), lab, 1))
