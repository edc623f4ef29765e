"""What int8 is said to cost is what comes out when somebody else computes it."""

import copy
import math
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rouge_score.rouge_scorer import RougeScorer
from scipy.special import log_softmax

from medqa_core.answering import openvino_decoder
from medqa_core.answering.decoder import Prompt, read
from medqa_core.answering.engine import decoder_for
from medqa_core.data.pairs import QAPair
from medqa_core.evaluation import int8 as module
from medqa_core.evaluation.evaluate import same_split
from medqa_core.evaluation.int8 import PRECISIONS, measure_int8
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.files import write_json
from medqa_core.foundation.settings import Settings
from medqa_core.models import openvino_ir
from medqa_core.models.loader import load
from medqa_core.models.openvino_graph import QUANTISED_FROM
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS, ModelVariants, Variant, load_variants
from medqa_core.report.wording.int8 import sentence
from medqa_core.runs.artifacts.int8 import INT8, Int8Cost, read_int8
from medqa_core.runs.artifacts.manifest import MANIFEST, write_manifest
from medqa_core.runs.run import Run
from medqa_core.runs.schema.evaluation import Precision
from medqa_core.runs.schema.record import ImportRecord
from medqa_core.runs.schema.status import ProcessIdentity, Status
from medqa_core.runs.store.run_store import RunStore
from tests.support.models import not_convertible

pytestmark = pytest.mark.usefixtures("smoke")
ASKED = 9
"""Fewer than the run has test questions: which ones are drawn matters."""


@pytest.fixture(scope="module")
def copied(smoke: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The smoke run in a store of its own, with a manifest."""
    folder = tmp_path_factory.mktemp("int8") / "smoke"
    shutil.copytree(smoke.folder, folder)
    write_manifest(folder)
    return RunStore(folder.parent).open("smoke")


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def cost(copied: Run, lab: Settings, heard: list[tuple[str, int, int]]) -> Int8Cost:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "QUESTIONS", ASKED)
        return measure_int8(copied, lab, lambda *said: heard.append(said))


@pytest.fixture(scope="module")
def variants(smoke: Run, lab: Settings) -> ModelVariants:
    return load_variants(smoke, lab)


@pytest.fixture(scope="module")
def asked(smoke: Run, lab: Settings, cost: Int8Cost) -> list[QAPair]:
    test = same_split(smoke, lab)[1].test
    assert cost.questions == ASKED < len(test)
    return random.Random(0).sample(test, ASKED)


def test_it_is_kept_in_the_run_folder(copied: Run, cost: Int8Cost, variants: ModelVariants) -> None:
    assert read_int8(copied.folder).value == cost
    assert cost.base_sha256 == variants.base.sha256
    assert cost.fine_tuned_sha256 == variants.adapter_sha256
    assert cost.engine == openvino_decoder.NAME
    assert not (copied.folder / MANIFEST).exists()  # it names the files as they were


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


def rounded(model: Any) -> Any:
    """A copy whose larger matrices hold what 8 bits hold: 256 levels a row, from its least to its greatest weight."""
    found = copy.deepcopy(model)
    with torch.no_grad():
        for module in found.modules():
            if not isinstance(module, torch.nn.Linear) or module.weight.numel() < QUANTISED_FROM:
                continue
            weight = module.weight
            low, high = weight.amin(1, keepdim=True).clamp(max=0), weight.amax(1, keepdim=True).clamp(min=0)
            scale = ((high - low) / 255).clamp(min=torch.finfo(torch.float32).tiny)  # the padding's row is empty
            zero = (-low / scale).round()
            module.weight = torch.nn.Parameter(((weight / scale).round() + zero).clamp(0, 255).sub(zero).mul(scale))
    return found


def test_int8_is_256_levels_a_row(variants: ModelVariants, lab: Settings) -> None:
    """The toy's embedding is its output matrix too; only the product with it is rounded."""
    exact = load("toy", settings=lab).model
    ids = encode_prompt(variants.tokenizer, "What are the symptoms of gout?", variants.prompt)
    hidden = exact.model(input_ids=torch.tensor([ids])).last_hidden_state[0, -1]
    with torch.inference_mode():
        expected = rounded(exact).lm_head(hidden).numpy()
    found = read(decoder_for(variants, lab, "int8"), [Prompt("base", ids)]).logits()[0]
    plain = read(decoder_for(variants, lab), [Prompt("base", ids)]).logits()[0]
    assert 0 < np.abs(found - expected).max() < 0.02 * np.ptp(plain)  # what is multiplied with them is rounded too


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_int8_figures_come_out_again(
    cost: Int8Cost, variants: ModelVariants, lab: Settings, asked: list[QAPair], smoke: Run, variant: Variant
) -> None:
    """One question and one token at a time, and ROUGE by the library alone."""
    config = smoke.record.config
    assert config is not None
    references: dict[str, set[str]] = {}
    for one in same_split(smoke, lab)[0]:
        references.setdefault(" ".join(one.question.split()).casefold(), set()).add(one.answer)
    scorer = RougeScorer(["rougeL"], use_stemmer=True)
    tokenizer = variants.tokenizer
    answers: dict[Precision, list[list[int]]] = {}
    nats: dict[Precision, float] = dict.fromkeys(PRECISIONS, 0.0)
    words = 0
    for precision in PRECISIONS:
        decoder = decoder_for(variants, lab, precision)
        for one in asked:
            prompt = encode_prompt(tokenizer, one.question, variants.prompt)
            answer, last = list[int](), -1
            batch = read(decoder, [Prompt(variant, prompt)])
            logits = batch.logits()[0]
            while len(answer) < config.max_new_tokens and (last := int(logits.argmax())) != tokenizer.eos_token_id:
                answer.append(last)
                logits = batch.step([[last]])[0, 0]
            answers.setdefault(precision, []).append(answer)
            kept = tokenizer(one.answer, add_special_tokens=False)["input_ids"][: config.max_tokens - len(prompt)]
            batch = read(decoder, [Prompt(variant, prompt)])
            logits = batch.logits()[0]
            for token in kept:
                nats[precision] -= float(log_softmax(logits.astype(float))[token])
                logits = batch.step([[token]])[0, 0]
            words += len(kept)
    figures = cost.base if variant == "base" else cost.fine_tuned
    same = np.mean([one == other for one, other in zip(answers["float32"], answers["int8"], strict=True)])
    assert figures.same == pytest.approx(same)
    for precision in PRECISIONS:
        assert getattr(figures.loss, precision) == pytest.approx(nats[precision] / (words / 2), rel=1e-4)
        scores = []
        for one, ids in zip(asked, answers[precision], strict=True):
            text = tokenizer.decode(ids, skip_special_tokens=True).strip()
            right = references[" ".join(one.question.split()).casefold()]
            scores.append(max(scorer.score(reference, text)["rougeL"].fmeasure for reference in right))
        assert getattr(figures.rougeL, precision) == pytest.approx(np.mean(scores), abs=1e-9)


def test_the_difference_is_int8_minus_float32_and_int8_is_another_computation(cost: Int8Cost) -> None:
    for variant in (cost.base, cost.fine_tuned):
        assert variant.loss is not None
        for change in (variant.loss, variant.rougeL):
            assert change.difference == change.int8 - change.float32
            assert change.ci is None or change.ci[0] <= change.difference <= change.ci[1]
        assert variant.loss.difference != 0
        assert abs(variant.loss.difference) < 0.05


def test_a_loss_that_is_no_number_leaves_the_other_figures(
    smoke: Run, lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    monkeypatch.setattr(module, "QUESTIONS", 2)
    monkeypatch.setattr(module, "_nats", lambda *_: math.nan)
    found = measure_int8(RunStore(tmp_path).open("smoke"), lab)
    assert read_int8(tmp_path / "smoke").value == found
    assert found.base.loss is None and found.fine_tuned.loss is None
    assert "ROUGE-L" in sentence(found) and "loss not a number" in sentence(found)


def test_the_sentence_is_of_these_figures(cost: Int8Cost) -> None:
    said = sentence(cost)
    assert said.startswith(f"Int8 against float32 on {ASKED} test questions. base: {cost.base.same:.0%} of the answers")
    assert f"fine-tuned: {cost.fine_tuned.same:.0%} of the answers the same" in said


def test_an_imported_run_is_refused(copied: Run, lab: Settings) -> None:
    record = copied.record.model_copy(
        update={
            "kind": "imported",
            "config": None,
            "imported": ImportRecord(format="summary", source="a", sha256="0" * 64),
        }
    )
    with pytest.raises(InputError, match="smoke is an imported run"):
        measure_int8(Run(copied.folder, record), lab)


def test_a_run_in_training_is_refused(smoke: Run, lab: Settings, tmp_path: Path) -> None:
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    busy = Status(state="running", process=ProcessIdentity.current())
    write_json(tmp_path / "smoke" / "status.json", busy.model_dump(mode="json"))
    with pytest.raises(InputError, match="smoke is still running"):
        measure_int8(RunStore(tmp_path).open("smoke"), lab)
    assert not (tmp_path / "smoke" / INT8).exists()


def test_a_model_that_openvino_does_not_run_is_refused(
    smoke: Run, lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(smoke.folder, tmp_path / "smoke")
    monkeypatch.setattr(openvino_ir, "ensure", not_convertible)
    with pytest.raises(InputError, match=r"^toy on cpu has no int8 mode: ask in float32\.$"):
        measure_int8(RunStore(tmp_path).open("smoke"), lab)
    assert not (tmp_path / "smoke" / INT8).exists()
