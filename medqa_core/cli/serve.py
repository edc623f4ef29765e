"""`serve`: the app, or the question widget alone, as a server. It starts a process and imports no user interface."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from medqa_core.cli.output import note
from medqa_core.foundation.errors import InputError, MedQAError
from medqa_core.foundation.settings import Settings, site_folder
from medqa_core.runs.store.making import sweep

APP_PORT = 8501
WIDGET_PORT = 7860


def serve(
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help=f"Port to listen on; {APP_PORT}, or {WIDGET_PORT} for the widget alone."),
    ] = None,
    address: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 is every one of this machine.")] = (
        "127.0.0.1"
    ),
    widget: Annotated[bool, typer.Option("--widget", help="The question widget alone, without the pages.")] = False,
    share: Annotated[
        bool, typer.Option("--share", help="With --widget: a public link through Gradio's servers, for 72 hours.")
    ] = False,
) -> None:
    """Serve the app until Ctrl-C.

    The embedded model is fetched first if it is not in the cache. Variables such as STREAMLIT_SERVER_ALLOWED_HOSTS set
    Streamlit's other options.
    """
    if share and not widget:
        raise InputError("only the widget has a public link; add --widget.", field="--share")
    settings = Settings.from_environment()
    sweep(settings.reports)
    _fetch_model(settings)
    site = site_folder()
    command = _widget(port or WIDGET_PORT, address, share) if widget else _app(site, port or APP_PORT, address)
    _become([sys.executable, "-P", "-m", *command], environment(os.environ, site))


def environment(inherited: Mapping[str, str], site: Path) -> dict[str, str]:
    """The server's environment: `app` and `pages` are those of `site`, whatever the current folder holds."""
    path = inherited.get("PYTHONPATH")
    return {**inherited, "PYTHONPATH": os.pathsep.join([str(site), *([path] if path else [])])}


def _app(site: Path, port: int, address: str) -> list[str]:
    # Streamlit reads the .streamlit/config.toml beside the script, and lets it win over the current folder's.
    return ["streamlit", "run", str(site / "app.py"), "--server.port", str(port), "--server.address", address]


def _widget(port: int, address: str, share: bool) -> list[str]:
    return ["pages.ask.widget", "--port", str(port), "--host", address, *(["--share"] if share else [])]


def _fetch_model(settings: Settings) -> None:
    from medqa_core.models import embedded

    try:
        embedded.ensure(settings.cache, note)
    except MedQAError as error:
        typer.echo(f"The server starts without the embedded model: {error}", err=True)


def _become(command: list[str], environment: dict[str, str]) -> None:
    """Go on as another program: signals reach it, and what this one loaded is freed."""
    if os.name == "nt":  # there exec returns to the shell at once
        raise typer.Exit(subprocess.call(command, env=environment))
    sys.stdout.flush()
    os.execve(command[0], command, environment)
