"""Every file of a run cut short, with a bit flipped, or gone: the rest opens, and what is wrong is said in a line."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from medqa_core.evaluation.partial import Partial
from medqa_core.evaluation.verify import verify
from medqa_core.foundation.errors import MedQAError, ModelError
from medqa_core.foundation.files import read_json
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.diagnosis import diagnose
from medqa_core.models.variants import load_variants
from medqa_core.report import writer
from medqa_core.report.archive import archive, weights_size
from medqa_core.report.facts import Facts
from medqa_core.report.views.votes import current_sha256, tally
from medqa_core.runs import readers
from medqa_core.runs.artifacts.int8 import read_int8
from medqa_core.runs.artifacts.job import read_job
from medqa_core.runs.artifacts.manifest import check_manifest
from medqa_core.runs.artifacts.model_judge import read_judge, read_judge_rows
from medqa_core.runs.artifacts.retrieval import read_retrieval
from medqa_core.runs.artifacts.training_record import read_training_record
from medqa_core.runs.artifacts.votes import read_votes
from medqa_core.runs.readers import WRITE_UPS
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.store.run_store import RunStore, answerable
from medqa_core.training import checkpoint
from medqa_core.training.stop import StopFlag
from medqa_core.training.train import resume, train
from tests.reliability.damage import Damage, damages, files_of, store_of_two
from tests.support.whole_run import STEPS

pytestmark = pytest.mark.reliability

LISTED_EVERY, WHOLE_EVERY, WRITTEN_EVERY = 100, 400, 400
"""Of so many damages to a file, one is also looked at from the list of runs, by all readers, in the write-up."""
MANIFEST_EVERY = 50
"""Of so many damages to a file, one is looked for by the manifest, which reads the whole folder each time."""

Reader = Callable[[Run], object]
READERS: dict[str, Reader] = {
    "status.json": lambda run: (run.state(), diagnose(run)) and run.status(),
    "job.json": lambda run: read_job(run.folder).value,
    "metrics.jsonl": Run.metrics_log,
    "train.log": Run.log_tail,
    "training.json": lambda run: read_training_record(run.folder).value,
    "evaluation.json": Run.evaluation,
    "predictions.parquet": Run.predictions,
    "with_sources.parquet": Run.with_sources,
    "mmlu_results/results.json": Run.mmlu,
    "mmlu_results/answers.parquet": Run.mmlu_answers,
    "int8.json": lambda run: read_int8(run.folder).value,
    "judge.json": lambda run: read_judge(run.folder).value,
    "judge.parquet": lambda run: read_judge_rows(run.folder).value,
    "retrieval.json": lambda run: read_retrieval(run.folder).value,
    "votes.jsonl": lambda run: tally(read_votes(run.folder).value, current_sha256(run)),
    "trials.csv": lambda run: run.trials() or None,
    "adapter/adapter_config.json": lambda run: run.adapter_folder() or run.folder,
    "adapter/adapter_model.safetensors": lambda run: current_sha256(run) or run.folder,
    **{name: lambda run, name=name: run.write_up(name) for name in WRITE_UPS},  # type: ignore[misc]
}


@pytest.fixture(scope="module")
def store(smoke: Run, tmp_path_factory: pytest.TempPathFactory) -> RunStore:
    """A store with a whole run and another one beside it."""
    return store_of_two(smoke, tmp_path_factory.mktemp("damaged") / "reports")


def damaged(run: Run, name: str) -> Iterator[tuple[int, Damage]]:
    """The damages to one file, each done in turn; whole again at the end."""
    path = run.folder / name
    content = path.read_bytes()
    try:
        for number, damage in enumerate(damages(name, content)):
            damage.apply(run.folder, content)
            yield number, damage
    finally:
        path.write_bytes(content)


def one_line(text: str, folder: Path) -> bool:
    """Whether that is something to show to a person: a line, no traceback, no path of the machine."""
    return bool(text) and text.isprintable() and len(text) < 400 and "Traceback" not in text and str(folder) not in text


def wrong_with(run: Run, name: str) -> tuple[str, ...]:
    """What is said of the run's files, and of a write-up that no snapshot holds."""
    return run.snapshot().problems + (readers.write_up(run.folder, name).problems if name in WRITE_UPS else ())


def read_all(run: Run) -> None:
    """Every reader once, on a run that opens."""
    for name, reader in READERS.items():
        reader(Run(run.folder, run.record))
        assert run.folder.exists(), name
    with_words = Facts.of(Run(run.folder, run.record)).problems
    assert all(one_line(said, run.folder) for said in with_words), with_words


def write_up(run: Run, renderers: tuple[str, ...] = tuple(writer.FORMATS)) -> None:
    """What the report makes of a run, in memory: every sentence and section, and the archive."""
    facts = Facts.of(Run(run.folder, run.record))
    for name in renderers:
        text = writer.FORMATS[name].render(facts)
        assert text.strip(), name
        text.encode("utf-8")
    assert archive(run)
    assert weights_size(run) >= 0


def others_are_listed(store: RunStore) -> None:
    entries = {entry.id: entry for entry in RunStore(store.folder).list()}
    assert set(entries) == {"whole", "other"}
    assert (entries["other"].state, entries["other"].problem) == ("completed", None)
    problem = entries["whole"].problem
    assert problem is None or one_line(problem, store.folder)


def test_no_file_is_forgotten(store: RunStore) -> None:
    names = set(files_of(store.open("whole")))
    kept = {f"checkpoints/step-{step:08d}/{name}" for step in STEPS for name in (*checkpoint.TENSORS, *SEALS)}
    assert names == {*READERS, "run.json", "manifest.json"} | kept


SEALS = ("state.json", "manifest.json")


@pytest.mark.parametrize("name", READERS)
def test_a_damaged_file_is_read_or_named(store: RunStore, name: str) -> None:
    run = store.open("whole")
    reader = READERS[name]
    for number, damage in damaged(run, name):
        fresh = Run(run.folder, run.record)
        found = reader(fresh)
        problems = wrong_with(fresh, name)
        assert all(one_line(said, store.folder) for said in problems), (damage, problems)
        if found is None and damage.kind != "gone":
            assert problems, f"{damage}: nothing is shown, and nothing said"
        if number % LISTED_EVERY == 0 or (name == "status.json" and number % 5 == 0):
            others_are_listed(store)
            assert store.open("whole").record == run.record
        if number % WHOLE_EVERY == 0:
            read_all(run)
        if number % WRITTEN_EVERY == 0:
            write_up(run, WRITE_UPS[number // WRITTEN_EVERY % 4 :][:1])
    write_up(run)


def test_a_damaged_run_json_is_one_unreadable_run(store: RunStore) -> None:
    opened = 0
    for number, damage in damaged(store.open("whole"), "run.json"):
        try:
            run = RunStore(store.folder).open("whole")
        except MedQAError as error:
            assert one_line(str(error), store.folder), damage
            run = None
        if number % 10 == 0:
            others_are_listed(store)
        if run is not None:
            opened += 1
            if opened % WRITTEN_EVERY == 1:
                read_all(run)
                write_up(run, WRITE_UPS[:1])
    assert opened, "no flip left a run that opens"
    answerable(store)


def test_the_manifest_names_every_damage_to_what_it_lists(store: RunStore) -> None:
    run = store.open("whole")
    assert check_manifest(run.folder) == []
    whole = read_json(run.folder / "manifest.json")
    listed, written = whole["files"], {"written_by": whole["written_by"]}
    assert {"run.json", "evaluation.json", "adapter/adapter_model.safetensors", "summary.html"} <= set(listed)
    for name in listed:
        for number, damage in damaged(run, name):
            if number % MANIFEST_EVERY == 0:
                said = "is missing" if damage.kind == "gone" else "was changed after the manifest was written"
                assert check_manifest(run.folder) == [f"{name} {said}."], damage
    for _, damage in damaged(run, "manifest.json"):
        # Without its last line's end it says the same; a digit of the version that wrote it could be another.
        problems = check_manifest(run.folder)
        assert problems or read_json(run.folder / "manifest.json") | written == whole, damage


def test_a_flipped_digit_that_reads_well_is_named_by_verify(store: RunStore, lab: Settings) -> None:
    """The reader cannot see it: another number is as good a number. The manifest and the recomputation can."""
    run = store.open("whole")
    path = run.folder / "evaluation.json"
    content = path.read_bytes()
    whole = run.evaluation()
    assert whole is not None
    place = content.index(b'"difference": ') + len(b'"difference": -0.0')
    Damage("evaluation.json", "flip", 8 * place).apply(run.folder, content)
    try:
        read = run.evaluation()
        assert read is not None and read != whole
        assert run.snapshot().problems == ()
        checks = {check.name: check for check in verify(run, lab)}
        assert checks["manifest"].detail == "evaluation.json was changed after the manifest was written."
        assert (checks["manifest"].passed, checks["evaluation.json"].passed) == (False, False)
    finally:
        path.write_bytes(content)


def test_verify_survives_what_it_is_for(store: RunStore, lab: Settings) -> None:
    run = store.open("whole")
    drawn = random.Random(7)
    for name in read_json(run.folder / "manifest.json")["files"]:
        content = (run.folder / name).read_bytes()
        for damage in drawn.sample(list(damages(name, content)), 2):
            damage.apply(run.folder, content)
            try:
                found = RunStore(store.folder).open("whole")
                checks = verify(found, lab)
                assert checks[0].passed is False
                assert all(one_line(check.detail[:399], store.folder) for check in checks), damage
            except MedQAError as error:
                assert name == "run.json" and one_line(str(error), store.folder)
            finally:
                (run.folder / name).write_bytes(content)


@pytest.mark.parametrize("name", ["adapter/adapter_config.json", "adapter/adapter_model.safetensors"])
def test_a_damaged_adapter_is_refused_in_one_line(store: RunStore, lab: Settings, name: str) -> None:
    """Or it loads, where the damage is a weight's value: the manifest's affair."""
    run = store.open("whole")
    content = (run.folder / name).read_bytes()
    drawn = random.Random(3).sample(list(damages(name, content)), 12)
    refused = 0
    for damage in [Damage(name, "gone"), *drawn]:
        damage.apply(run.folder, content)
        try:
            load_variants(run, lab)
        except ModelError as error:
            refused += 1
            assert one_line(str(error), store.folder), damage
        finally:
            (run.folder / name).write_bytes(content)
    assert refused > 6


@pytest.mark.parametrize("name", [*checkpoint.TENSORS, *SEALS])
def test_a_damaged_checkpoint_gives_way_to_the_one_before(store: RunStore, name: str) -> None:
    run = store.open("whole")
    before, newest = (f"checkpoints/step-{step:08d}/{name}" for step in STEPS)
    found = checkpoint.newest(run.folder)
    assert found is not None and found.counters.step == STEPS[1]
    for number, damage in damaged(run, newest):
        if number % 3 == 0 or damage.kind == "gone":
            found = checkpoint.newest(run.folder)
            assert found is not None and found.counters.step == STEPS[0], damage
            assert torch.equal(found.weights["a.lora_A.weight"], torch.full((4, 8), float(STEPS[0])))
    content = (run.folder / newest).read_bytes()
    drawn = random.Random(11).sample(list(damages(newest, content)), 20)
    for damage in drawn:
        damage.apply(run.folder, content)
        Damage(before, damage.kind, damage.place).apply(run.folder, (older := (run.folder / before).read_bytes()))
        try:
            assert checkpoint.newest(run.folder) is None
        finally:
            (run.folder / newest).write_bytes(content)
            (run.folder / before).write_bytes(older)


def test_with_both_checkpoints_damaged_it_begins_anew_and_says_so(lab: Settings, smoke: Run, tmp_path: Path) -> None:
    stop, settings = StopFlag(), replace(lab, reports=tmp_path / "reports")
    run = train(
        from_preset("smoke"), settings, run_id="both", stop=stop,
        on_step=lambda step, *_: stop.request() if step == 6 else None,
    )  # fmt: skip
    kept = sorted((run.folder / "checkpoints").iterdir())
    assert len(kept) == 2
    for folder, name in zip(kept, ("optimizer.safetensors", "state.json"), strict=True):
        content = (folder / name).read_bytes()
        Damage(name, "flip", 8 * len(content) - 20).apply(folder, content)
    run = resume(run, settings)
    assert "optimizer.safetensors is missing or damaged); there is no other: back to the first step" in run.log_tail()
    assert run.state() == "completed"
    for split in ("train", "validation"):
        ours, theirs = getattr(run.metrics_log(), split), getattr(smoke.metrics_log(), split)
        assert (ours["step"].tolist(), ours["loss"].tolist()) == (theirs["step"].tolist(), theirs["loss"].tolist())


def test_a_damaged_partial_evaluation_costs_its_torn_rows_only(tmp_path: Path) -> None:
    path, fingerprint = tmp_path / ".evaluation.jsonl", {"weights": "a" * 8}
    rows = [{"question": n, "loss": n / 7} for n in range(8)]
    with Partial(path, fingerprint) as partial:
        partial.add(rows)
    content = path.read_bytes()
    for damage in damages(path.name, content):
        path.unlink(missing_ok=True)
        damage.apply(tmp_path, content) if damage.kind != "gone" else None
        found = Partial(path, fingerprint).rows
        if damage.kind == "cut":
            assert found == rows[: max(0, content[: damage.place].count(b"\n") - 1)]
        assert all(isinstance(row, dict) for row in found)
