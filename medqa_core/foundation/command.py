"""What this program is called where people read a command: in messages, on pages, in reports."""

PROGRAM = "medqa"
"""The command that an installation puts on the path; `python -m medqa_core` from a checkout is the same."""
