"""Readers of foreign files: on anything whatever they answer, or raise one of our own errors in one line."""

import shutil
import sys
import time
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from medqa_core.answering.question import GenerationSettings, Question
from medqa_core.data import medquad
from medqa_core.foundation.errors import DataUnavailable, MedQAError
from medqa_core.report.templates import html, markdown, model_card, text
from tests.security import mutate
from tests.security.seeds import Target, alone, of_run, opened
from tests.support.qa_pairs import GOUT
from tests.support.runs import RunBuilder
from tests.support.scenarios import SHOWN

SLOW = 20.0
"""Seconds after which one input counts as one that hangs the reader."""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole run."""
    reports = tmp_path_factory.mktemp("valid") / "reports"
    reports.mkdir()
    return RunBuilder(reports, SHOWN).finished("run").folder


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory, finished: Path) -> list[tuple[Path, Target]]:
    """Each target with a folder of its own."""
    found = []
    for target in (*alone(), *of_run(opened(finished))):
        folder = tmp_path_factory.mktemp("fuzz") / "reports" / "run"
        if (finished / target.file).exists() and target.file != "mmlu_results/results.json":
            shutil.copytree(finished, folder)
        (folder / target.file).parent.mkdir(parents=True, exist_ok=True)
        found.append((folder, target))
    return found


def attempt(folder: Path, target: Target, seed: int) -> None:
    content = target.mutation(target.valid, Random(seed))
    (folder / target.file).write_bytes(content)
    start = time.monotonic()
    try:
        target.read(folder)
    except MedQAError as error:
        assert "\n" not in str(error) and str(error).strip(), f"{target.file}: {str(error)!r}"
    assert time.monotonic() - start < SLOW, f"{target.file}, seed {seed}: took too long"


def test_the_valid_files_are_read(targets: list[tuple[Path, Target]]) -> None:
    """So that what is made of them is near to what a reader expects."""
    unread = set()
    for folder, target in targets:
        (folder / target.file).write_bytes(target.valid)
        try:
            target.read(folder)
        except MedQAError:
            unread.add(target.file)
    # Their folders hold no weights, which is what is said of them last.
    assert unread <= {"config.json", "model.safetensors.index.json"}


FEW = hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@FEW
@given(seed=st.integers(0, 2**32))
def test_no_reader_falls_over(targets: list[tuple[Path, Target]], seed: int) -> None:
    for folder, target in targets:
        attempt(folder, target, seed)


@pytest.mark.reliability
def test_no_reader_falls_over_in_a_hundred_thousand(
    targets: list[tuple[Path, Target]], capsys: pytest.CaptureFixture[str]
) -> None:
    done = 0
    while done < 100_000:
        for folder, target in targets:
            try:
                attempt(folder, target, done)
            except Exception as error:
                raise AssertionError(f"{target.file}, seed {done}: {error!r}") from error
            done += 1
    with capsys.disabled():
        sys.stdout.write(f"\n{done:,} odd files, {len(targets)} readers, no uncaught exception\n")


def write_ups(finished: Path, folder: Path, name: str, seed: int) -> None:
    content = mutate.of_json((finished / name).read_bytes(), Random(seed))
    (folder / name).write_bytes(content)
    try:
        run = opened(folder)
    except MedQAError:
        return
    for render in (text.render, markdown.render, html.render, model_card.render):
        assert render(run)


@pytest.fixture(scope="module")
def copy(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(finished, tmp_path_factory.mktemp("written") / "reports" / "run"))


@pytest.mark.parametrize("name", ["run.json", "evaluation.json"])
@pytest.mark.parametrize("seeds", [range(6), pytest.param(range(6, 500), marks=pytest.mark.reliability)], ids=len)
def test_whatever_still_counts_as_valid_is_written_up(finished: Path, copy: Path, name: str, seeds: range) -> None:
    for seed in seeds:
        write_ups(finished, copy, name, seed)
    (copy / name).write_bytes((finished / name).read_bytes())


BOMB = '<?xml version="1.0"?><!DOCTYPE d [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9)
) + "]><Document source='s' id='1'><Focus>&j;</Focus></Document>"  # fmt: skip


def documents(folder: Path, xml: str) -> Path:
    (folder / "1_Made_QA").mkdir()
    (folder / "1_Made_QA" / "1.xml").write_text(xml, encoding="utf-8")
    return folder


def test_a_bomb_of_entities_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataUnavailable):
        medquad.load(documents(tmp_path, BOMB))


@pytest.mark.parametrize("address", ["file:///etc/passwd", "http://127.0.0.1:9/x", "/etc/passwd"])
@pytest.mark.usefixtures("no_network")
def test_entities_of_other_files_are_not_read(tmp_path: Path, address: str) -> None:
    xml = f'<!DOCTYPE d [<!ENTITY x SYSTEM "{address}">]>' + GOUT.partition("?>")[2].replace("Mostly men", "&x; men")
    with pytest.raises(DataUnavailable):
        medquad.load(documents(tmp_path, xml))


def test_a_question_is_checked_whatever_it_is() -> None:
    for junk in mutate.JUNK:
        try:
            Question.checked(junk)
        except MedQAError as error:
            assert str(error)


def test_settings_of_any_type_are_refused_in_words() -> None:
    for junk in mutate.JUNK:
        for name in ("temperature", "max_new_tokens", "seed", "precision"):
            try:
                GenerationSettings.checked(**{name: junk})
            except MedQAError as error:
                assert "\n" not in str(error)
