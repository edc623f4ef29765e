"""The data behind a run, for readers: never fetched, and on a public demo never a file of the machine's."""

from medqa_core.data import hub, sources
from medqa_core.data.pairs import Pair, PairSet
from medqa_core.foundation.errors import DataUnavailable, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.config import TrainConfig
from medqa_core.runs.schema import RunRecord


def data_of(config: TrainConfig, settings: Settings) -> PairSet:
    """The data set that `config` names, if it is in reach without a network.

    Raises:
        MedQAError: it is not, or its file does not fit any more; the message says what to do.
    """
    name = config.dataset
    if settings.public and name not in sources.SOURCES and hub.cached(name, settings.cache) is None:
        # A run folder may come from elsewhere: what it names must not open this machine's files to strangers.
        raise DataUnavailable("This is a public demo: data sets that are files of its machine are not shown.")
    return sources.load(name, settings, config.columns, fetch=False)


def texts(record: RunRecord, settings: Settings) -> tuple[dict[str, Pair] | None, str]:
    """Pair by question id, and "" — or None and why the texts cannot be shown."""
    if record.config is None:
        return None, "This run does not say which questions it was tested on."
    try:
        return {pair.id: pair for pair in data_of(record.config, settings).pairs}, ""
    except MedQAError as error:
        return None, str(error)
