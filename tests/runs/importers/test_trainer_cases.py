"""What trainers write that is not plain: each kind of input with its right values. All figures are made up."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medqa_core.foundation.errors import InputError
from medqa_core.report.charts.loss import loss_figure
from medqa_core.report.charts.loss_words import told
from medqa_core.report.charts.run_curve import RunCurve
from medqa_core.report.document.tables import training
from medqa_core.report.facts import Facts
from medqa_core.report.insights import insights, limitations, next_steps
from medqa_core.report.views.figures import figures
from medqa_core.runs.artifacts.series import SERIES, Series
from medqa_core.runs.importers import import_path
from medqa_core.runs.importers.log_rows import kind_of_training, normalised
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import ImportRecord
from medqa_core.runs.store.run_store import RunStore

Rows = list[dict[str, Any]]


@pytest.fixture
def given(store: RunStore, tmp_path: Path) -> Any:
    """`given(ROWS, …)`: the imported run of an output folder whose state holds these rows."""

    def make(rows: Rows | None, **state: Any) -> Run:
        folder = tmp_path / "out"
        folder.mkdir()
        whole = {"global_step": 60, "max_steps": 60, "num_train_epochs": 1, "epoch": 1.0, **state}
        (folder / "trainer_state.json").write_text(json.dumps(whole if rows is None else whole | {"log_history": rows}))
        return import_path(folder, store)

    return make


def said(run: Run) -> ImportRecord:
    assert run.record.imported is not None
    return run.record.imported


def logged(run: Run) -> dict[str, Series]:
    return {series.label: series for series in run.snapshot().series}


def every(rows: int, **values: Any) -> Rows:
    """So many rows, fifteen steps apart; a callable is given the row's number."""
    return [
        {"step": 15 * n, "epoch": 0.25 * n, **{k.replace("__", "/"): v(n) for k, v in values.items()}}
        for n in range(1, rows + 1)
    ]


def test_losses_that_are_texts(given: Any) -> None:
    rows = every(4, loss=lambda n: f"{3 - n / 4:.2f}", learning_rate=lambda n: "2e-05", grad_norm=lambda n: "0.5")
    run = given([{key: str(value) for key, value in row.items()} for row in rows])
    log = run.metrics_log()
    np.testing.assert_allclose(log.train["loss"], [2.75, 2.5, 2.25, 2.0])
    np.testing.assert_array_equal(log.train["step"], [15, 30, 45, 60])
    np.testing.assert_allclose(log.train["learning_rate"], 2e-05)
    assert log.train.non_finite_steps == ()


def test_several_evaluation_sets_are_curves_of_their_own(given: Any) -> None:
    rows = every(6, loss=lambda n: 4 - n / 3)
    for n in range(1, 7):
        rows += [{"step": 15 * n, "eval_heart_loss": 3.0 - n / 5}, {"step": 15 * n, "eval_skin_loss": 1.5 + n / 5}]
    run = given(rows)
    assert len(run.metrics_log().validation) == 0
    assert logged(run)["loss (heart)"].values == pytest.approx([2.8, 2.6, 2.4, 2.2, 2.0, 1.8])
    assert logged(run)["loss (skin)"].values == pytest.approx([1.7, 1.9, 2.1, 2.3, 2.5, 2.7])
    found = [one.sentence for one in insights(run)]
    assert any(s.startswith("Validation loss on heart kept falling to the end: 2.8000") for s in found)
    assert any(s.startswith("Validation loss on skin rose from its first value, 1.7000") for s in found)
    assert not any(s.startswith(("Validation loss fell", "Validation loss rose")) for s in found)
    assert "few_validations" not in {one.kind for one in limitations(run)}
    curve = RunCurve.of(run.snapshot())
    assert "validation loss on heart went from 2.8000 to 1.8000" in told(curve)
    assert {a.text for a in loss_figure([curve]).layout.annotations} >= {"heart", "skin", "training"}


def test_one_named_set_is_the_validation_set(given: Any) -> None:
    run = given([*every(1, loss=lambda n: 2.0), {"step": 15, "eval_heart_loss": 1.75, "eval_heart_f1": 0.5}])
    np.testing.assert_array_equal(run.metrics_log().validation["loss"], [1.75])
    assert logged(run)["f1 (validation)"].values == [0.5]


def test_an_evaluation_without_a_loss_is_said(given: Any) -> None:
    run = given([*every(2, loss=lambda n: 2.0), {"step": 30, "eval_runtime": 2.0, "eval_samples_per_second": 4.0}])
    assert "Evaluated at step 30, but no loss was logged." in said(run).notes


@pytest.mark.parametrize(
    "row",
    [
        {"global_step/max_steps": "30/60", "loss": 2.0},
        {"train/global_step": 30, "train/loss": 2.0, "train/learning_rate": 1e-4, "train/epoch": 0.5},
        {"current_steps": 30, "total_steps": 60, "loss": 2.0, "lr": 1e-4},
        {"step": "30", "loss": "2.0"},
        {"step": 30.0, "loss": 2},
        {"_step": 30, "training_loss": 2.0},
    ],
)
def test_other_step_fields(row: dict[str, Any], given: Any) -> None:
    log = given([row]).metrics_log()
    assert (list(log.train["step"]), list(log.train["loss"])) == ([30], [2.0])


def test_the_mean_and_the_last_loss_have_their_own_names(given: Any) -> None:
    rows = [*every(4, loss=lambda n: 4 / n), {"step": 60, "train_loss": 2.0833, "train_runtime": 12.0}]
    run = given(rows)
    stated = said(run).figures
    assert (stated["mean_train_loss"], stated["last_train_loss"]) == (2.0833, 1.0) and "final_train_loss" not in stated
    shown = {row[0]: row[1] for row in training(Facts.of(run)).texts}
    assert shown["Mean training loss over the run"] == "2.0833" and shown["Last logged training loss"] == "1.0000"
    assert "Final training loss" not in shown


def test_preference_training_is_named_and_its_loss_gives_no_finding(given: Any) -> None:
    rows = every(
        12,
        loss=lambda n: 0.7 - n / 50,
        rewards__margins=lambda n: n / 10,
        rewards__accuracies=lambda n: 0.5 + n / 40,
        rewards__chosen=lambda n: n / 20,
        logps__chosen=lambda n: -40.0,
    )
    run = given(rows)
    assert said(run).training == "preference"
    assert logged(run)["rewards/margins"].values[-1] == pytest.approx(1.2)
    found = {one.kind: one.sentence for one in [*insights(run), *next_steps(run)]}
    assert not {"training_fell", "gap", "kept_falling", "train_longer"} & set(found)
    assert found["kind_of_training"].startswith("This is preference training")
    assert "rewards/margins 0.1000 at step 15 and 1.2000 at step 180" in found["kind_of_training"]
    assert said(run).notes == ["Kept, not drawn: logps/chosen. Loss curves draws them on request."]
    curve = RunCurve.of(run.snapshot())
    assert told(curve).startswith("Preference training: its loss does not say")
    assert loss_figure([curve]).layout.yaxis.title.text == "loss of preference training"
    assert figures(run)["final_train_loss"].value is None


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (("loss", "reward", "reward_std", "kl"), "policy"),
        (("objective/kl", "objective/rlhf_reward", "loss/policy_avg"), "policy"),
        (("loss", "rewards/format/mean", "completions/mean_length"), "policy"),
        (("eval_rewards/margins",), "preference"),
        (("loss", "rewards/chosen"), "preference"),
        (("loss", "log_odds_ratio"), "preference"),
        (("loss", "min_reward", "mean_reward", "max_reward", "accuracy", "margin"), "preference"),
        (("eval_loss", "eval_mean_reward", "eval_margin"), "preference"),
        (("loss", "margin"), None),
        (("loss", "mean_token_accuracy", "entropy"), None),
        (("loss", "grad_norm"), None),
    ],
)
def test_kinds_of_training(names: tuple[str, ...], kind: str | None) -> None:
    assert kind_of_training([dict.fromkeys(names, 0.5)]) == kind


def test_policy_training_keeps_reward_and_kl(given: Any) -> None:
    run = given(every(3, loss=lambda n: n / 1000, reward=lambda n: n / 5, kl=lambda n: n / 100))
    assert said(run).training == "policy" and said(run).notes == []
    assert logged(run)["kl"].values == [0.01, 0.02, 0.03] and logged(run)["reward"].steps == [15, 30, 45]


def test_what_else_a_supervised_run_logs_is_kept_and_listed_once(given: Any) -> None:
    rows = every(
        3, loss=lambda n: 2 / n, mean_token_accuracy=lambda n: n / 5, entropy=lambda n: 3.0 - n, mode=lambda n: "x"
    )
    rows.append({"step": 45, "eval_loss": 1.0, "eval_runtime": 3.0, "eval_entropy": 1.5})
    run = given(rows)
    assert said(run).training is None
    assert logged(run)["mean_token_accuracy"].values == [0.2, 0.4, 0.6]
    assert logged(run)["entropy (validation)"].values == [1.5]
    assert said(run).notes == [
        "Kept, not drawn: mean_token_accuracy, entropy and entropy (validation). Loss curves draws them on request.",
        "Not kept: mode and eval_runtime.",
    ]


@pytest.mark.parametrize(("stated", "shown"), [(41.5, 0.415), (0.415, 0.415), (415.0, 415.0)])
def test_rouge_on_a_scale_to_100(stated: float, shown: float, given: Any) -> None:
    run = given([*every(1, loss=lambda n: 2.0), {"step": 15, "eval_loss": 1.9, "eval_rougeL": stated}])
    assert said(run).figures["validation_rougeL"] == shown
    assert ("ROUGE is stated on a 0 to 100 scale" in " ".join(said(run).notes)) == (stated == 41.5)
    assert "rougeL" not in said(run).figures, "it is the validation set's"
    assert all(check.passed is not False for check in said(run).checks if "ROUGE" in check.name)


def test_what_state_and_results_hold_beside_is_named_once(given: Any, tmp_path: Path, store: RunStore) -> None:
    rows = every(1, loss=lambda n: 2.0, eval_loss=lambda n: 1.9, eval_runtime=lambda n: 1.5)
    given(rows, trial_name=None, save_steps=500, total_flos=1.0)
    results = {"eval_loss": 1.9, "eval_runtime": 1.5, "eval_bleu": 0.2, "epoch": 1.0, "total_flos": 1.0}
    (tmp_path / "out" / "all_results.json").write_text(json.dumps(results))
    assert said(import_path(tmp_path / "out", store)).notes == [
        "Not kept: eval_runtime.",
        "Not kept, of trainer_state.json: save_steps.",
        "Not kept, of the results files: eval_bleu.",
    ]


def test_test_figures_on_a_scale_to_100(given: Any, tmp_path: Path, store: RunStore) -> None:
    given(every(1, loss=lambda n: 2.0))
    (tmp_path / "out" / "predict_results.json").write_text('{"predict_rouge1": 40.0, "predict_rougeL": 30.0}')
    run = import_path(tmp_path / "out", store)
    evaluation = run.evaluation()
    assert evaluation is not None and evaluation.metrics["rougeL"].fine_tuned == pytest.approx(0.3)
    assert "rougeL 30 as 0.3." in said(run).notes[-1]


def test_means_of_several_trainings_are_no_curve(given: Any) -> None:
    run = given([{"step": n, "train_loss": 3.0 / n, "train_runtime": 5.0} for n in (1, 2)])
    assert not (run.folder / "metrics.jsonl").exists()
    assert run.record.imported.figures["mean_train_loss"] == 1.5


def test_a_resumed_log_is_one_curve_of_two_attempts(given: Any) -> None:
    rows = [{"step": s, "loss": float(9 - i)} for i, s in enumerate((10, 20, 30, 20, 30, 40))]
    log = given(rows).metrics_log()
    assert (list(log.train["step"]), list(log.train["loss"])) == ([10, 20, 30, 40], [9.0, 6.0, 5.0, 4.0])
    assert list(log.train["attempt"][1:]) == [2, 2, 2]


def test_a_state_without_a_log(given: Any, tmp_path: Path, store: RunStore) -> None:
    with pytest.raises(InputError, match=r"trainer_state\.json without a log: nothing to draw"):
        given(None)
    with pytest.raises(InputError, match="without a log: nothing to draw"):
        import_path(tmp_path / "out" / "trainer_state.json", store)


def test_a_damaged_series_is_named(given: Any) -> None:
    run = given(every(2, loss=lambda n: 2.0, entropy=lambda n: 1.0))
    (run.folder / SERIES).write_text('{"series": [{"name": "x", "split": "train", "steps": [1], "values": []}]}')
    snapshot = run.snapshot()
    assert snapshot.series == () and any(SERIES in problem for problem in snapshot.problems)


def test_values_that_are_no_numbers(given: Any) -> None:
    run = given([{"step": 1, "loss": 1.0, "entropy": float("nan")}, {"step": 2, "loss": 1.0, "entropy": 2.0}])
    assert logged(run)["entropy"].values == [None, 2.0]
    assert normalised({"step": "x", "loss": "n/a", "lr": "3e-5"}) == {"step": "x", "loss": "n/a", "learning_rate": 3e-5}
