"""How a command of this program is written where people read it: in messages, on pages, in reports."""

PROGRAM = "medqa"
"""The command that an installation puts on the path; `python -m medqa_core` from a checkout is the same."""


def command(words: str) -> str:
    """The command with these verbs, arguments and options: `command("data fetch")` is `medqa data fetch`."""
    return f"{PROGRAM} {words}"
