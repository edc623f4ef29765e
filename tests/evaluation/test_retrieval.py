"""The search, measured: the known item, what training holds of the references, and what a lottery would find."""

import math
import shutil
from pathlib import Path

import pytest

from medqa_core.data.lookup import split_of
from medqa_core.data.pairs import Pair, references_of
from medqa_core.data.split import Split
from medqa_core.evaluation.retrieval import KS, measure_retrieval, measured
from medqa_core.foundation.errors import DataUnavailable, InputError
from medqa_core.foundation.files import read_json, write_json
from medqa_core.foundation.settings import Settings
from medqa_core.runs.manifest import MANIFEST, write_manifest
from medqa_core.runs.retrieval import RETRIEVAL, Recall, read_retrieval
from medqa_core.runs.run import Run
from medqa_core.runs.store import RunStore

pytestmark = pytest.mark.usefixtures("no_network")

LONG = "It is passed on by both parents who each carry one copy of the changed gene in their cells."
"""More than thirteen words, in a training and in a test answer."""


def pair(id_: str, topic: str, question: str, answer: str, document: str = "") -> Pair:
    return Pair(id_, document or f"doc-{id_}", topic, "causes", question, answer, "Made")


TRAIN = (
    pair("t1", "Aaa", "Is Aaa inherited?", LONG),
    pair("t2", "Bbb", "What are the symptoms of Bbb?", "Fever and a rash that itches."),
    pair("t3", "Ccc", "How is Ccc treated?", "With rest."),
)
TEST = (
    pair("u1", "Ddd", "Is Ddd inherited?", f"Yes. {LONG}"),
    pair("u2", "Eee", "Which creature is a zebra?", "One with stripes, of which nothing else here speaks."),
)


def split(train: tuple[Pair, ...] = TRAIN, test: tuple[Pair, ...] = TEST) -> Split:
    return Split(train, (), test, {p.id: p.id for p in (*train, *test)})


def hits(recalls: list[Recall]) -> list[int]:
    return [recall.hits for recall in recalls]


def test_both_measures_on_texts_made_for_them() -> None:
    found = measured(split(), references_of(TEST, (*TRAIN, *TEST)))
    assert (found.questions, found.passages, found.known_item_passages) == (2, 3, 5)
    assert hits(found.known_item) == [2, 2, 2, 2]
    assert hits(found.support) == [1, 1, 1, 1]  # the first question's answer; of the second nothing is in training
    assert hits(found.support_by_chance) == [0, 1, 1, 1] or hits(found.support_by_chance) == [1, 1, 1, 1]
    assert [recall.k for recall in found.support] == list(KS)
    assert found.split_hash == split().hash


def test_another_passage_of_the_same_document_is_the_known_item_too() -> None:
    twin = pair("u3", "Ddd", "Is Ddd inherited at all?", "Nobody knows.", document="doc-u1")
    other = pair("u4", "Ddd", "Is Ddd inherited at all, really?", "Ask.", document="doc-elsewhere")
    assert hits(measured(split(test=(TEST[0], twin)), [("a",), ("b",)]).known_item)[0] == 2
    assert hits(measured(split(test=(TEST[0], other)), [("a",), ("b",)]).known_item)[0] < 3


def test_any_of_several_references_supports() -> None:
    test = (pair("u1", "Ddd", "Is Ddd inherited?", "No."),)
    assert hits(measured(split(test=test), [("No.",)]).support) == [0, 0, 0, 0]
    assert hits(measured(split(test=test), [("No.", LONG)]).support) == [1, 1, 1, 1]


def test_the_interval_is_wilsons() -> None:
    recall = measured(split(), references_of(TEST, (*TRAIN, *TEST))).support[0]
    z, n, p = 1.959963984540054, recall.n, recall.share
    middle, half = (p + z * z / (2 * n)), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    assert recall.ci == pytest.approx(((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)))


def test_without_a_training_passage_nothing_is_found() -> None:
    found = measured(split(train=()), references_of(TEST, TEST))
    assert found.passages == 0
    assert hits(found.support) == hits(found.support_by_chance) == [0, 0, 0, 0]


def test_a_run_is_measured_into_its_folder(smoke: Run, lab: Settings, tmp_path: Path) -> None:
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    write_manifest(tmp_path / "smoke")
    heard: list[tuple[str, int, int]] = []
    run = RunStore(tmp_path).open("smoke")
    found = measure_retrieval(run, lab, lambda *said: heard.append(said))
    pairs, parts = split_of(smoke.record, lab)
    assert found == read_retrieval(tmp_path / "smoke")
    assert not (tmp_path / "smoke" / MANIFEST).exists()
    assert heard[-1] == ("search", len(parts.test), len(parts.test))
    again = measured(parts, references_of(parts.test, pairs.pairs))
    assert again.model_dump(exclude={"seconds_a_question"}) == found.model_dump(exclude={"seconds_a_question"})
    assert all(low.hits <= high.hits for low, high in zip(found.support, found.support[1:], strict=False))


def test_what_cannot_be_measured_is_refused_and_nothing_written(smoke: Run, lab: Settings, tmp_path: Path) -> None:
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    record = read_json(tmp_path / "smoke" / "run.json")
    other = {**record, "data": {**record["data"], "split_hash": "ab" * 32}}
    write_json(tmp_path / "smoke" / "run.json", other)
    with pytest.raises(DataUnavailable, match="it is not used"):
        measure_retrieval(RunStore(tmp_path).open("smoke"), lab)
    write_json(tmp_path / "smoke" / "run.json", {**record, "config": None, "kind": "imported"})
    with pytest.raises(InputError, match="imported run"):
        measure_retrieval(RunStore(tmp_path).open("smoke"), lab)
    assert not (tmp_path / "smoke" / RETRIEVAL).exists()
