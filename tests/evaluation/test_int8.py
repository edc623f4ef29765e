"""What int8 is said to cost is what comes out when somebody else computes it."""

import random
import shutil
from pathlib import Path

import ctranslate2
import numpy as np
import pytest
from rouge_score.rouge_scorer import RougeScorer

from medqa_core.answering.generate import converted
from medqa_core.data.pairs import QAPair
from medqa_core.evaluation import int8 as module
from medqa_core.evaluation.evaluate import same_split
from medqa_core.evaluation.int8 import measure_int8
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.progress import silent
from medqa_core.foundation.settings import Settings
from medqa_core.models import ctranslate
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS, ModelVariants, load_variants
from medqa_core.report.wording.int8 import sentence
from medqa_core.runs.artifacts.int8 import INT8, Int8Cost, read_int8
from medqa_core.runs.artifacts.manifest import MANIFEST, write_manifest
from medqa_core.runs.run import Run
from medqa_core.runs.schema.record import ImportRecord
from medqa_core.runs.schema.status import ProcessIdentity, Status
from medqa_core.runs.store.run_store import RunStore

pytestmark = pytest.mark.usefixtures("smoke")
ASKED = 9
"""Fewer than the run has test questions: which ones are drawn matters."""


@pytest.fixture(scope="module")
def copy(smoke: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The smoke run in a store of its own, with a manifest."""
    folder = tmp_path_factory.mktemp("int8") / "smoke"
    shutil.copytree(smoke.folder, folder)
    write_manifest(folder)
    return RunStore(folder.parent).open("smoke")


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def cost(copy: Run, lab: Settings, heard: list[tuple[str, int, int]]) -> Int8Cost:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "QUESTIONS", ASKED)
        return measure_int8(copy, lab, lambda *said: heard.append(said))


@pytest.fixture(scope="module")
def variants(smoke: Run, lab: Settings) -> ModelVariants:
    return load_variants(smoke, lab)


@pytest.fixture(scope="module")
def asked(smoke: Run, lab: Settings, cost: Int8Cost) -> list[QAPair]:
    test = same_split(smoke, lab)[1].test
    assert cost.questions == ASKED < len(test)
    return random.Random(0).sample(test, ASKED)


def test_it_is_kept_in_the_run_folder(copy: Run, cost: Int8Cost, variants: ModelVariants) -> None:
    assert read_int8(copy.folder).value == cost
    assert cost.base_sha256 == variants.base.sha256
    assert cost.fine_tuned_sha256 == variants.adapter_sha256
    assert cost.engine == f"CTranslate2 {ctranslate2.__version__}"
    assert not (copy.folder / MANIFEST).exists()  # it names the files as they were


def test_who_waits_is_told(cost: Int8Cost, heard: list[tuple[str, int, int]]) -> None:
    assert heard == [("int8 against float32", done, 2) for done in range(3)]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_float32_figures_are_the_evaluations(cost: Int8Cost, smoke: Run, asked: list[QAPair], variant: str) -> None:
    rows = smoke.predictions()
    assert rows is not None
    rows = rows.set_index("question_id").loc[[one.id for one in asked]]
    found = getattr(cost, variant)
    loss = np.average(rows[f"{variant}_loss"], weights=rows["reference_tokens"])
    assert found.loss.float32 == pytest.approx(loss, rel=1e-3)
    assert found.rougeL.float32 == pytest.approx(rows[f"{variant}_rougeL"].mean(), abs=1e-9)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_int8_figures_come_out_again(
    cost: Int8Cost, variants: ModelVariants, lab: Settings, asked: list[QAPair], smoke: Run, variant: str
) -> None:
    """One question at a time, and ROUGE by the library alone."""
    folder = converted(variants, variant, lab, silent)  # type: ignore[arg-type]
    config = smoke.record.config
    assert folder is not None and config is not None
    references: dict[str, set[str]] = {}
    for one in same_split(smoke, lab)[0]:
        references.setdefault(" ".join(one.question.split()).casefold(), set()).add(one.answer)
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    tokenizer = variants.tokenizer
    answers: dict[str, list[list[int]]] = {}
    nats = dict.fromkeys(("float32", "int8"), 0.0)
    words = 0
    for precision in nats:
        generator = ctranslate2.Generator(str(folder), compute_type=precision)
        for one in asked:
            prompt = encode_prompt(tokenizer, one.question, variants.prompt)
            (found,) = generator.generate_batch(
                [tokenizer.convert_ids_to_tokens(prompt)],
                max_length=config.max_new_tokens,
                sampling_topk=1,
                end_token=[tokenizer.eos_token_id],
                include_prompt_in_result=False,
            )
            answers.setdefault(precision, []).append(list(found.sequences_ids[0]))
            reference = tokenizer(one.answer, add_special_tokens=False)["input_ids"]
            kept = reference[: config.max_tokens - len(prompt)]
            (scored,) = generator.score_batch([tokenizer.convert_ids_to_tokens(prompt + kept)])
            nats[precision] -= sum(scored.log_probs[-len(kept) :])
            words += len(kept)
    figures = getattr(cost, variant)
    same = np.mean([one == other for one, other in zip(answers["float32"], answers["int8"], strict=True)])
    assert figures.same == pytest.approx(same)
    for precision in nats:
        assert getattr(figures.loss, precision) == pytest.approx(nats[precision] / (words / 2), rel=1e-3)
        scores = []
        for one, ids in zip(asked, answers[precision], strict=True):
            text = tokenizer.decode(ids, skip_special_tokens=True).strip()
            right = references[" ".join(one.question.split()).casefold()]
            scores.append(max(scorer.score(reference, text)["rougeL"].fmeasure for reference in right))
        assert getattr(figures.rougeL, precision) == pytest.approx(np.mean(scores), abs=1e-9)


def test_the_difference_is_int8_minus_float32_and_int8_is_another_computation(cost: Int8Cost) -> None:
    for variant in (cost.base, cost.fine_tuned):
        for change in (variant.loss, variant.rougeL):
            assert change.difference == change.int8 - change.float32
            assert change.ci is None or change.ci[0] <= change.difference <= change.ci[1]
        assert variant.loss.difference != 0
        assert abs(variant.loss.difference) < 0.05


def test_the_sentence_is_of_these_figures(cost: Int8Cost) -> None:
    said = sentence(cost)
    assert said.startswith(f"Int8 against float32 on {ASKED} test questions. base: {cost.base.same:.0%} of the answers")
    assert f"fine-tuned: {cost.fine_tuned.same:.0%} of the answers the same" in said


def test_an_imported_run_is_refused(copy: Run, lab: Settings) -> None:
    record = copy.record.model_copy(
        update={
            "kind": "imported",
            "config": None,
            "imported": ImportRecord(format="summary", source="a", sha256="0" * 64),
        }
    )
    with pytest.raises(InputError, match="smoke is an imported run"):
        measure_int8(Run(copy.folder, record), lab)


def test_a_run_in_training_is_refused(smoke: Run, lab: Settings, tmp_path: Path) -> None:
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    busy = Status(state="running", process=ProcessIdentity.current())
    write_json(tmp_path / "smoke" / "status.json", busy.model_dump(mode="json"))
    with pytest.raises(InputError, match="smoke is still running"):
        measure_int8(RunStore(tmp_path).open("smoke"), lab)
    assert not (tmp_path / "smoke" / INT8).exists()


def test_a_model_that_ctranslate2_does_not_run_is_refused(
    smoke: Run, lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    monkeypatch.setattr(ctranslate, "_MODEL_LOADERS", {})
    with pytest.raises(InputError, match=r"^toy on cpu has no int8 mode to measure\.$"):
        measure_int8(RunStore(tmp_path).open("smoke"), lab)
    assert not (tmp_path / "smoke" / INT8).exists()
