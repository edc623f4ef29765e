from datetime import UTC, datetime
from pathlib import Path

import pytest

from medqa_core.report.insights import limitations
from medqa_core.report.views.figures import LABELS, figures, settings
from medqa_core.report.views.headline import four
from medqa_core.report.wording.headline import headline_text, limits_line, title
from medqa_core.runs.run import Run
from medqa_core.runs.schema.presets import from_preset
from medqa_core.runs.schema.record import RunRecord
from tests.support.evaluations import metric
from tests.support.runs import RunBuilder


def test_a_finished_runs_figures_are_measured(build: RunBuilder) -> None:
    found = figures(build.finished())
    assert list(found) == list(LABELS)
    assert {f.origin for f in found.values()} == {"measured", "not stated"}
    assert found["train_minutes"].text == "1 h 20 min"
    assert found["samples_per_second"].value == pytest.approx(8 * 3500 / 4800)
    assert found["test_loss"].text == "2.0181"
    assert found["best_step"].value == 800
    assert found["mmlu"].text == "26.0%"
    assert found["bits_per_byte"].text == "not stated"


def test_pairs_that_preparation_left_out_are_no_training_examples(build: RunBuilder) -> None:
    split = {"train": 3500, "validation": 750, "test": 60}
    left_out = {"answers": 3500, "template_left_out": 500, "examples": 3000}
    run = build.finished(data={"source": "medquad", "split": split, "preparation": left_out})
    assert figures(run)["samples_per_second"].value == pytest.approx(8 * 3000 / 4800)
    (said,) = [one.sentence for one in limitations(run) if one.rule == "training_size"]
    assert said.startswith("The model saw 3,000 training examples;")


def test_an_imported_runs_figures_are_reported_or_not_stated(build: RunBuilder) -> None:
    found = figures(build.imported())
    assert found["perplexity"].value == 7.39
    assert found["perplexity"].origin == "reported"
    assert (found["mmlu"].value, found["mmlu"].origin, found["mmlu"].text) == (None, "not stated", "not stated")


def test_an_imported_run_may_state_figures_under_other_names_or_as_words(build: RunBuilder) -> None:
    run = build.imported(source={"figures": {"train_runtime": 120.0, "train_loss": 2.25, "perplexity": "about 7"}})
    found = figures(run)
    assert found["train_minutes"].text == "2 min"
    assert found["final_train_loss"].value == 2.25
    assert found["perplexity"].text == "about 7"
    assert found["perplexity"].in_words and not found["train_minutes"].in_words


def test_an_imported_evaluation_fills_what_the_figures_leave_out(build: RunBuilder) -> None:
    run = build.imported(source={"figures": {"test_loss": 2.0}})
    build.evaluation(run, metrics={"loss": metric(3.0, 9.9, 0.1, "worse"), "rougeL": metric(0.1, 0.2, 0.01, "better")})
    found = figures(run)
    assert found["test_loss"].value == 2.0
    assert found["rougeL"].value == 0.2
    assert found["rougeL"].origin == "reported"


def test_an_empty_run_states_nothing(build: RunBuilder) -> None:
    assert {f.text for f in figures(build.run()).values()} == {"not stated"}


def test_settings_come_from_the_configuration_or_the_source(build: RunBuilder) -> None:
    own = dict(settings(build.run()))
    assert own["Effective batch size"] == "8"
    assert own["Learning rate"] == "0.001"
    assert dict(settings(build.imported()))["Learning rate"] == "1e-05"
    assert settings(build.imported("none", source={"figures": {}})) == []
    odd = dict(settings(build.imported("odd", source={"figures": {"beam_width": 4}})))
    assert odd == {"Beam width": "4"}


def test_the_title_line(build: RunBuilder) -> None:
    assert title(build.run()) == "Run #7 · SmolLM2-135M on MedQuAD · 2026-03-04"
    assert title(build.run("other", number=None)).startswith("Run other · ")


def test_the_four_figures_go_from_base_to_fine_tuned(build: RunBuilder) -> None:
    found = four(build.finished())
    assert [h.name for h in found] == ["loss", "perplexity", "rougeL", "mmlu"]
    assert (found[0].metric.base, found[0].metric.fine_tuned, found[0].metric.verdict) == (2.4301, 2.0181, "better")
    said = [headline_text(h) for h in found]
    assert (said[0].base, said[0].fine_tuned, said[0].verdict) == ("2.4301", "2.0181", "▲ better")
    assert said[3].change == "+1.0 [−1.0, 3.0] points"
    assert [headline_text(h).verdict for h in four(build.run("empty"))] == [""] * 4


def test_bits_per_byte_stands_in_for_a_perplexity_that_is_not_there(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, metrics={"bits_per_byte": metric(1.0, 0.9, 0.01, "better")})
    assert four(run)[1].name == "bits_per_byte"


def test_the_limits_line_ends_with_the_note(build: RunBuilder) -> None:
    assert limits_line(limitations(build.finished())).endswith("Research demo, not medical advice.")
    assert "no base figures" in limits_line(limitations(build.imported()))


@pytest.mark.parametrize(
    ("method", "there", "absent"),
    [
        ("lora", {"Adapter rank"}, {"Layers trained"}),
        ("last_k", {"Layers trained"}, {"Adapter rank"}),
        ("full", set(), {"Layers trained", "Adapter rank"}),
    ],
)
def test_settings_of_each_method(tmp_path: Path, method: str, there: set[str], absent: set[str]) -> None:
    config = from_preset("smoke", {"method": method})
    record = RunRecord(id="r", title="t", kind="finetune", created_at=datetime.now(UTC), config=config)
    labels = {label for label, _ in settings(Run(tmp_path, record))}
    assert there <= labels
    assert not labels & absent
    assert "Frozen weights" not in labels


def test_what_was_trained_on_quantised_weights_says_what_it_is_judged_on(tmp_path: Path) -> None:
    config = from_preset("smoke", {"quantization": "4bit"})
    record = RunRecord(id="r", title="t", kind="finetune", created_at=datetime.now(UTC), config=config)
    shown = dict(settings(Run(tmp_path, record)))
    assert shown["Frozen weights"] == "4-bit while training; evaluated on the base's own weights"
