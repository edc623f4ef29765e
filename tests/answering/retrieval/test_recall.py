"""How good the search is: both measures on hand-made data where the right figures are known, and refusals."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from medqa_core.answering.retrieval.recall import KS, measure_retrieval, measured
from medqa_core.data.pairs import QAPair
from medqa_core.data.split import Split
from medqa_core.foundation.errors import DataUnavailable, InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.settings import Settings
from medqa_core.runs.artifacts.manifest import write_manifest
from medqa_core.runs.artifacts.retrieval import Recall, read_retrieval
from medqa_core.runs.run import Run
from medqa_core.runs.schema.status import ProcessIdentity, Status
from medqa_core.runs.store.run_store import RunStore
from tests.support.qa_pairs import pair
from tests.support.runs import record

pytestmark = pytest.mark.usefixtures("no_network")

SHARED = "Drink plenty of water and rest in a cool dark room until the pain has gone away."


def split(train: list[QAPair], test: list[QAPair]) -> Split:
    return Split(tuple(train), (), tuple(test), {one.id: one.id for one in (*train, *test)})


def hits(recalls: list[Recall]) -> list[int]:
    return [recall.hits for recall in recalls]


def test_known_item_is_the_questions_own_document() -> None:
    train = [pair(n, answer=f"Fever of kind {n} passes.") for n in range(3)]
    own = pair(10, topic="Migraine", question="What is migraine?", answer="A headache on one side.")
    beside = pair(11, topic="Ague", question="What is fever?", answer="Shivers.", document="document 10")
    lost = pair(12, topic="Zzz", question="Nobody knows?", answer="Nothing.", document="nowhere")
    found = measured(split(train, [own, beside]), [(own.answer,), (beside.answer,)])
    assert (found.questions, found.passages, found.known_item_passages) == (2, 3, 5)
    assert hits(found.known_item) == [2, 2, 2, 2]
    asked = replace(lost, question="Which fever passes?")  # its own passage holds both words, and others too
    assert hits(measured(split(train, [asked]), [("Nothing.",)]).known_item)[-1] == 1


def test_support_is_a_training_passage_that_shares_thirteen_words() -> None:
    helps = pair(0, topic="Headache", question="What helps against a headache?", answer=f"Take care. {SHARED}")
    others = [pair(n, topic="Headache", question="Headache?", answer=f"Headache {n}.") for n in range(1, 5)]
    test = pair(10, topic="Migraine", question="What helps against migraine headache?", answer=f"Migraine. {SHARED}")
    found = measured(split([helps, *others], [test]), [(test.answer,)])
    assert hits(found.support)[-1] == 1
    other_reference = measured(split([helps, *others], [test]), [("Nothing of it.", SHARED)])
    assert hits(other_reference.support)[-1] == 1
    assert hits(measured(split([helps, *others], [test]), [("Water helps, and a dark room.",)]).support) == [0] * 4
    assert hits(found.support_by_chance)[-1] == 1  # with ten draws of five passages a lottery finds it too


def test_a_later_k_never_finds_less_and_the_interval_holds_the_share() -> None:
    train = [pair(n, answer=f"Fever number {n} goes. {SHARED if n % 3 == 0 else ''}") for n in range(30)]
    test = [pair(100 + n, question=f"Does fever {n} go?", answer=f"Fever {n}. {SHARED}") for n in range(8)]
    found = measured(split(train, test), [(one.answer,) for one in test])
    assert found == measured(split(train, test), [(one.answer,) for one in test]).model_copy(
        update={"seconds_per_question": found.seconds_per_question}
    )
    for recalls in (found.known_item, found.support, found.support_by_chance):
        assert [recall.k for recall in recalls] == list(KS)
        assert hits(recalls) == sorted(hits(recalls))
        for recall in recalls:
            assert recall.n == 8
            assert recall.share == recall.hits / 8
            assert recall.ci[0] <= recall.share <= recall.ci[1]


def test_wilsons_interval() -> None:
    train = [pair(0, answer="Fever passes.")]
    test = [pair(10 + n, topic="Ague", question="What is ague?", answer="Shivers.") for n in range(10)]
    found = measured(split(train, test), [("Shivers.",)] * 10).known_item[0]
    # every question is the same, and the first of the equal passages is the first question's own
    assert (found.hits, found.n) == (1, 10)
    assert found.ci == pytest.approx((0.0179, 0.4042), abs=1e-4)  # as tables of Wilson's interval have it


def test_nothing_to_search_among() -> None:
    test = pair(1, question="What is ague?")
    found = measured(split([], [test]), [(test.answer,)])
    assert (found.passages, hits(found.support), hits(found.support_by_chance)) == (0, [0] * 4, [0] * 4)


@pytest.fixture
def run(smoke: Run, tmp_path: Path) -> Run:
    """The smoke run in a store of its own."""
    skip = shutil.ignore_patterns("checkpoints", "adapter", "model")
    shutil.copytree(smoke.folder, tmp_path / "reports" / "smoke", ignore=skip)
    return RunStore(tmp_path / "reports").open("smoke")


def test_a_run_is_measured_and_its_old_manifest_goes(run: Run, lab: Settings) -> None:
    write_manifest(run.folder)
    seen: list[tuple[str, int, int]] = []
    result = measure_retrieval(run, lab, lambda *step: seen.append(step))
    assert read_retrieval(run.folder).value == result
    assert not (run.folder / "manifest.json").exists()
    assert run.record.data is not None and run.record.data.split is not None
    assert result.questions == run.record.data.split.test
    assert result.split_hash == run.record.data.split_hash
    assert seen[-1] == ("search", result.questions, result.questions)
    assert result.known_item[-1].share > 0.9  # the starter set's questions name their topics


def test_what_cannot_be_measured_leaves_no_file(run: Run, lab: Settings) -> None:
    imported = record("imported", kind="imported", config=None, imported={"format": "summary", "source": "a.txt"})
    with pytest.raises(InputError, match="is an imported run"):
        measure_retrieval(RunStore(run.folder.parent).create(imported), lab)
    assert run.record.data is not None
    data = run.record.data.model_copy(update={"split_hash": "0" * 64})
    other = replace(run, record=run.record.model_copy(update={"data": data}))
    with pytest.raises(DataUnavailable, match="so it is not used"):
        measure_retrieval(other, lab)
    status = Status(state="running", process=ProcessIdentity.current())
    write_json(run.folder / "status.json", status.model_dump(mode="json"))
    with pytest.raises(InputError, match="is still running"):
        measure_retrieval(run, lab)
    assert not list(run.folder.parent.glob("*/retrieval.json"))
