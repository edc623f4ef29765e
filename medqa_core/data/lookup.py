"""The data behind a run, for readers: never fetched, and on a public demo never a file of the machine's."""

from collections.abc import Sequence
from functools import lru_cache

from medqa_core.data import hub, sources
from medqa_core.data.pairs import PairSet, QAPair, normalise, references_of
from medqa_core.data.preparation import data_for
from medqa_core.data.split import Split, split_set
from medqa_core.foundation.errors import DataUnavailable, InputError, MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.config import EvaluationConfig, QuestionsConfig
from medqa_core.runs.schema.record import RunRecord


def data_of(config: QuestionsConfig, settings: Settings) -> PairSet:
    """The data set that `config` names, if it is available without a network.

    Raises:
        MedQAError: it is not, or its file does not fit any more; the message says what to do.
    """
    _check_shown(config, settings)
    return data_for(config, settings, fetch=False)


def fingerprint_of(config: QuestionsConfig, settings: Settings) -> str | None:
    """Changes when what `data_of` gives does; None where that is quick to read, or not available. Reads no data.

    Raises:
        MedQAError: it must not be shown, or its files cannot be looked at.
    """
    _check_shown(config, settings)
    columns = [config.columns, config.trained_on_columns if isinstance(config, EvaluationConfig) else config.columns]
    found = [sources.fingerprint(*one, settings) for one in zip(_named(config), columns, strict=False)]
    return None if None in found else " ".join([*map(str, found), config.preparation, str(config.reading_version)])


def _named(config: QuestionsConfig) -> list[str]:
    """The data sets that a configuration names."""
    other = config.trained_on if isinstance(config, EvaluationConfig) else config.test_dataset
    return [config.dataset] if other is None else [config.dataset, other]


def _check_shown(config: QuestionsConfig, settings: Settings) -> None:
    named = [name for name in _named(config) if name not in sources.SOURCES]
    if settings.public and any(hub.cached(name, settings.cache) is None for name in named):
        # A run folder may come from elsewhere: what it names must not open this machine's files to strangers.
        raise DataUnavailable("This is a public demo: data sets that are files of its machine are not shown.")


def texts(record: RunRecord, settings: Settings) -> tuple[dict[str, QAPair] | None, str]:
    """The pairs by question id, and "" — or None and why the texts cannot be shown."""
    if record.questions is None:
        return None, "This run does not say which questions it was tested on."
    try:
        return {pair.id: pair for pair in data_of(record.questions, settings).pairs}, ""
    except MedQAError as error:
        return None, str(error)


def references(record: RunRecord, settings: Settings, questions: Sequence[QAPair]) -> list[tuple[str, ...]]:
    """The reference answers of each question, its own first: those that an answer to it is scored against.

    Raises:
        InputError: an imported run, of which the data are not known.
        MedQAError: the data are not available.
    """
    if record.questions is None:
        raise InputError(f"{record.id} is an imported run: its reference answers are not known here.")
    known = _by_question(data_of(record.questions, settings))
    same = {key: known.get(key, ()) for key in map(normalise, (one.question for one in questions))}
    return references_of(questions, [pair for pairs in same.values() for pair in pairs])


@lru_cache(maxsize=2)
def _by_question(data: PairSet) -> dict[str, list[QAPair]]:
    """The pairs of each question as asked, after normalisation; a page asks for ten of sixteen thousand."""
    found: dict[str, list[QAPair]] = {}
    for pair in data.pairs:
        found.setdefault(normalise(pair.question), []).append(pair)
    return found


def split_of(record: RunRecord, settings: Settings) -> tuple[PairSet, Split]:
    """The run's data set and its split, if it is available without a network.

    Raises:
        InputError: an imported run, of which the data are not known.
        MedQAError: the data are not available, or are not those that the run was trained on.
    """
    config = record.questions
    if config is None:
        raise InputError(f"{record.id} is an imported run: what it was trained on is not known here.")
    data = data_of(config, settings)
    parts = split_set(data, config)
    check_split(record, data, parts)
    return data, parts


def check_split(record: RunRecord, data: PairSet, parts: Split) -> None:
    """Refuse data of which other pairs would count as test questions.

    Raises:
        DataUnavailable: the split is not the one that the run recorded.
    """
    recorded = record.data.split_hash if record.data else None
    if recorded is not None and recorded != parts.hash:
        raise DataUnavailable(
            f"{data.title} as it is here gives split {parts.hash[:12]}…, but {record.id} was trained on "
            f"{recorded[:12]}…: some test questions could have been trained on, so it is not used."
        )
