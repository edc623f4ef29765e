"""Curves from tables and trackers: CSV, lines of JSON, event files, Trackio's database. All figures are made up."""

import json
import sqlite3
import struct
from pathlib import Path

import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.runs.importers import import_path
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import ImportRecord
from medqa_core.runs.store.run_store import RunStore


def said(run: Run) -> ImportRecord:
    assert run.record.imported is not None
    return run.record.imported


def curves(run: Run) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    log = run.metrics_log()
    train, validation = (
        list(zip(c["step"].tolist(), c["loss"].tolist(), strict=True)) for c in (log.train, log.validation)
    )
    return train, validation


TABLES = {
    "plain.csv": "step,loss,eval_loss\n10,2.5,\n20,2.0,2.25\n",
    "semicolons.csv": "step;loss;eval_loss\n10;2.5;\n20;2.0;2.25\n",
    "commas.csv": "step;loss;eval_loss\n10;2,50;\n20;2,0e0;2,25\n",
    "script.csv": "epoch,step,Train Loss,val_loss\n1,10,2.5,\n2,20,2.0,2.25\n",
    "tabs.tsv": "Step\tTraining Loss\tValidation Loss\n10\t2.5\t\n20\t2.0\t2.25\n",
    "tracker.csv": (
        '"Step","mine - train/loss","mine - train/loss__MIN","mine - eval/loss"\n10,2.5,2.5,\n20,2.0,2.0,2.25\n'
    ),
    "lines.jsonl": '{"step": 10, "loss": 2.5}\n{"step": 20, "loss": 2.0, "eval_loss": 2.25}\ntorn\n',
    "factory.jsonl": (
        '{"current_steps": 10, "total_steps": 20, "loss": 2.5, "lr": 1e-4}\n'
        '{"current_steps": 20, "total_steps": 20, "loss": 2.0, "eval_loss": 2.25}\n'
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_is_a_curve(name: str, store: RunStore, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(TABLES[name])
    run = import_path(path, store)
    assert curves(run) == ([(10, 2.5), (20, 2.0)], [(20, 2.25)])
    assert said(run).format == "curve" and said(run).source == name
    assert run.record.title == f"Curve ({name})" and run.snapshot().problems == ()


def test_a_comma_among_points_is_none_of_decimals(store: RunStore, tmp_path: Path) -> None:
    path = tmp_path / "thousands.csv"
    path.write_text("step;loss;tokens\n10;2.5;1,250\n20;2.0;2,500\n")
    run = import_path(path, store)
    assert curves(run)[0] == [(10, 2.5), (20, 2.0)]
    assert not run.snapshot().series


def test_of_several_runs_in_one_table_the_first_is_taken_and_said(store: RunStore, tmp_path: Path) -> None:
    path = tmp_path / "chart.csv"
    path.write_text(
        '"Step","new - train/loss","new - train/loss__MIN","old - train/loss","older - train/loss"\n'
        "10,2.5,2.5,9.0,9.5\n15,,,8.5,\n20,2.0,2.0,8.0,\n"
    )
    run = import_path(path, store)
    assert curves(run) == ([(10, 2.5), (20, 2.0)], [])
    assert said(run).notes == [
        "Run new, the first of the table. It also holds 2 other runs; export another one alone for its curve."
    ]


def test_tensorboard_s_own_csv_of_one_tag(store: RunStore, tmp_path: Path) -> None:
    path = tmp_path / "run-a-tag-train_loss.csv"
    path.write_text("Wall time,Step,Value\n1.5,10,2.5\n2.5,20,2.0\n")
    assert curves(import_path(path, store)) == ([(10, 2.5), (20, 2.0)], [])


@pytest.mark.parametrize("text", ["step,name\nx,y\n", "steps,loss\n", 'step,loss\n"10'])
def test_a_table_without_a_curve_is_refused(text: str, store: RunStore, tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text(text)
    with pytest.raises(InputError, match="Looked for"):
        import_path(path, store)
    assert store.list() == []


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


def part(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def event(step: int, tag: str, value: float, *, tensor: bool = False) -> bytes:
    """One record of an event file, as torch and TensorFlow write them, but for its checksums, which nobody looks at."""
    number = struct.pack("<f", value)
    held = part(8, b"\x08\x01" + part(4, number)) if tensor else varint(2 << 3 | 5) + number
    message = b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(step) + part(5, part(1, part(1, tag.encode()) + held))
    return struct.pack("<Q", len(message)) + bytes(4) + message + bytes(4)


def test_event_files(store: RunStore, tmp_path: Path) -> None:
    folder = tmp_path / "board"
    (folder / "inner").mkdir(parents=True)
    first = event(10, "train/loss", 2.5) + event(300, "train/loss", 2.0) + event(300, "train/entropy", 0.5)
    (folder / "events.out.tfevents.1.host").write_bytes(first + event(400, "train/loss", 9.0)[:-6])
    second = event(300, "eval/loss", 2.25, tensor=True) + b"\xff" * 40
    (folder / "inner" / "events.out.tfevents.2.host").write_bytes(second)
    run = import_path(folder, store)
    assert curves(run) == ([(10, 2.5), (300, 2.0)], [(300, 2.25)])
    assert [one.label for one in run.snapshot().series] == ["entropy"]
    alone = import_path(folder / "events.out.tfevents.1.host", store)
    assert curves(alone)[0] == [(10, 2.5), (300, 2.0)]


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"\x10" + bytes(11) + b"\xff" * 20, b"\xff" * 200])
def test_a_damaged_event_file_is_refused(content: bytes, store: RunStore, tmp_path: Path) -> None:
    path = tmp_path / "events.out.tfevents.1.host"
    path.write_bytes(content)
    with pytest.raises(InputError):
        import_path(path, store)


def trackio(path: Path) -> None:
    """A database of two runs, as Trackio writes it."""
    database = sqlite3.connect(path)
    database.execute("CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp, run_name, step, metrics)")
    rows: list[tuple[str, int, dict[str, float]]] = [("old", 1, {"train/loss": 9.0}), ("new", 10, {"train/loss": 2.5})]
    rows.append(("new", 20, {"loss": 2.0, "eval/loss": 2.25}))
    for at, (run, step, row) in enumerate(rows):
        values = (f"2026-01-0{at + 1}", run, step, json.dumps(row))
        database.execute("INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)", values)
    database.commit()
    database.close()


def test_trackio_s_database(store: RunStore, tmp_path: Path) -> None:
    trackio(tmp_path / "project.db")
    before = (tmp_path / "project.db").read_bytes()
    run = import_path(tmp_path / "project.db", store)
    assert curves(run) == ([(10, 2.5), (20, 2.0)], [(20, 2.25)])
    assert said(run).notes[0] == "Run new of the database. It also holds 1 other run; the one logged to last was taken."
    assert (tmp_path / "project.db").read_bytes() == before


def test_rows_that_trackio_s_database_has_in_its_log_alone_are_read(store: RunStore, tmp_path: Path) -> None:
    trackio(tmp_path / "project.db")
    database = sqlite3.connect(tmp_path / "project.db")  # stays open: who closes it brings the log in, as no kill does
    database.execute("PRAGMA journal_mode=WAL")
    row = ("2026-01-09", "new", 30, json.dumps({"loss": 1.5}))
    database.execute("INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?)", row)
    database.commit()
    files = [tmp_path / "project.db", tmp_path / "project.db-wal"]
    before = [file.read_bytes() for file in files]
    run = import_path(files[0], store)
    assert curves(run)[0] == [(10, 2.5), (20, 2.0), (30, 1.5)]
    assert [file.read_bytes() for file in files] == before
    database.close()


def test_another_database_is_refused(store: RunStore, tmp_path: Path) -> None:
    database = sqlite3.connect(tmp_path / "x.db")
    database.execute("CREATE TABLE other (a)")
    database.execute("CREATE VIEW metrics AS SELECT 1 AS step, '{}' AS metrics, 'a' AS run_name, 1 AS timestamp")
    database.commit()
    database.close()
    with pytest.raises(InputError, match="without Trackio's table"):
        import_path(tmp_path / "x.db", store)
    (tmp_path / "torn.db").write_bytes(b"SQLite format 3\x00" + b"\x01" * 50)
    with pytest.raises(InputError, match="cannot be read as Trackio"):
        import_path(tmp_path / "torn.db", store)
