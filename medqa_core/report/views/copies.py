"""Which answers stand in the training answers already: copied, near-copy or novel, in one place for every reader."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

COPIED = 0.9
"""Share of an answer's words, taken from one training answer, from which the answer counts as copied."""
NEAR = 0.5
"""The same for a near-copy."""
KINDS = ("copied", "near-copy", "novel")


@dataclass(frozen=True)
class Copies:
    """How many answers of one model are of each kind."""

    copied: int
    near: int
    novel: int

    @property
    def n(self) -> int:
        """Answers that were looked at."""
        return self.copied + self.near + self.novel

    @property
    def counts(self) -> tuple[int, int, int]:
        """In the order of KINDS."""
        return self.copied, self.near, self.novel


def kind(share: object) -> str | None:
    """What an answer with that copied share is; None where it was not measured."""
    value = np.nan if share is None or pd.isna(share) else float(share)  # type: ignore[call-overload, arg-type]
    if not np.isfinite(value):
        return None
    return "copied" if value >= COPIED else "near-copy" if value >= NEAR else "novel"


def copy_kinds(frame: pd.DataFrame, variant: str) -> pd.Series:
    """The kind of each answer of `variant` (`base` or `fine_tuned`), None where it was not measured."""
    return frame[f"{variant}_copied_share"].map(kind, na_action=None).astype(object)


def copies(frame: pd.DataFrame | None, variant: str) -> Copies | None:
    """The counts of one variant; None where nothing was measured."""
    if frame is None:
        return None
    kinds = copy_kinds(frame, variant)
    found = [int((kinds == name).sum()) for name in KINDS]
    return Copies(*found) if sum(found) else None
