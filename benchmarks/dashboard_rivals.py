"""The other dashboards' side of `dashboard.py`, run by the interpreter that has them, each in its own way.

    python benchmarks/dashboard_rivals.py has | write | read  tensorboard | trackio  SERIES.npz FOLDER POINTS

The metrics_log is an array a logged value. `read` prints one JSON line as soon as it has the loss.
"""

import importlib.util
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

TAG, PROJECT, RUN = "loss", "bench", "bench"


def write_tensorboard(rows: list[dict[str, float]], folder: Path) -> None:
    """By TensorBoard's own writer, an event a step."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer import record_writer
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    with suppress(ImportError):  # its own checksum is Python, byte by byte
        from crc32c import crc32c

        def masked(data: bytes) -> int:
            found = int(crc32c(data))
            return ((found >> 15 | found << 17) + 0xA282EAD8) & 0xFFFFFFFF

        record_writer.masked_crc32c = masked
    writer = EventFileWriter(str(folder))
    for row in rows:
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in row.items() if tag != "step"]
        writer.add_event(Event(wall_time=row["time"], step=int(row["step"]), summary=Summary(value=values)))
    writer.close()


def read_tensorboard(folder: Path, points: int) -> list[Any]:
    """By the accumulator that TensorBoard's own server reads with where its fast loader is not there."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": points})
    found.Reload()
    read: list[Any] = found.Scalars(TAG)
    return read


def write_trackio(rows: list[dict[str, float]], folder: Path) -> None:
    """Into Trackio's store in large batches, which is faster than `trackio.log`."""
    from trackio.sqlite_storage import SQLiteStorage

    for start in range(0, len(rows), 50_000):
        some = rows[start : start + 50_000]
        values = [{name: value for name, value in row.items() if name != "step"} for row in some]
        SQLiteStorage.bulk_log(PROJECT, RUN, values, steps=[int(row["step"]) for row in some])


def read_trackio(folder: Path, points: int) -> list[Any]:
    """What Trackio's server does for a chart."""
    from trackio.sqlite_storage import SQLiteStorage

    return [row[TAG] for row in SQLiteStorage.get_logs(PROJECT, RUN, max_points=points)]


WRITE = {"tensorboard": write_tensorboard, "trackio": write_trackio}
READ = {"tensorboard": read_tensorboard, "trackio": read_trackio}


def main() -> None:
    """One side, one deed."""
    verb, name, metrics_log, folder, points = sys.argv[1:6]
    os.environ["TRACKIO_DIR"] = folder
    if verb == "has":
        print(json.dumps(importlib.util.find_spec(name) is not None))
    elif verb == "write":
        import numpy as np

        columns = {column: values.tolist() for column, values in np.load(metrics_log).items()}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        WRITE[name](rows, Path(folder))
    else:
        print(json.dumps({"points": len(READ[name](Path(folder), int(points)))}), flush=True)


if __name__ == "__main__":
    main()
