"""A data set by its name, or one line that says what to do."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.data import sources
from medqa_core.foundation.errors import DataUnavailable, UnknownName
from medqa_core.foundation.settings import Settings

from .samples import DOCUMENTS, as_folder, as_zip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(reports=tmp_path / "reports", cache=tmp_path / "cache", medquad=None, mmlu=None, public=False)


def test_the_starter_set_needs_nothing(settings: Settings) -> None:
    assert sources.load("starter", settings) is sources.load("starter", settings)


def test_an_unknown_name_says_which_there_are(settings: Settings) -> None:
    with pytest.raises(UnknownName, match=r"dataset: 'medquard' is not known; .* Did you mean 'medquad'\?"):
        sources.load("medquard", settings)


def test_medquad_out_of_reach_says_what_to_set(settings: Settings) -> None:
    with pytest.raises(DataUnavailable, match=r"set MEDQA_MEDQUAD to it, or use the starter set"):
        sources.load("medquad", settings)
    gone = replace(settings, medquad=settings.cache / "gone.zip")
    with pytest.raises(DataUnavailable, match=r"MEDQA_MEDQUAD names .*gone\.zip, which does not exist"):
        sources.load("medquad", gone)


def test_medquad_is_read_again_when_its_file_changes(settings: Settings, tmp_path: Path) -> None:
    there = replace(settings, medquad=as_zip(tmp_path / "MedQuAD.zip"))
    first = sources.load("medquad", there)
    assert sources.load("medquad", there) is first
    as_zip(tmp_path / "MedQuAD.zip", {"1_Made_QA/0000001.xml": DOCUMENTS["1_Made_QA/0000001.xml"]})
    os.utime(tmp_path / "MedQuAD.zip", ns=(1, 1))
    assert len(sources.load("medquad", there).pairs) == 2


def test_a_folder_does_as_well(settings: Settings, tmp_path: Path) -> None:
    there = replace(settings, medquad=as_folder(tmp_path / "MedQuAD"))
    assert len(sources.load("medquad", there).pairs) == 3
