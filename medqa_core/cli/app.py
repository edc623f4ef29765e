"""The command line's frame: the verbs, and errors as one line on standard error."""

import sys

import click
import typer

from medqa_core.cli import ask, data, doctor, evaluate, import_, report, runs, train
from medqa_core.foundation.errors import MedQAError

app = typer.Typer(
    name="python -m medqa_core",
    help="MedQA Lab: fine-tune a small model on medical questions, measure it, write it up, ask it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("doctor")(doctor.doctor)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.command("runs")(runs.runs)
app.command("evaluate")(evaluate.evaluate)
app.command("report")(report.report)
app.command("import")(import_.import_)
app.command("ask")(ask.ask)


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit: 0 done, 1 failed, 2 bad input, 130 interrupted."""
    try:
        code = app(args=arguments, prog_name="python -m medqa_core", standalone_mode=False)
    except MedQAError as error:
        _fail(str(error), error.exit_code)
    except click.UsageError as error:
        _fail(f"{error.format_message()} See --help.", 2)
    except click.ClickException as error:
        _fail(error.format_message(), error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _fail("Interrupted.", 130)
    except BrokenPipeError:  # the reader of a pipe has gone, `… | head`
        sys.stderr.close()
        sys.exit(0)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str, code: int) -> None:
    line = " ".join(message.split())
    print(f"error: {line}", file=sys.stderr)  # noqa: T201
    sys.exit(code)
