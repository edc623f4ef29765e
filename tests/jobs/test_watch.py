"""What goes on, and afterwards the plan beside what came of it."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.checks import check, split_sizes
from medqa_core.jobs.device import hold
from medqa_core.jobs.watch import Current, look, observe, outcome
from medqa_core.runs.artifacts.job import Job, write_job
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.record import SplitSizes
from medqa_core.runs.schema.status import Memory, ProcessIdentity, now
from tests.support.jobs import ESTIMATE
from tests.support.runs import GONE

Make = Callable[..., Run]
ALIVE = ProcessIdentity.current()


def test_nothing_goes_on(settings: Settings, make: Make) -> None:
    make("done", "completed")
    make("lost", "running", process=GONE)
    queue = look(settings)
    assert queue.idle and queue.other is None


def test_everything_that_goes_on(settings: Settings, make: Make) -> None:
    make("going", "running", process=ALIVE, step=3, total_steps=12)
    make("saving", "stopping", process=ALIVE)
    make("coming", "queued", process=ALIVE)
    make("waiting", "queued")
    queue = look(settings)
    assert {c.run.id: (c.activity, c.share) for c in queue.current} == {
        "going": ("training", 0.25),
        "saving": ("stopping", None),
        "coming": ("starting", None),
    }
    assert [entry.run.id for entry in queue.waiting] == ["waiting"]


def test_a_trained_run_that_is_being_measured(settings: Settings, make: Make) -> None:
    run = make("a", "completed")
    with hold(settings, "a") as held:
        assert str(look(settings).other) == "fine-tuning a"
        held.update("evaluating", "a")
        (current,) = look(settings).current
        assert (current.run.id, current.activity) == ("a", "evaluating")
        assert Current.of(observe(run, settings)) == current
        assert Current.of(observe(make("b", "completed"), settings)) is None
        held.update("evaluating", "of-another-store")
        assert look(settings).current == ()
    assert Current.of(observe(run, settings)) is None


@pytest.mark.parametrize(
    ("state", "process", "activity"),
    [
        ("queued", None, "waiting"),
        ("queued", ALIVE, "starting"),
        ("running", ALIVE, "training"),
        ("running", ALIVE, "stalled"),
        ("running", GONE, None),
    ],
)
def test_what_goes_on_with_one_run(
    state: str, process: ProcessIdentity | None, activity: str | None, settings: Settings, make: Make
) -> None:
    heard = now() - timedelta(seconds=60 if activity == "stalled" else 2)
    beats = {"heartbeat": heard, "next_heartbeat": heard + timedelta(seconds=10)}
    assert observe(make("a", state, process=process, **beats), settings).activity == activity


@pytest.mark.parametrize(("seconds", "in_range"), [(3.0, True), (2.0, True), (4.5, False), (None, None)])
def test_predicted_against_actual(seconds: float | None, in_range: bool | None, make: Make) -> None:
    memory = Memory(used=1, peak=5, total=9, available=8)
    run = make("a", "completed", train_seconds=seconds, tokens=900, memory=memory)
    write_job(run.folder, Job(submitted_at=now(), evaluate=True, estimate=ESTIMATE))
    found = outcome(run)
    assert (found.estimate, found.seconds, found.memory, found.in_range) == (ESTIMATE, seconds, 5, in_range)
    assert found.tokens_per_second == (900 / seconds if seconds else None)


def test_nothing_was_predicted(make: Make) -> None:
    assert outcome(make("a", "completed", train_seconds=3.0)).in_range is None


def test_steps_and_sizes_before_anything_is_loaded(settings: Settings) -> None:
    config = from_preset("smoke")
    assert split_sizes(config, settings) == SplitSizes(train=48, validation=12, test=12)
    assert config.steps(48) == 12
    assert from_preset("smoke", {"epochs": 1.5, "batch_size": 9}).steps(48) == 9
    assert split_sizes(from_preset("medquad-cpu"), settings) is None


@pytest.mark.parametrize("name", ["~no-such-user/my.csv", "x" * 5000, "a\x00b"])
def test_a_name_that_is_no_usable_path_is_refused_in_words(settings: Settings, name: str) -> None:
    for field in ("dataset", "test_dataset"):
        with pytest.raises(InputError, match=r"not a usable path|control characters"):
            check(TrainConfig.model_validate({field: name}), settings)
    assert check(TrainConfig(base_model=name), settings).base_model == name, "the worker says what is wrong with it"
