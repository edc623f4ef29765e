"""A pickle that leaves a mark when it is opened."""

import os
from collections.abc import Callable
from pathlib import Path


class Mark:
    """Unpickling it makes a folder: what a pickle of a stranger could do."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return os.mkdir, (self.path,)
