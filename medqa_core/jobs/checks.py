"""What can be said about a configuration at once, before a worker loads a model and the data."""

from medqa_core.data import sources
from medqa_core.data.pairs import PairSet
from medqa_core.data.preparation import data_for
from medqa_core.data.proposal import check_parts
from medqa_core.data.split import split_set
from medqa_core.foundation.errors import DataUnavailable
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.config import TrainConfig
from medqa_core.runs.schema.record import SplitSizes

SMALL = 8 * 2**20
"""Bytes of a data file that is read at once; a larger one is left to the worker."""


def check(config: TrainConfig, settings: Settings) -> TrainConfig:
    """`config` for a worker that runs in another folder: paths of files here are made absolute.

    Raises:
        InputError: there is no such data set, or it is too small for the sizes.
        DataUnavailable: the MedQuAD file is not where the settings say.
    """
    named = {name: getattr(config, name) for name in ("dataset", "test_dataset", "base_model")}
    config = config.model_copy(update={name: absolute(value) for name, value in named.items() if value is not None})
    split_sizes(config, settings)
    return config


def absolute(name: str) -> str:
    """A path of this machine made absolute; the name of a data set or a model as it is."""
    path = sources.existing(name)
    if path is not None and (len(path.parts) > 1 or path.suffix):  # a mere name is a model's or a data set's
        return str(path.absolute())
    return name


def split_sizes(config: TrainConfig, settings: Settings) -> SplitSizes | None:
    """The examples of each part, where the data can be read at once; None where only the worker will know.

    Raises:
        InputError: there is no such data set, it does not fit, or it is too small for the sizes.
        DataUnavailable: the MedQuAD file is not where the settings say.
    """
    data = _readable_now(config, settings)
    if data is None:
        return None
    parts = split_set(data, config)
    check_parts(data, parts, config)
    return parts.sizes


def _readable_now(config: TrainConfig, settings: Settings) -> PairSet | None:
    """The data set, unless it is large or has to be fetched first."""
    if config.dataset.strip() == "medquad" and settings.medquad is not None:
        if settings.medquad.exists():
            return None
        return data_for(config, settings, fetch=False)  # says what is missing
    if any(map(is_large, filter(None, (config.dataset, config.test_dataset)))):
        return None
    try:
        return data_for(config, settings, fetch=False)
    except DataUnavailable:
        return None  # the worker fetches it


def is_large(name: str) -> bool:
    """Whether a data set here is too large to be read while somebody waits for a page."""
    path = sources.existing(name)
    if path is None:
        return False
    return path.is_dir() or (path.is_file() and (path.suffix.lower() == ".zip" or path.stat().st_size > SMALL))
