"""What to do with a data set that is too small, or too much of one topic, to fill three parts without leaking."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from medqa_core.data.pairs import PairSet, QAPair
from medqa_core.data.sizes import PARTS, SHARES
from medqa_core.data.split import TEST_FILE, Split, split_pairs
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.format import plural
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import SplitSizes


@dataclass(frozen=True)
class Proposal:
    """Settings with which the split has no empty part, and its sizes with them."""

    changes: dict[str, Any]
    """Fields of the configuration with their values."""
    sizes: SplitSizes

    @property
    def leaks(self) -> bool:
        """Whether the parts may share topics and texts."""
        return self.changes.get("split_method") == "random"


class TooSmall(InputError):
    """A part of the split is empty; carries what is proposed."""

    def __init__(self, reason: str, field: str, proposal: Proposal | None) -> None:
        super().__init__(reason, field=field)
        self.proposal = proposal


def check_parts(data: PairSet, parts: Split, config: TrainConfig) -> None:
    """Refuse a split of which a part is empty: nothing can be trained, chosen or tested with none.

    Raises:
        TooSmall: with the settings that would do, where there are such.
    """
    empty = next((name for name in PARTS if not getattr(parts, name)), None)
    if empty is None:
        return
    found = proposal(data.pairs, config)
    topics = len(set(parts.groups.values()) or {pair.topic for pair in data.pairs})
    reason = (
        f"{data.title} is too small to split without leakage; the {empty} split is empty: "
        f"{plural(len(data.pairs), 'pair')} in {plural(topics, 'group')} of one topic or text."
    )
    raise TooSmall(f"{reason} {_advice(found, config)}", f"{empty}_size", found)


def proposal(pairs: Sequence[QAPair], config: TrainConfig) -> Proposal | None:
    """The settings nearest to `config` that leave no part empty; None where there are too few pairs for any.

    Its own method with sizes of shares is tried first, then a random split with a pair each for validation and test.
    """
    own_test = config.test_dataset is not None
    rest = sum(not pair.id.startswith(TEST_FILE) for pair in pairs)
    one = max(1, round(SHARES[2] * rest))
    given: list[dict[str, Any]] = [
        {f"{name}_size": None for name in PARTS},
        {
            "split_method": "random",
            "train_size": None,
            "validation_size": max(1, round(SHARES[1] * rest)),
            "test_size": None if own_test else one,
        },
    ]
    for changes in given:
        changed = {name: value for name, value in changes.items() if getattr(config, name) != value}
        try:
            sizes = split_pairs(pairs, config.model_copy(update=changes)).sizes
        except InputError:
            continue
        if all(getattr(sizes, name) for name in PARTS):
            return Proposal(changed, sizes)
    return None


def _advice(found: Proposal | None, config: TrainConfig) -> str:
    own = "" if config.test_dataset else ", or name a test file of your own (`test_dataset`)"
    if found is None:
        return f"Add pairs, three at least{own}."
    settings = " ".join(f"{name}={'none' if value is None else value}" for name, value in found.changes.items())
    sizes = (
        f"{found.sizes.train:,} for training, {found.sizes.validation:,} for validation, {found.sizes.test:,} to test"
    )
    leaks = ", though a test question may share its topic with training, which is measured" if found.leaks else ""
    return f"Add pairs on other topics, set {settings} ({sizes}{leaks}){own}."
