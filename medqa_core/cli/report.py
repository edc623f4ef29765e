"""`report`: the write-up of a run."""

from medqa_core.cli.output import JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.runs.store import RunStore


def report(run: RunArgument, json: JsonFlag = False) -> None:
    """Write summary.txt, summary.md, summary.html and README.md from the run folder alone."""
    written = writer.write(RunStore(Settings.from_environment().reports).open(run))
    if json:
        print_json({"run": run, "written": [path.name for path in written]})
        return
    for path in written:
        say(str(path))
