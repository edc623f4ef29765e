"""A cache with the toy in it, questions for what comes in, and what does."""

from pathlib import Path

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.config import EvaluationConfig
from tests.support.foreign_models import ASKED, LEARNT, full_model, lora, rows, toy_folder
from tests.support.models import settings_for


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of this module's own, with the toy in the cache."""
    settings = settings_for(tmp_path_factory.mktemp("here"))
    toy_folder(settings)
    return settings


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> EvaluationConfig:
    """The twelve questions, and what was learnt."""
    folder = tmp_path_factory.mktemp("data")
    return EvaluationConfig(
        dataset=str(rows(ASKED, folder / "test.csv")),
        trained_on=str(rows(LEARNT, folder / "train.csv")),
        max_new_tokens=8,
    )


@pytest.fixture(scope="module")
def whole(here: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Whole weights in shards; to be copied."""
    return full_model(toy_folder(here), tmp_path_factory.mktemp("whole") / "whole", shards=True)


@pytest.fixture(scope="module")
def adapter(here: Settings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter; to be copied."""
    return lora(toy_folder(here), tmp_path_factory.mktemp("adapter") / "adapter")
