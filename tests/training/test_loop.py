"""When a training ends."""

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.training.checkpoint import Counters
from medqa_core.training.loop import TrainingLoop
from tests.training.toy_state import toy_state


def test_resumed_where_its_patience_was_at_an_end_it_takes_no_further_step(
    lab: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where its sweep ended it at the same validation."""
    state = toy_state(lab, patience=2, eval_steps=4)
    state.counters = Counters(step=4, validated=4, bad_validations=2)
    monkeypatch.setattr(state, "step", lambda _: pytest.fail("a step was taken"))
    assert TrainingLoop(state, []).run() == "the validation loss did not fall 2 times in a row"
