"""Names that may become paths, and the one check that a path stays where it belongs."""

import re
from pathlib import Path

from medqa_core.foundation.errors import InputError, OutsideStore, shorten

RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_run_id(run_id: str) -> str:
    """`run_id` itself if it is a valid id.

    Raises:
        InputError: it is not; nothing was looked up.
    """
    if not RUN_ID.fullmatch(run_id) or run_id.endswith("."):
        raise InputError(
            f"{shorten(run_id)!r} is not valid; a run id starts with a letter or digit and has "
            "up to 64 letters, digits, dots, underscores and hyphens.",
            field="run id",
        )
    return run_id


def resolve_inside(root: Path, *parts: str) -> Path:
    """The real path of `root/parts…`, links followed.

    Raises:
        OutsideStore: the path, or what a link on it leads to, is not below `root`.
    """
    real_root = root.resolve()
    try:
        path = real_root.joinpath(*parts).resolve()
        if any(".." in part for part in parts):  # following ends at a loop of links, and `..` steps out of that
            path = path.resolve()
    except (ValueError, OSError, RuntimeError) as error:  # a NUL byte, a name too long, a loop of links
        raise OutsideStore(f"{shorten('/'.join(parts))!r} is not a usable path.") from error
    if path != real_root and not path.is_relative_to(real_root):
        raise OutsideStore(f"{shorten('/'.join(parts))!r} leads out of {root.name}; it was not opened.")
    return path
