"""What a list of runs is made from, and what it need not load."""

import subprocess
import sys
from pathlib import Path

from medqa_core.runs import records

LIST = """
import sys
from pathlib import Path
from medqa_core.runs.store.run_store import RunStore
store = RunStore(Path(sys.argv[1]))
assert [store.open(entry.id).record.title for entry in store.list()]
print(sorted({"numpy", "pandas", "pyarrow"} & set(sys.modules)))
"""


def test_listing_and_opening_runs_loads_no_tables() -> None:
    """The head of a page, and a command that lists runs, do not wait for them."""
    shipped = Path(__file__).parents[2] / "reports"
    done = subprocess.run([sys.executable, "-c", LIST, str(shipped)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_without_files_there_is_neither_record_nor_status(tmp_path: Path) -> None:
    assert records.record(tmp_path).value is None and records.status(tmp_path).value is None
    assert not records.is_elsewhere(None)
