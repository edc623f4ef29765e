"""An estimate is made in a process of its own: it can be watched, cancelled, and never blocks."""

import sys
from collections.abc import Callable

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs import estimate
from medqa_core.jobs.device import DeviceBusy, hold
from medqa_core.jobs.estimate import EstimateProcess
from medqa_core.runs.schema.presets import from_preset
from tests.support.jobs import ESTIMATE, until

Use = Callable[[str], None]
SMOKE = from_preset("smoke", {"title": "Mine", "seed": 3})
ANSWERS = f"import sys; print('reading the data', file=sys.stderr); print({ESTIMATE.model_dump_json()!r})"


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Use:
    def use(code: str) -> None:
        monkeypatch.setattr(estimate, "command", lambda config: [sys.executable, "-c", code])

    return use


def test_the_command_measures_this_very_configuration() -> None:
    words = estimate.command(SMOKE)
    assert words[0] == sys.executable
    assert words[1:4] == ["-m", "medqa_core", "train"]
    assert words[-3:] == ["--estimate", "--json", "--worker"]
    assert "seed=3" in words


def test_an_estimate_for_this_configuration_whatever_it_is_called(settings: Settings, process: Use) -> None:
    process(ANSWERS)
    found = EstimateProcess(SMOKE, settings)
    found.wait(20)
    assert (found.running, found.estimate, found.failure) == (False, ESTIMATE, None)
    assert found.progress == ["reading the data"]
    assert found.is_for(SMOKE.model_copy(update={"title": "Another", "description": "New."}), settings)
    assert not found.is_for(SMOKE.model_copy(update={"seed": 4}), settings)


def test_an_empty_line_is_no_progress(settings: Settings, process: Use) -> None:
    process("import sys; print('reading the data', '', '  ', sep='\\n', file=sys.stderr); print()")
    found = EstimateProcess(SMOKE, settings)
    found.wait(20)
    assert found.progress == ["reading the data"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('error: max_tokens: 9 is too much.')", "max_tokens: 9 is too much."),
        ("print('{')", "The process exited unexpectedly."),
        ("print('{}')", "The process exited unexpectedly."),
        ("raise ValueError('what')", "ValueError: what"),
    ],
)
def test_a_failure_is_a_line(code: str, said: str, settings: Settings, process: Use) -> None:
    process(code)
    found = EstimateProcess(SMOKE, settings)
    found.wait(20)
    assert (found.estimate, found.failure) == (None, said)


def test_cancelled(settings: Settings, process: Use) -> None:
    process("import sys, time; print('loading', file=sys.stderr, flush=True); time.sleep(60)")
    found = EstimateProcess(SMOKE, settings)
    until(lambda: found.progress)
    found.cancel()
    found.wait(20)
    assert (found.running, found.estimate, found.failure) == (False, None, None)
    found.cancel()


def test_refused_while_the_device_is_busy(settings: Settings) -> None:
    with hold(settings, "theirs"), pytest.raises(DeviceBusy, match="busy fine-tuning theirs"):
        EstimateProcess(SMOKE, settings)


def test_bad_input_is_refused_before_anything_starts(settings: Settings) -> None:
    with pytest.raises(InputError, match="startr"):
        EstimateProcess(SMOKE.model_copy(update={"dataset": "startr"}), settings)
