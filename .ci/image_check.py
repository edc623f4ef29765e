"""Is the image what docs/hosting.md says? Builds it, runs it hardened, asks it, stops it; `make image-check` runs it.

Needs docker or podman and the right to use it; the command that is run is the hardened one of docs/hosting.md. What
follows `--` goes to the engine's `build` as it is. Exits with 1 where something does not hold.
"""

import argparse
import json
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGE = "medqa-lab"
NAME = "medqa-lab-check"
"""Of the container and of its volume: what a person runs stays untouched."""
RUNS = ("medquad-open-book", "starter")
QUESTION = "What are the symptoms of gout?"
PATIENCE = 120.0
"""Seconds for the server to come up, and for one answer."""
GRACE = 10
"""Seconds between SIGTERM and SIGKILL: what engines grant by default."""
MEMORY = r"VmRSS:\s+(\d+) kB"
PEAK = r"VmHWM:\s+(\d+) kB"
DEBIAN = "http://deb.debian.org/debian"
PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates"


class Engine:
    """The command of a container engine."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __call__(self, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run it and return what it said.

        Raises:
            SystemExit: it failed although `check`; its own words are the message.
        """
        done = subprocess.run([self.command, *words], cwd=ROOT, capture_output=True, text=True, check=False)
        if check and done.returncode:
            raise SystemExit(f"{self.command} {words[0]} failed: {done.stderr.strip()[-1000:]}")
        return done

    def inside(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the container."""
        return self("exec", NAME, *words, check=False)

    def memory(self, pattern: str) -> int:
        """MiB of the server, which is the container's largest process: resident now, or at its highest."""
        said = self.inside("sh", "-c", "cat /proc/[0-9]*/status").stdout
        return max(int(found) for found in re.findall(pattern, said)) // 1024


class Checks:
    """What holds and what does not, said as it is found."""

    failed = 0

    def __call__(self, what: str, holds: bool, found: object = "") -> None:
        """Say one thing."""
        self.failed += not holds
        say(f"  {'ok    ' if holds else 'FAILED'} {what}{f': {found}' if str(found) else ''}")


def say(text: str) -> None:
    """One line, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def base_from_debian(engine: Engine) -> str:
    """An image of Debian's Python 3.11, made here, for where no registry is in reach; its name.

    The machine's certificates come along: behind a proxy of its own pip must know that proxy's.
    """
    name = f"localhost/{IMAGE}-base:bookworm"
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        subprocess.run(
            ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", "bookworm", str(root), DEBIAN],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        for kept in ("var/cache/apt/archives", "var/lib/apt/lists"):
            shutil.rmtree(root / kept, ignore_errors=True)
        known = Path("etc/ssl/certs/ca-certificates.crt")
        if (Path("/") / known).is_file():
            shutil.copyfile(Path("/") / known, root / known)
        packed = Path(folder) / "root.tar"
        subprocess.run(["tar", "-C", str(root), "-cf", str(packed), "."], check=True)
        engine("import", str(packed), name)
    return name


def hardened(port: int, image: str) -> list[str]:
    """The hardened command of docs/hosting.md without the engine, under names and at a port of this check."""
    text = (ROOT / "docs" / "hosting.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = re.findall(r"(?m)^docker (run -d --read-only .*)$", text)
    replaced = {"medqa-runs:": f"{NAME}:", "127.0.0.1:7860:": f"127.0.0.1:{port}:"}
    for old, new in replaced.items():
        assert line.count(old) == 1, f"docs/hosting.md does not say {old}"
        line = line.replace(old, new)
    words = shlex.split(line)
    assert words[-1] == IMAGE
    return [words[0], "--name", NAME, *words[1:-1], image]


def free_port() -> int:
    """A port of this machine that nobody has."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def get(url: str, data: Any = None) -> str:
    """What an address answers; `data` is posted as JSON.

    Raises:
        OSError: it does not answer, or with an error.
    """
    body = None if data is None else json.dumps(data).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return str(answer.read().decode())


def ask(url: str, run: str, precision: str) -> dict[str, Any]:
    """The answers of both models, as the API below the widget gives them."""
    call = f"{url}/qa/gradio_api/call/compare"
    event = json.loads(get(call, {"data": [QUESTION, run, 0.0, 48, 42, precision, False, 3]}))["event_id"]
    name, data = get(f"{call}/{event}").strip().split("\n\n")[-1].split("\n", 1)
    found = json.loads(data.removeprefix("data: "))
    if name != "event: complete":
        raise OSError(f"{name}: {found}")
    return dict(found[0])


def until(true: Callable[[], object], seconds: float) -> float:
    """Seconds until something holds, as far as it does in time."""
    start = time.monotonic()
    while not true() and time.monotonic() - start < seconds:
        time.sleep(0.1)
    return time.monotonic() - start


def ended_at(stamp: str) -> float:
    """Seconds since the epoch of an engine's moment, such as `2026-11-27T09:11:46.123456789Z`."""
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", stamp)).timestamp()


def healthy(url: str) -> bool:
    """Whether the server answers."""
    try:
        return get(f"{url}/_stcore/health") == "ok"
    except OSError:
        return False


def check_running(engine: Engine, check: Checks, url: str) -> None:
    """What holds while it runs."""
    config = json.loads(engine("inspect", NAME).stdout)[0]
    probe = config["Config"].get("Healthcheck", {}).get("Test", ["", "false"])[-1]
    check("its own health check passes", engine.inside("sh", "-c", probe).returncode == 0)
    check("it serves as user 1000", engine.inside("id", "-u").stdout.strip() == "1000")
    check("its memory is limited", config["HostConfig"]["Memory"] == 3 * 2**30)
    for place in ("/app", "/opt/venv", "/home/lab", "/var/cache/medqa-lab"):
        refused = engine.inside("touch", f"{place}/x").stderr
        check(f"nothing can be written to {place}", "Read-only file system" in refused, refused.strip())
    for place in ("/tmp", "/var/lib/medqa-lab"):
        done = engine.inside("sh", "-c", f"touch {place}/.x && rm {place}/.x")
        check(f"{place} can be written", done.returncode == 0, done.stderr.strip())
    check("memory before a question", True, f"{engine.memory(MEMORY):,} MiB")
    check("the page answers", '<div id="root">' in get(url))
    for run, precision in [(run, precision) for run in RUNS for precision in ("float32", "int8")]:
        check_answer(engine, check, url, run, precision)
    check("memory at its highest", True, f"{engine.memory(PEAK):,} MiB")


def check_answer(engine: Engine, check: Checks, url: str, run: str, precision: str) -> None:
    """One question to both models of a run, twice: the first time loads them."""
    try:
        took = []
        for _ in range(2):
            start = time.monotonic()
            answers = ask(url, run, precision)
            took.append(time.monotonic() - start)
    except (OSError, ValueError) as error:
        check(f"{run} answers in {precision}", False, error)
        return
    holds = all(answers[column]["text"].strip() for column in ("base", "fine_tuned"))
    figures = f"{took[0]:.1f} s, then {took[1]:.1f} s; {engine.memory(MEMORY):,} MiB"
    check(f"{run} answers in {precision}", holds, figures)


def check_stop(engine: Engine, check: Checks) -> None:
    """Whether it ends in time when it is told to, and what it said in its life."""
    # By the shell inside, because the engine's own clearing up can take longer than the server's end.
    told = engine.inside("sh", "-c", "date +%s.%N; kill -TERM 1").stdout
    until(lambda: not json.loads(engine("inspect", NAME).stdout)[0]["State"]["Running"], 2 * GRACE)
    engine("stop", "--time", str(GRACE), NAME)
    state = json.loads(engine("inspect", NAME).stdout)[0]["State"]
    took = ended_at(state["FinishedAt"]) - float(told)
    check("it ends when told to", state["ExitCode"] in (0, 143) and took < GRACE, f"{took:.1f} s")
    done = engine("logs", NAME)
    logged = done.stdout + done.stderr
    wrong = "Traceback" in logged or "rror" in logged
    check("no error in its log", not wrong, logged.strip()[-600:] if wrong else "")


def main() -> int:
    """Build, run, ask, stop; what holds is said on the way."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--engine", default=shutil.which("docker") or shutil.which("podman"), help="docker or podman")
    parser.add_argument("--base", help="the base image; `debootstrap` makes one of Debian's Python (root, Debian)")
    parser.add_argument("--built", action="store_true", help=f"take the image {IMAGE} that is there")
    parser.add_argument("build", nargs="*", metavar="-- ARGUMENT", help="more words for the engine's build")
    told = parser.parse_args()
    if not told.engine:
        raise SystemExit("docker or podman is needed; name one with --engine.")
    engine, check = Engine(told.engine), Checks()
    if not told.built:
        start = time.monotonic()
        base = base_from_debian(engine) if told.base == "debootstrap" else told.base
        chosen = ["--build-arg", f"PYTHON_IMAGE={base}"] if base else []
        # podman keeps a health check in Docker's form of an image only.
        form = ["--format", "docker"] if Path(told.engine).name == "podman" else []
        say("The image is being built: some minutes.")
        engine("build", *form, "-t", IMAGE, *chosen, *told.build, ".")
        check("it is built", True, f"{time.monotonic() - start:.0f} s")
    size = json.loads(engine("image", "inspect", IMAGE).stdout)[0]["Size"]
    check("size, unpacked", True, f"{size / 1e9:.2f} GB")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    engine("rm", "-f", NAME, check=False)
    try:
        engine(*hardened(port, IMAGE))
        took = until(lambda: healthy(url), PATIENCE)
        check("it is healthy", took < PATIENCE, f"{took:.1f} s after it was started")
        if took < PATIENCE:
            check_running(engine, check, url)
        check_stop(engine, check)
    finally:
        engine("rm", "-f", NAME, check=False)
        engine("volume", "rm", NAME, check=False)
    say(f"{check.failed} of the above failed." if check.failed else "All of it holds.")
    return int(bool(check.failed))


if __name__ == "__main__":
    sys.exit(main())
