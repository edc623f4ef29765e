"""From `streamlit run app.py` to the first heading in a browser, and on to the first chart.

Files are in the page cache; the browser is open and knows nothing of the app. Two checkouts take turns:

    python benchmarks/start.py [--quick] [--rounds 9] [--against FOLDER]

`listening` is the moment the port is open, `answered` that of the first byte of the page, `heading` and `chart` when a
person sees them. Needs playwright and a chromium.
"""

import argparse
import json
import shutil
import socket
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 60_000
"""Milliseconds that a part of the way may take."""
PARTS = ("listening", "answered", "heading", "chart")


def start(browser: Browser, checkout: Path) -> dict[str, float]:
    """Seconds to each of `PARTS`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    context = browser.new_context()
    page = context.new_page()
    page.goto("about:blank")
    command = [sys.executable, "-m", "streamlit", "run", str(checkout / "app.py"), f"--server.port={port}"]
    begin, found = time.perf_counter(), {}
    with subprocess.Popen(command, cwd=checkout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            while not listens(port):
                time.sleep(0.01)
            found["listening"] = time.perf_counter() - begin
            page.goto(f"http://127.0.0.1:{port}/", wait_until="commit")
            found["answered"] = time.perf_counter() - begin
            page.get_by_role("heading", level=1).wait_for(timeout=PATIENCE)
            found["heading"] = time.perf_counter() - begin
            page.locator(".js-plotly-plot .main-svg").first.wait_for(timeout=PATIENCE)
            found["chart"] = time.perf_counter() - begin
        finally:
            server.terminate()
            context.close()
    return found


def listens(port: int) -> bool:
    """Whether somebody takes connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def measure(checkouts: dict[str, Path], rounds: int) -> dict[str, float]:
    """The medians by checkout and part, and how many times as long the other checkout takes, each pair in its turn."""
    times: dict[tuple[str, str], list[float]] = defaultdict(list)
    with sync_playwright() as playwright:
        path = shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        for number in range(rounds + 1):  # the first one fills the page cache
            for name, checkout in checkouts.items():
                found = start(browser, checkout)
                for part in PARTS if number else ():
                    times[name, part].append(found[part])
        browser.close()
    medians = {f"{name}_{part}_seconds": round(median(times[name, part]), 3) for name in checkouts for part in PARTS}
    for part in PARTS if "against" in checkouts else ():
        pairs = zip(times["against", part], times["own", part], strict=True)
        medians[f"ratio_{part}"] = round(median(other / own for other, own in pairs), 3)
    return medians


def main() -> None:
    """Print a table, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three rounds: under a minute")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--against", type=Path, help="another checkout, measured in turn")
    arguments = parser.parse_args()
    other = {"against": arguments.against.resolve()} if arguments.against else {}
    found = measure({**other, "own": ROOT}, 3 if arguments.quick else arguments.rounds)
    for name, value in found.items():
        print(f"{name:28} {value:8.3f}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
