"""What takes long on the data page, computed once for all visitors: description, counterpart, token lengths."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from medqa_core.data.describe import Description, describe, with_default_sizes
from medqa_core.data.lookup import data_of
from medqa_core.data.pairs import PairSet
from medqa_core.data.preparation import Sample, Step, counts, samples
from medqa_core.data.templates import Template
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.models.token_lengths import TokenLengths, nearest_tokenizer, token_lengths
from medqa_core.runs.schema.config import TrainConfig

SAMPLES = 5
"""Prepared answers that are shown beside what they were."""
LONGEST = 10
"""Templates that are shown."""
Tokenizer = tuple[str, Path]
"""Its name, and the folder with its files."""
SplitKey = tuple[int | float | str | None, ...]


@dataclass(frozen=True)
class Counted:
    """Token lengths of a data set's pairs, and whose tokens they are."""

    data: PairSet
    lengths: TokenLengths
    tokenizer: str


@dataclass(frozen=True)
class TemplateText:
    """How much of a data set's answers is template text, and the longest templates."""

    share: float
    """Of the words of all usable answers, 0 to 1."""
    by_question_type: dict[str, float]
    longest: list[Template]


def described(config: TrainConfig, *, default_sizes: bool) -> Description:
    """The data that `config` names, split as it says; with `default_sizes`, sizes it does not give are the data's.

    Raises:
        MedQAError: the data are not available, do not fit, or are too few for the sizes.
    """
    with st.spinner("Reading the data and measuring the split. The first time takes some seconds."):
        data = data_of(config, Settings.from_environment())
        config = with_default_sizes(config, data) if default_sizes else config
        return replace(_described(data, id(data), _split_key(config), config), config=config)


def counterpart(found: Description) -> Description | None:
    """The same data and sizes split the other way, to compare leakage; None where they are too few for it."""
    other = "random" if found.config.split_method == "grouped" else "grouped"
    config = found.config.model_copy(update={"split_method": other})
    try:
        return _described(found.data, id(found.data), _split_key(config), config)
    except MedQAError:
        return None


def templates(found: Description) -> TemplateText:
    """The template text of the data set, however it is split."""
    with st.spinner("Looking for template text. The first time takes some seconds."):
        return _templates(found, id(found.data))


@dataclass(frozen=True)
class Prepared:
    """How many training answers each step of the preparation changed, and some of them before and after."""

    changed: Counter[Step]
    samples: list[Sample]


def prepared(found: Description) -> Prepared:
    """What the preparation does to the training answers."""
    with st.spinner("Comparing answers before and after their preparation."):
        return _prepared(found, id(found.data), _split_key(found.config))


def tokenizer_for(base_model: str) -> Tokenizer | None:
    """What tokens are counted with; None where no tokenizer is on this machine."""
    return nearest_tokenizer(base_model, Settings.from_environment().cache)


def counted(found: Description, tokenizer: Tokenizer) -> Counted:
    """The token lengths of all usable pairs.

    Raises:
        ModelError: the tokenizer's files cannot be read.
    """
    with st.spinner("Counting tokens. The first time takes some seconds."):
        return _counted(found.data, id(found.data), *tokenizer)


def _split_key(config: TrainConfig) -> SplitKey:
    sizes = (config.train_size, config.validation_size, config.test_size)
    return (*sizes, config.split_method, config.split_version, config.split_seed)


# A data set goes by its object's id, which no other one can take while the cached result holds it; when its file
# changes it is read anew, into another object.
@st.cache_resource(show_spinner=False, max_entries=6)
def _described(_data: PairSet, data_id: int, split: SplitKey, _config: TrainConfig) -> Description:
    return describe(_data, _config)


@st.cache_resource(show_spinner=False, max_entries=4)
def _counted(_data: PairSet, data_id: int, name: str, _folder: Path) -> Counted:
    return Counted(_data, token_lengths(_data.pairs, _folder), name)


@st.cache_resource(show_spinner=False, max_entries=4)
def _prepared(_found: Description, data_id: int, split: SplitKey) -> Prepared:
    training = _found.parts["training"]
    return Prepared(counts(training), samples(training, SAMPLES))


@st.cache_resource(show_spinner=False, max_entries=4)
def _templates(_found: Description, data_id: int) -> TemplateText:
    return TemplateText(_found.template_share(), _found.template_shares(), _found.templates.longest(LONGEST))
