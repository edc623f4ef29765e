"""The command line's frame: the verbs, and errors as one line on standard error."""

import sys
from typing import Annotated

import typer

from medqa_core import __version__
from medqa_core.cli import (
    ask,
    cluster,
    data,
    doctor,
    evaluate,
    export,
    import_,
    judge,
    mmlu,
    replay,
    report,
    retrieval,
    runs,
    serve,
    stop,
    task,
    train,
    verify,
)
from medqa_core.foundation import disk
from medqa_core.foundation.command import PROGRAM
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.foundation.visible import visible
from medqa_core.runs.store import shipped

app = typer.Typer(
    name=PROGRAM,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("serve")(serve.serve)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.add_typer(cluster.app, name="cluster")
app.command("train")(train.train)
app.command("stop")(stop.stop)
app.add_typer(runs.app, name="runs")
app.command("evaluate")(evaluate.evaluate)
app.command("mmlu")(mmlu.mmlu)
app.command("judge")(judge.judge)
app.command("retrieval")(retrieval.retrieval)
app.command("replay")(replay.replay)
app.command("report")(report.report)
app.command("verify")(verify.verify)
app.command("import")(import_.import_)
app.command("export")(export.export)
app.command("push")(export.push)
app.command("ask")(ask.ask)
app.command("task", hidden=True)(task.task)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"{PROGRAM} {__version__}")
        raise typer.Exit


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """MedQA Lab: fine-tune a small model on medical questions, measure it, write it up, ask it."""


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        if arguments and not {"--help", "--version"} & set(arguments):  # these write nothing
            shipped.unpack(Settings.from_environment())
        code = app(args=arguments or ["--help"], prog_name=PROGRAM, standalone_mode=False)
    except MedQAError as error:
        _fail(str(error), error.exit_code)
    except typer.TyperException as error:  # wrong options and arguments
        said = error.format_message() if hasattr(error, "format_message") else str(error)
        _fail(f"{said} See --help.", 2)
    except typer.Abort:
        _fail("Interrupted.", 130)
    except BrokenPipeError:  # the reader of a pipe has gone, `… | head`
        sys.stderr.close()
        sys.exit(0)
    except OSError as error:
        if error.errno is None:  # a library's own use of it: a fault to be seen whole
            raise
        _fail(disk.sentence(error), 1)
    if code == 130:  # typer makes this of Ctrl-C
        _fail("Interrupted.", 130)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    line = visible(" ".join(message.split()))
    print(f"error: {line}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
