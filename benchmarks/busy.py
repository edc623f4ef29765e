"""How fast training and answering stay beside one other busy process, and what that costs where there is none.

Two processes do the same work in turn: `ours` waits as every command of the program does, `spinning` as OpenMP does by
itself. Each measures alone and beside one process that keeps a core busy, in a session of its own, as another program
would be: Linux shares out cores by session. `busy` is the seconds beside it over those alone; where one of two cores is
left, 2 is what the work itself costs. `idle` is the seconds of `ours` over those of `spinning`, both alone. Beside the
busy process `spinning` does one step of the toy only, which can take seconds. The first round warms up. A measurement
during which other programs used more than a fifth of a core is thrown away and counted as `disturbed`.

    python benchmarks/busy.py [--quick]
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import median
from typing import Any, Literal, get_args

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from medqa_core.answering.generate import engine_for
from medqa_core.answering.question import GenerationSettings
from medqa_core.answering.streams import Prompt, streams_for
from medqa_core.data import starter
from medqa_core.evaluation.loss import answer_losses
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.threads import OTHERS, POLICY
from medqa_core.models.loader import LoadedModel, load
from medqa_core.models.prompt import encode_example, encode_prompt, kind_for
from medqa_core.models.variants import VARIANTS, load_variants
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.store.run_store import RunStore
from medqa_core.training.inputs import environment
from medqa_core.training.process import keep_freed_memory
from medqa_core.training.trainer_state import TrainerState, accelerator_for

Load = Literal["idle", "busy"]
SPINNING = {"OMP_WAIT_POLICY": "ACTIVE", "GOMP_SPINCOUNT": "300000", "KMP_BLOCKTIME": "200"}
"""GNU's, and LLVM's and Intel's, own defaults, named; engines with threads of their own let them spin."""
WAYS: dict[str, dict[str, str]] = {"ours": {}, "spinning": SPINNING}
LABELS = {
    "toy": "toy, 12 training steps",
    "step": "SmolLM2-135M, a training step",
    "loss": "its losses, 8 examples",
    "batch": "its answers, a batch",
    "ask": "both answers to a question",
}
QUIET = 0.2
"""Cores that other programs may use during a measurement."""
TOY_STEPS = 12
EXAMPLES = 48
QUICK_SECONDS = 75
"""After so long `--quick` begins no other round."""


class Work:
    """What is measured, by name, in a process that waits in one way."""

    def __init__(self, run: str, questions: int, new_tokens: int) -> None:
        settings = Settings.from_environment()
        keep_freed_memory()
        self._toy = _training("smoke", load("toy", None, settings=settings, device="cpu"))
        variants = load_variants(RunStore(settings.reports).open(run), settings)
        engine = engine_for(variants, "base", settings)
        streams = streams_for(variants, settings)
        asked = [pair.question for pair in starter.load().pairs[::40][:questions]]
        prompts = [encode_prompt(variants.tokenizer, question, variants.prompt) for question in asked]
        columns = [Prompt(variant, prompts[0], new_tokens) for variant in VARIANTS]
        state = _training("starter", load("smollm2-135m-instruct", None, settings=settings, device="cpu"))
        self.parts: dict[str, Callable[[], object]] = {
            "toy": lambda: self.toy(TOY_STEPS),
            "step": lambda: state.step(1),
            "loss": lambda: answer_losses(state.model, state.examples[:8]),
            "batch": lambda: list(engine.answers(prompts, new_tokens)),
            "ask": lambda: list(streams.decode(columns, GenerationSettings())),
        }

    def toy(self, steps: int) -> None:
        """So many steps of the toy."""
        for number in range(1, steps + 1):
            self._toy.step(number)


def main() -> None:
    """Measure, print a table, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="two rounds and short answers: under two minutes")
    parser.add_argument("--run", default="starter", help="whose models answer (default: %(default)s)")
    parser.add_argument("--rounds", type=int, help="measurements of each kind")
    arguments = parser.parse_args()
    rounds = arguments.rounds or (2 if arguments.quick else 7)
    size = (4, 8) if arguments.quick else (16, 24)
    begun = time.monotonic()
    ways = {name: _start(variables, arguments.run, *size) for name, variables in WAYS.items()}
    seconds: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    disturbed = 0
    for number in range(rounds + 1):
        order = list(WAYS) if number % 2 else list(reversed(WAYS))
        for load_ in get_args(Load):
            with _beside(load_):
                for part, way in ((part, way) for part in LABELS for way in order):
                    if way == "spinning" and (load_ == "busy" or _others(0.2) > QUIET):
                        disturbed += load_ == "idle"  # it would take minutes
                        continue
                    found, others = ways[way].measure(part)
                    if others - (load_ == "busy") > QUIET:
                        disturbed += 1
                    elif number:  # the first round warms up
                        seconds[part, way, load_].append(found)
        if arguments.quick and time.monotonic() - begun > QUICK_SECONDS:
            break
    with _beside("busy"):
        spinning_step = ways["spinning"].measure("toy", 1)[0]
    for one in ways.values():
        one.end()
    _report(seconds, spinning_step, rounds, disturbed, ways["ours"].threads)


def _report(
    seconds: dict[tuple[str, str, str], list[float]], spinning_step: float, rounds: int, disturbed: int, threads: int
) -> None:
    middle = {key: median(values) for key, values in seconds.items()}
    print(f"{threads} threads, {rounds} rounds, {disturbed} measurements disturbed; seconds")
    print(f"{'':<32}{'spinning':>10}{'ours':>8}{'idle':>7}{'ours, busy':>12}{'busy':>7}")
    result: dict[str, Any] = {"rounds": rounds, "disturbed": disturbed, "threads": threads}
    for part, label in LABELS.items():
        spinning, ours, busy = (
            middle.get((part, way, load_)) for way, load_ in (("spinning", "idle"), ("ours", "idle"), ("ours", "busy"))
        )
        result[f"seconds_{part}"] = {"spinning": _digits(spinning), "ours": _digits(ours), "busy": _digits(busy)}
        result[f"ratio_idle_{part}"] = idle = _ratio(ours, spinning)
        result[f"ratio_busy_{part}"] = slower = _ratio(busy, ours)
        cells = [_cell(spinning, 10), _cell(ours, 8), _cell(idle, 7, 2), _cell(busy, 12), _cell(slower, 7, 2)]
        print(f"{label:<32}{''.join(cells)}")
    toy = middle.get(("toy", "spinning", "idle"))
    result["ratio_busy_toy_spinning"] = _ratio(spinning_step, toy and toy / TOY_STEPS)
    print(f"spinning beside the busy process, a step of the toy: {_cell(spinning_step, 0)} s, "
          f"{_cell(result['ratio_busy_toy_spinning'], 0, 1)} times its time alone")  # fmt: skip
    print(json.dumps(result))


class _Way:
    """A process that waits in one way, and does what it is told."""

    def __init__(self, pipe: Connection, pid: int) -> None:
        self._pipe, self._process = pipe, psutil.Process(pid)
        self.threads: int = pipe.recv()

    def measure(self, part: str, steps: int | None = None) -> tuple[float, float]:
        """Seconds that a part takes, and the cores that other programs used meanwhile."""
        start, all_, own = time.perf_counter(), _used(), self._own()
        self._pipe.send((part, steps))
        seconds: float = self._pipe.recv()
        return seconds, (_used() - all_ - self._own() + own) / (time.perf_counter() - start)

    def end(self) -> None:
        """Let the process end."""
        self._pipe.send(None)

    def _own(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)


def _start(variables: dict[str, str], *size: Any) -> _Way:
    """A process with these variables, ready; the parent's own are as before."""
    context = multiprocessing.get_context("spawn")
    before = {name: os.environ.pop(name, None) for name in (*POLICY, *OTHERS)}
    os.environ.update(variables)
    pipe, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, *size), daemon=True)
    try:
        process.start()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
    theirs.close()  # or a process that fails would be waited for
    assert process.pid is not None
    return _Way(pipe, process.pid)


def serve(pipe: Connection, run: str, questions: int, new_tokens: int) -> None:
    """Do what the pipe asks for until it sends None."""
    work = Work(run, questions, new_tokens)
    pipe.send(environment("cpu", "float32").threads)
    while (asked := pipe.recv()) is not None:
        part, steps = asked
        start = time.perf_counter()
        if steps is None:
            work.parts[part]()
        else:
            work.toy(steps)
        pipe.send(time.perf_counter() - start)


@contextmanager
def _beside(load_: Load) -> Iterator[None]:
    """Beside a process that keeps a core busy, or beside none."""
    if load_ == "idle":
        yield
        return
    with subprocess.Popen([sys.executable, "-c", "while True: pass"], start_new_session=True) as process:
        try:
            time.sleep(0.5)
            yield
        finally:
            process.kill()


def _training(preset: str, base: LoadedModel) -> TrainerState:
    """A training of the starter set by a preset, at its first step."""
    config, kind = from_preset(preset), kind_for(base.tokenizer)
    pairs = starter.load().pairs[:EXAMPLES]
    examples = [
        encode_example(base.tokenizer, pair.question, pair.answer, kind, config.max_tokens, end=True) for pair in pairs
    ]
    return TrainerState(config, base, examples, accelerator_for(base.device))


def _others(seconds: float) -> float:
    """Cores in use during so many seconds in which the benchmark does nothing."""
    before = _used()
    time.sleep(seconds)
    return (_used() - before) / seconds


def _used() -> float:
    """Seconds that all cores together have worked."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _ratio(one: float | None, other: float | None) -> float | None:
    return round(one / other, 2) if one and other else None


def _digits(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _cell(value: float | None, width: int, digits: int = 3) -> str:
    return f"{'–' if value is None else f'{value:.{digits}f}':>{width}}"


if __name__ == "__main__":
    main()
