"""The reference run's summary, where it is in reach, and the run folder that ships because of it."""

import pytest

from medqa_core.foundation.settings import PACKAGE_ROOT
from medqa_core.runs.importers import import_path
from medqa_core.runs.store.run_store import RunStore

SEED = PACKAGE_ROOT.parent / "shared" / "seed" / "run-2-summary.txt"
SEED_FIGURES = {
    "run_number": 2,
    "date": "2025-10-11 17:40:31",
    "device": "mps",
    "torch": "2.8.0",
    "transformers": "4.55.4",
    "base_model": "DistilGPT-2 (82M parameters)",
    "base_model_parameters": 82_000_000,
    "train_size": 3500,
    "validation_size": 750,
    "test_size": 750,
    "learning_rate": 1e-5,
    "batch_size": 12,
    "effective_batch": 24,
    "epochs": 8,
    "max_tokens": 384,
    "weight_decay": 0.01,
    "warmup_steps": 200,
    "temperature": 0.3,
    "train_minutes": 81.79,
    "final_train_loss": 2.2925,
    "samples_per_second": 5.71,
    "test_loss": 2.0423,
    "perplexity": 7.71,
    "rouge1": 0.2235,
    "rouge2": 0.0772,
    "rougeL": 0.1652,
    "mmlu_results": "see mmlu_results/results.json",
}


@pytest.mark.skipif(not SEED.is_file(), reason="the reference run's summary is not in reach (../shared/seed)")
def test_the_reference_run_s_summary(store: RunStore) -> None:
    run = import_path(SEED, store)
    imported = run.record.imported
    assert imported is not None
    assert {name: imported.figures[name] for name in SEED_FIGURES} == SEED_FIGURES
    assert set(imported.figures) == {*SEED_FIGURES, "dataset"}
    assert (run.record.title, run.record.number) == ("DistilGPT-2 on MedQuAD", 2)
    assert [check.passed for check in imported.checks] == [True, True, True, None, True, True, None]
    assert len(imported.sections) == 10


@pytest.mark.skipif(not SEED.is_file(), reason="the reference run's summary is not in reach (../shared/seed)")
def test_the_shipped_run_is_what_the_importer_makes_of_it(store: RunStore) -> None:
    made = import_path(SEED, store, run_id="run-2", keep_prose=False)
    shipped = RunStore(PACKAGE_ROOT / "reports").open("run-2")
    assert shipped.record == made.record
    assert shipped.evaluation() == made.evaluation()


def test_the_shipped_run_opens() -> None:
    shipped = RunStore(PACKAGE_ROOT / "reports").open("run-2")
    assert shipped.record.imported is not None
    assert SEED_FIGURES.items() <= shipped.record.imported.figures.items()
    assert shipped.record.imported.sections == {}
    assert shipped.evaluation().metrics["loss"].fine_tuned == 2.0423  # type: ignore[union-attr]
    assert shipped.snapshot().problems == ()
