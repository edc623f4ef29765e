"""The dashboard at scale: a store of thousands of runs, and a run of a million logged points.

Everything is built in a temporary folder, and its files are in the page cache. `first` is a store without an index or a
run without a cached curve, `cold` a new process that finds them, `warm` the same process again. "To points" is the time
from a process's start until it holds the down-sampled loss as JSON, "to chart" until it holds the finished figure, with
Streamlit and Plotly imported. The rivals give points and draw nothing: TensorBoard's accumulator, what Trackio's server
does for a chart, and TensorBoard's server with its fast loader, asked over HTTP from its start until the last step is
there. All hold the same eight values a step, are asked for the same number of points, and take turns.
(Unasked, TensorBoard serves 1,000 points drawn at random, and Trackio every n-th up to 3,000; neither keeps the
extremes, as ours do.) A rival that `--python` does not have is left out:

    python -m venv rivals && rivals/bin/pip install -r benchmarks/requirements.txt
    python benchmarks/dashboard.py [--quick] [--runs 10000] [--points 1000000] [--python rivals/bin/python]
"""

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np
from dashboard_parts import PATIENCE, ROOT, build_curve, build_store

PARTS, RIVALS = ROOT / "benchmarks" / "dashboard_parts.py", ROOT / "benchmarks" / "dashboard_rivals.py"
ASKED = 2000
"""Points that each is asked for."""
CURVE_PARTS = ("read_first", "read_cold", "draw_cold", "live_cold")
TO_POINTS = ("to_points_first", "to_points_cold")
TO_CHART = ("to_chart_first", "to_chart_cold")
RIVAL_NAMES = ("tensorboard", "tensorboard_server", "trackio")


def in_process(command: list[str], environment: dict[str, str]) -> tuple[float, dict[str, Any]]:
    """Seconds from the start of a process to its first line, and its last one."""
    start = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as run:
        assert run.stdout is not None
        lines = [run.stdout.readline()]
        first = time.perf_counter() - start
        lines += run.stdout.readlines()
    if run.returncode:
        raise SystemExit(f"failed: {' '.join(command)}")
    return first, json.loads(lines[-1])


def served(python: str, folder: Path, last_step: int) -> float:
    """Seconds from the start of TensorBoard's server until it gives the curve to its end."""
    port = free_port()
    server = [python, "-m", "tensorboard.main", "--logdir", str(folder), "--port", str(port), "--host=127.0.0.1"]
    server.append(f"--samples_per_plugin=scalars={ASKED}")
    address = f"http://127.0.0.1:{port}/data/plugin/scalars/scalars?run=.&tag=loss"
    start = time.perf_counter()
    with subprocess.Popen(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while time.perf_counter() - start < PATIENCE:
                with suppress(URLError, OSError, ValueError), urlopen(address, timeout=60) as answer:
                    metrics_log = json.load(answer)
                    if metrics_log and metrics_log[-1][1] >= last_step:
                        return time.perf_counter() - start
                time.sleep(0.02)
        finally:
            process.terminate()
    raise SystemExit("TensorBoard did not serve the curve.")


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def rivals(python: str, metrics_log: Path, root: Path, last_step: int) -> dict[str, Callable[[], float]]:
    """How to measure each rival that is there; what it reads is written by now."""
    found: dict[str, Callable[[], float]] = {}
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    for name in ("tensorboard", "trackio"):
        folder = root / name
        folder.mkdir()
        has, write, read = (
            [python, str(RIVALS), verb, name, str(metrics_log), str(folder), str(ASKED)]
            for verb in ("has", "write", "read")
        )
        try:
            if not in_process(has, environment)[1]:
                continue
        except (OSError, SystemExit):
            continue
        subprocess.run(write, env=environment, check=True, capture_output=True)
        found[name] = lambda read=read: in_process(read, environment)[0]  # type: ignore[misc]
        if name == "tensorboard":
            found["tensorboard_server"] = lambda folder=folder: served(python, folder, last_step)  # type: ignore[misc]
    return found


class Results:
    """What was measured, printed a line each as it comes."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.values: dict[str, Any] = {"runs": arguments.runs, "points": arguments.points, "asked": ASKED}

    def add(self, name: str, value: float | None, unit: str = "s") -> None:
        """One figure; None where it could not be measured."""
        self.values[name] = None if value is None else round(value, 4)
        shown = "not measured" if value is None else f"{value:12.3f} {unit}"
        print(f"{name.replace('_', ' '):<44}{shown}", flush=True)


class Parts:
    """Our side, each part in a process of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {**os.environ, "MEDQA_CACHE": str(root / "cache"), "MEDQA_REPORTS": str(root / "store")}

    def run(self, part: str, folder: str) -> tuple[float, dict[str, Any]]:
        """Seconds until it has what was asked for, and what it says of itself."""
        return in_process([sys.executable, str(PARTS), part, str(self.root / folder)], self.environment)

    def forget_curves(self) -> None:
        """As if no run's curve had been read before."""
        shutil.rmtree(self.root / "cache" / "metrics_log", ignore_errors=True)


def measure_store(parts: Parts, rounds: int, results: Results) -> None:
    """The list of runs, and pages over many of them."""
    results.add("list_first_seconds", parts.run("list", "store")[1]["seconds"])
    lists = [parts.run("list", "store")[1] for _ in range(rounds)]
    results.add("list_cold_seconds", median(one["seconds"] for one in lists))
    results.add("list_warm_seconds", median(one["again"] for one in lists))
    for name, seconds in parts.run("pages", "store")[1].items():
        results.add(f"page_{name}_seconds", seconds)


def time_curve(parts: Parts, theirs: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """A long curve, ours and the rivals' in turn: seconds by what was measured, and bytes of the chart."""
    times: dict[str, list[float]] = defaultdict(list)
    for _ in range(rounds):
        for part in ("points", "chart"):
            parts.forget_curves()
            for state in ("first", "cold"):
                seconds, found = parts.run(part, "curve")
                times[f"to_{part}_{state}"].append(seconds)
                for name, value in found.items() if part == "chart" else ():
                    times[f"{name}_{state}"].append(value)
        for name, measured in theirs.items():
            times[name].append(measured())
    return times


def report_curve(times: dict[str, list[float]], results: Results) -> None:
    """The medians of what `time_curve` measured, and how many times ours the rivals take."""
    for name in (*CURVE_PARTS, *TO_POINTS, *TO_CHART):
        results.add(f"curve_{name}_seconds", median(times[name]))
    results.add("chart_bytes", median(times["bytes_cold"]), "bytes")
    for name in RIVAL_NAMES:
        results.add(f"{name}_seconds", median(times[name]) if name in times else None)
        for part in (*TO_POINTS, *TO_CHART) if name in times else ():
            ratio = median(a / b for a, b in zip(times[name], times[part], strict=True))
            results.add(f"ratio_{name}_{part}", ratio, "times ours")


def measure(arguments: argparse.Namespace, root: Path) -> dict[str, Any]:
    """Build, measure, and print a line a measurement."""
    results, parts = Results(arguments), Parts(root)
    build_store(root / "store", arguments.runs)
    measure_store(parts, arguments.rounds, results)
    log = root / "metrics_log.npz"
    columns: dict[str, Any] = build_curve(root / "curve", arguments.points)
    np.savez(log, **columns)
    theirs = rivals(arguments.python, log, root, arguments.points)
    report_curve(time_curve(parts, theirs, arguments.rounds), results)
    return results.values


def main() -> None:
    """Print a table, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="300 runs, 20,000 points, one round: under a minute")
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", default=sys.executable, help="the interpreter that has the rivals")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.runs, arguments.points, arguments.rounds = 300, 20_000, 1
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(measure(arguments, Path(folder))))


if __name__ == "__main__":
    main()
