"""A worker killed at any moment loses nothing that was logged, and the resumed run is the unbroken one, bit for bit.

Where the worker stops by itself, fails, or meets a damaged checkpoint: `tests/training/test_resume.py`.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT, Settings
from medqa_core.jobs.launch import command, environment
from medqa_core.jobs.queue import enqueue
from medqa_core.models.toy import ensure
from medqa_core.runs.run import Run
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.presets import from_preset
from tests.reliability.workers import SEED, Chain, Orders, losses_of, parsed, say, seeded

pytestmark = pytest.mark.reliability
KILLS = int(os.environ.get("MEDQA_KILLS", "200"))
"""Random moments at which a worker is killed."""
COMMAND_KILLS = 3
"""Kills of a worker that the command line started: each start takes seconds."""
LANES = min(2, os.cpu_count() or 1)
"""Runs that are worked on at once, each in a store of its own."""
LONG = from_preset("smoke", {"lora_dropout": 0.1})
LONGER = from_preset("smoke", {"lora_dropout": 0.1, "epochs": 20.0})
"""120 steps: on a fast machine nothing else is under way for as long as each of the command's kills may wait."""
SHORT = from_preset(
    "smoke",
    {"train_size": 24, "validation_size": 6, "test_size": 6, "epochs": 2.0, "eval_steps": 2, "lora_dropout": 0.1},
)
"""Six steps, four validations, a checkpoint after each step."""


@dataclass(frozen=True)
class Whole:
    """The unbroken run, and how long its worker lived."""

    losses: dict[tuple[str, int], float]
    weights: bytes
    seconds: float


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the toy in it."""
    folder = tmp_path_factory.mktemp("cache")
    ensure(folder)
    return folder


def lane(folder: Path, cache: Path) -> Settings:
    """A store and a cache of its own, so that two workers do not wait for one device."""
    shutil.copytree(cache, folder / "cache")
    return Settings(folder / "reports", folder / "cache", None, None, False)


def whole(settings: Settings, config: TrainConfig) -> Whole:
    Chain.of(settings, config, "first").attempt()  # its fork waits for the imports
    chain = Chain.of(settings, config, "whole")
    start = time.monotonic()
    assert not chain.attempt()
    return Whole(losses_of(chain.run), weights_of(chain.run), time.monotonic() - start)


def weights_of(run: Run) -> bytes:
    return (run.folder / "adapter" / "adapter_model.safetensors").read_bytes()


def check_complete(chain: Chain, expected: Whole) -> None:
    """The run is complete and the unbroken one; also every row that a later attempt wrote again."""
    run = chain.run
    assert run.state() == "completed", chain.words("not complete")
    assert losses_of(run) == expected.losses, chain.words("other losses")
    assert weights_of(run) == expected.weights, chain.words("other weights")
    for row in parsed((run.folder / "metrics.jsonl").read_bytes()):
        assert row["loss"] == expected.losses[row["split"], row["step"]], chain.words(f"another loss in {row}")
    left = [path.name for path in run.folder.rglob(".*") if path.is_dir()]
    # Whoever dies after the last word of a run may leave its checkpoints, which nobody needs any more.
    left = [name for name in left if not name.startswith(".checkpoints.")]
    assert not left, chain.words(f"{left} were left lying")


def test_two_hundred_random_moments(cache: Path, tmp_path: Path) -> None:
    places = [lane(tmp_path / str(number), cache) for number in range(LANES)]
    expected = whole(places[0], LONG)
    start = time.monotonic()

    def killed(place: Settings, number: int) -> tuple[int, int]:
        """Kill this lane's share; the kills and the runs that they took."""
        kills = 0
        with seeded(SEED * 1000 + number) as moments:
            for runs in count(1):
                chain = Chain.of(place, LONG, f"run-{runs}")
                while not chain.complete:  # the longer it takes, the later: a busy machine has to come to an end too
                    longest = expected.seconds * (1 + chain.kills / 10)
                    chain.attempt(delay=moments.uniform(0.0, longest))
                check_complete(chain, expected)
                kills += chain.kills
                say(f"lane {number}: {kills} kills, {runs} runs, {time.monotonic() - start:.0f} s")
                if kills >= KILLS / LANES:
                    return kills, runs
        raise AssertionError

    with ThreadPoolExecutor(LANES) as pool:
        done = list(pool.map(killed, places, range(LANES)))
    kills, runs = (sum(one) for one in zip(*done, strict=True))
    assert kills >= KILLS
    say(f"{kills} kills at random moments over {runs} runs: all complete, none differs from the unbroken one")


def boundaries(settings: Settings, folder: Path) -> list[tuple[str, int]]:
    """What is to be died at: every kind of boundary that a fresh or a resumed worker passes, and every one until the
    first checkpoint is complete."""
    fresh = Chain.of(settings, SHORT, "fresh")
    assert not fresh.attempt(Orders(record=folder / "fresh"))
    broken = Chain.of(settings, SHORT, "broken")
    assert broken.attempt(Orders(die_at=("before write metrics.jsonl for recorder.step", 3)))
    assert not broken.attempt(Orders(record=folder / "resumed"))
    names = (folder / "fresh").read_text().splitlines()
    first = names.index("after fsync checkpoints for checkpoint.write")
    targets = list(numbered(names[: first + 1]))
    for name in [*names, *(folder / "resumed").read_text().splitlines()]:
        if (name, 1) not in targets:
            targets.append((name, 1))
    return targets


def numbered(names: Iterable[str]) -> Iterable[tuple[str, int]]:
    seen: dict[str, int] = {}
    for name in names:
        seen[name] = seen.get(name, 0) + 1
        yield name, seen[name]


def test_every_named_write_boundary(cache: Path, tmp_path: Path) -> None:
    places = [lane(tmp_path / str(number), cache) for number in range(LANES)]
    expected = whole(places[0], SHORT)
    targets = boundaries(places[0], tmp_path)
    start = time.monotonic()

    def killed(place: Settings, number: int) -> int:
        kills, runs = 0, count(1)
        chain = Chain.of(place, SHORT, f"run-{next(runs)}")
        for done, target in enumerate(targets[number::LANES], 1):
            # A run that has come too far for this boundary is completed; the next one starts afresh, and if only a
            # resumed worker passes it, this one is killed once before.
            for died_before in (None, None, ("before write metrics.jsonl for recorder.step", 3)):
                if died_before is not None:
                    chain.attempt(Orders(die_at=died_before))
                died = chain.attempt(Orders(die_at=target))
                if chain.complete:
                    check_complete(chain, expected)
                    kills += chain.kills
                    chain = Chain.of(place, SHORT, f"run-{next(runs)}")
                if died:
                    break
            else:
                pytest.fail(f"no worker came to {target}")
            if done % 10 == 0:
                say(f"lane {number}: {done} boundaries, {time.monotonic() - start:.0f} s")
        chain.attempt()
        check_complete(chain, expected)
        return kills + chain.kills

    with ThreadPoolExecutor(LANES) as pool:
        kills = sum(pool.map(killed, places, range(LANES)))
    kinds = len({name for name, _ in targets})
    assert kills >= len(targets)
    say(f"{kills} kills at {len(targets)} write boundaries of {kinds} kinds: every run complete, none differs")


def test_killed_as_the_command_line_starts_it(cache: Path, tmp_path: Path) -> None:
    place = lane(tmp_path, cache)
    expected = whole(place, LONGER)
    chain = Chain.of(place, LONGER, "command")
    run, metrics = chain.run, chain.run.folder / "metrics.jsonl"
    with seeded(SEED) as moments:
        for number in range(COMMAND_KILLS + 1):
            enqueue(run, place)
            with open(tmp_path / "worker.out", "ab") as out:
                worker = subprocess.Popen(
                    command(run.id), cwd=PACKAGE_ROOT, env=environment(place), stdout=out, stderr=out
                )
            before = len(parsed(metrics.read_bytes())) if metrics.exists() else 0
            if number < COMMAND_KILLS:
                # After its first rows: three of four seconds of its life it only imports.
                while worker.poll() is None and (not metrics.exists() or len(parsed(metrics.read_bytes())) <= before):
                    time.sleep(0.02)
                time.sleep(moments.uniform(0.0, 0.4))
                worker.kill()
            worker.wait(120)
            seen = metrics.read_bytes()
            say(f"command {number + 1}: {'killed' if worker.returncode else 'ended'}, {len(parsed(seen))} rows")
            assert worker.returncode in (0, -signal.SIGKILL), chain.words("it failed")
    check_complete(chain, expected)
    attempts = {row["attempt"] for row in parsed(metrics.read_bytes())}
    assert len(attempts) > 1, "no kill came in time"
