"""A cache with the toy in it, and questions for what comes in."""

import pytest

from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.config import EvaluationConfig
from tests.support.foreign_models import ASKED, LEARNT, rows, toy_folder
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
