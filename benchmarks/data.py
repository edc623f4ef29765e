"""How long a large data set takes to be read, split and described, and how much memory that takes.

`python benchmarks/data.py` makes 100,000 invented question-answer pairs on 25,000 topics as a CSV and describes them in
a process of its own: reading, the split of version 2 with its near-duplicates, and what leaks through it. The last line
is one JSON object. `--quick`: 20,000 pairs.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from medqa_core.data import own
from medqa_core.data.describe import describe
from medqa_core.data.readers import file
from medqa_core.runs.schema.config import TrainConfig

ROWS, QUICK = 100_000, 20_000
PER_TOPIC = 4
WORDS = 20_000
"""Different words of the answers."""
QUESTIONS = ("What is {}?", "What are the symptoms of {}?", "What causes {}?", "How is {} treated?")


def write(path: Path, rows: int) -> None:
    """A CSV of `rows` pairs: four questions on each topic, answers of 20 to 120 words."""
    random = Random(7)
    words = ["".join(random.choices("bdfgklmnprstvz", k=2)) + random.choice("aeiou") + str(n) for n in range(WORDS)]
    with path.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("question", "answer", "source"))
        for n in range(rows):
            topic = f"ailment {words[n // PER_TOPIC % WORDS]} {n // PER_TOPIC}"
            answer = " ".join(random.choices(words, k=random.randint(20, 120)))
            writer.writerow((QUESTIONS[n % PER_TOPIC].format(topic), f"{topic}: {answer}.", f"source {n % 5}"))


def measure(path: Path) -> dict[str, float]:
    """Seconds of each step, the processor's seconds (less than those on a busy machine), and the peak memory in GiB."""
    start = time.perf_counter()
    data = own.pairs([file.read(path)], path.name, {})
    read = time.perf_counter()
    found = describe(data, TrainConfig())
    described = time.perf_counter()
    assert sum(found.sizes.model_dump().values()) == len(data.pairs)
    cpu = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return {"read": read - start, "split_and_describe": described - read, "cpu": cpu, "peak_gib": peak}


def main() -> None:
    """Measure, print a table, then one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:,} pairs")
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.file:
        print(json.dumps(measure(given.file)))
        return
    rows = QUICK if given.quick else ROWS
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "made.csv")
        write(path, rows)
        command = [sys.executable, __file__, "--file", str(path)]
        found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    total = found["read"] + found["split_and_describe"]
    print(f"{'pairs':<20} {rows:>10,}")
    for name, value in (*found.items(), ("total", total)):
        print(f"{name:<20} {value:>10.2f}")
    print(
        json.dumps(
            {"pairs": rows, **{name: round(value, 3) for name, value in found.items()}, "total": round(total, 3)}
        )
    )


if __name__ == "__main__":
    main()
