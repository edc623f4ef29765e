"""Load models without chatter: no progress bars, no notes on standard error, and everything restored after."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import RLock
from typing import Any

from transformers.utils import logging

_ONE_AT_A_TIME = RLock()


@contextmanager
def silenced() -> Iterator[None]:
    """Silence `transformers` below the level of an error for the duration. Errors still raise.

    What it switches belongs to the whole process, so two threads take turns.
    """
    with _ONE_AT_A_TIME:
        level = logging.get_verbosity()
        hook = logging.set_tqdm_hook(_no_bar)
        logging.set_verbosity_error()
        try:
            with warnings.catch_warnings():
                # peft 0.21 asks for the old name of a property that transformers 5 renamed.
                warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
                yield
        finally:
            logging.set_verbosity(level)
            logging.set_tqdm_hook(hook)


def _no_bar(factory: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return logging.EmptyTqdm(*args, **kwargs)
