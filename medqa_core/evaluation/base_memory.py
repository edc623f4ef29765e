"""What a base model said before, kept in the cache: of the next run on it only the fine-tuned model is measured."""

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from medqa_core.evaluation.partial import Partial
from medqa_core.foundation.files import dumps, sha256_text
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import LoadedModel, config_sha256

log = logging.getLogger("medqa.evaluation")

FOLDER = "base-answers"
"""In the cache; a file for each base."""


def keys_of(asked: Iterable[Any]) -> list[str]:
    """A name for each thing asked, from all that the model reads of it (JSON values, token ids for instance)."""
    return [sha256_text(dumps(one)) for one in asked]


class BaseMemory:
    """A base's answers, losses and likelihoods, by what it was asked and how; a context that keeps what is added.

    The file is one of `Partial`: rows of other weights or another configuration do not count, nor what stands behind a
    torn row. A cache that cannot be read or written costs time and never a measurement.
    """

    def __init__(self, base: LoadedModel, settings: Settings, *, recall: bool = True) -> None:
        """Read what is kept of `base`.

        Args:
            base: whose weights, configuration and device decide what counts.
            settings: where the cache is.
            recall: whether what is kept is given back; without, everything is measured anew, and then kept.
        """
        self._path: Path = settings.cache / FOLDER / f"{base.sha256[:32]}.jsonl"
        self._file = Partial(
            self._path,
            {
                "base_sha256": base.sha256,
                "config_sha256": config_sha256(base.model),
                "device": base.device,
                "torch": torch.__version__,
            },
        )
        self._recall = recall
        self._writable = False

    def __enter__(self) -> "BaseMemory":
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file.__enter__()
            self._writable = True
        except OSError as error:
            self._give_up(error)
        return self

    def __exit__(self, *error: object) -> None:
        if self._writable:
            self._writable = False
            with suppress(OSError):  # what the disk does not take is measured again
                self._file.__exit__(*error)

    def _give_up(self, error: OSError) -> None:
        self.__exit__()
        log.warning("What the base says is not kept: %s: %s.", self._path, error.strerror)

    def known(self, how: Mapping[str, Any]) -> dict[str, tuple[Any, float]]:
        """What the base gave when it was asked as `how` says, each with the seconds it took, by `keys_of`."""
        known: dict[str, tuple[Any, float]] = {}
        for row in self._file.rows if self._recall else []:
            if row.get("how") == how:
                with suppress(KeyError, TypeError, AttributeError):  # a row that is none is measured again
                    took = row["seconds"] / max(len(row["values"]), 1)
                    known |= {key: (value, took) for key, value in row["values"].items()}
        return known

    def keep(self, how: Mapping[str, Any], values: Mapping[str, Any], seconds: float = 0.0) -> None:
        """Keep what the base has just given, JSON values by `keys_of`; they took `seconds` together."""
        if not self._writable:
            return
        try:
            self._file.add([{"how": how, "seconds": round(seconds, 3), "values": values}])
        except OSError as error:
            self._give_up(error)
