"""Each column is who it says, or the self-test says that it is not."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch

from medqa_core.answering.decoder import Batch, Decoder, Prompt
from medqa_core.answering.engine import decoder_for
from medqa_core.answering.model_cache import Models
from medqa_core.answering.openvino_decoder import OpenVINODecoder
from medqa_core.answering.transformers_decoder import TransformersDecoder
from medqa_core.evaluation.proof import base_problem, self_test
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.variants import ModelVariants, Variant, load_variants
from medqa_core.report.wording.self_test import sentence
from medqa_core.runs.run import Run
from medqa_core.runs.schema.self_test import Failure, Problem

pytestmark = pytest.mark.usefixtures("no_network")
PROVEN = (
    "On 3 questions the base column's logits equal, bit for bit, those of toy loaded afresh without any adapter; "
    "the fine-tuned column's do not."
)


@pytest.fixture(scope="module")
def variants(smoke: Run, lab: Settings) -> ModelVariants:
    return load_variants(smoke, lab)


@pytest.fixture
def other(variants: ModelVariants) -> ModelVariants:
    """A copy of the variants, to be changed."""
    adapted = copy.deepcopy(variants.adapted)
    return replace(variants, adapted=adapted, base=replace(variants.base, model=adapted.get_base_model()))


def test_openvino_passes(variants: ModelVariants, lab: Settings) -> None:
    decoder = decoder_for(variants, lab)
    assert isinstance(decoder, OpenVINODecoder)
    said = f"{PROVEN} {decoder.name}, which answers here, gives the same first 12 tokens as they do."
    test = self_test(Models(variants, decoder), lab)
    assert test.passed and sentence(test) == said


def test_transformers_passes(variants: ModelVariants, lab: Settings) -> None:
    decoder = TransformersDecoder(variants)
    said = f"{PROVEN} {decoder.name}, which answers here, gives the same first 12 tokens as they do."
    test = self_test(Models(variants, decoder), lab)
    assert test.passed and sentence(test) == said


def test_the_models_stay_as_they_are(variants: ModelVariants, lab: Settings) -> None:
    before = {name: tensor.clone() for name, tensor in variants.adapted.state_dict().items()}
    self_test(Models(variants, TransformersDecoder(variants)), lab)
    assert all(torch.equal(tensor, before[name]) for name, tensor in variants.adapted.state_dict().items())


def test_int8_says_that_its_tokens_may_differ(variants: ModelVariants, lab: Settings) -> None:
    said = f"{PROVEN} What answers now is their int8 copy, whose tokens may differ."
    test = self_test(Models(variants, decoder_for(variants, lab, "int8")), lab)
    assert test.passed and test.tokens is None and sentence(test) == said


def test_a_base_whose_weights_were_touched_fails(other: ModelVariants, lab: Settings) -> None:
    with torch.no_grad():
        next(p for n, p in other.adapted.named_parameters() if "lora_" not in n).view(-1)[7] += 1e-4
    test = self_test(Models(other, TransformersDecoder(other)), lab)
    assert not test.passed
    assert sentence(test) == (
        "Failed: the base variant does not compute what the base alone does (What are the symptoms of gout?)."
    )


def test_a_base_that_keeps_the_adapter_on_fails(variants: ModelVariants, lab: Settings) -> None:
    """As with a `disable_adapter` that does nothing: both columns are then the fine-tuned model's."""
    tuned = replace(
        variants, base=replace(variants.base, model=variants.adapted), adapted=copy.deepcopy(variants.adapted)
    )
    tuned.adapted.disable_adapter = lambda: torch.no_grad()
    assert base_problem(variants, lab) is None
    problem = base_problem(tuned, lab)
    assert problem is not None and problem.failure is Failure.BASE_DIFFERS


def test_an_adapter_that_changes_nothing_fails(other: ModelVariants, lab: Settings) -> None:
    with torch.no_grad():
        for name, parameter in other.adapted.named_parameters():
            if "lora_B" in name:
                parameter.zero_()
    test = self_test(Models(other, TransformersDecoder(other)), lab)
    assert test.problem == Problem(failure=Failure.NOTHING_CHANGED)
    assert sentence(test) == (
        "Failed: the fine-tuned variant computes exactly what the base does: its weights change nothing."
    )


class Swapped:
    """`decoder`, asked for other variants' weights than the prompt says."""

    def __init__(self, decoder: Decoder, instead: dict[Variant, Variant]) -> None:
        self.name, self.precision = decoder.name, decoder.precision
        self._decoder, self._instead = decoder, instead

    def start(self, prompts: Sequence[Prompt]) -> Batch:
        return self._decoder.start([Prompt(self._instead[prompt.variant], prompt.ids) for prompt in prompts])


def test_exchanged_variants_fail(variants: ModelVariants, lab: Settings) -> None:
    exchanged = Swapped(decoder_for(variants, lab), {"base": "fine_tuned", "fine_tuned": "base"})
    test = self_test(Models(variants, exchanged), lab)
    assert not test.passed
    assert sentence(test) == (
        f"Failed: {exchanged.name} does not give the answers of the base weights (What are the symptoms of gout?)."
    )


def test_one_variant_twice_fails(variants: ModelVariants, lab: Settings) -> None:
    twice = Swapped(decoder_for(variants, lab), {"base": "base", "fine_tuned": "base"})
    test = self_test(Models(variants, twice), lab)
    assert test.problem is not None
    assert (test.problem.failure, test.problem.variant) == (Failure.OTHER_TOKENS, "fine_tuned")
    assert "does not give the answers of the fine-tuned weights" in sentence(test)


def test_transformers_with_other_weights_fails(variants: ModelVariants, other: ModelVariants, lab: Settings) -> None:
    """Models of yesterday's adapter behind today's variants."""
    with torch.no_grad():
        for name, parameter in other.adapted.named_parameters():
            if "lora_B" in name:
                parameter.neg_()
    test = self_test(Models(variants, TransformersDecoder(other)), lab)
    assert test.problem is not None
    assert (test.problem.failure, test.problem.variant) == (Failure.OTHER_TOKENS, "fine_tuned")
    assert "does not give the answers of the fine-tuned weights" in sentence(test)


def test_where_both_say_the_same_it_says_that_nothing_is_told_apart(variants: ModelVariants, lab: Settings) -> None:
    """An adapter too weak to change a token changes the logits all the same."""
    model = load("toy", settings=lab).model
    with torch.no_grad():
        model.model.norm.weight.mul_(1.001)  # scales every logit, and so leaves their order
    whole = replace(variants, base=replace(load("toy", settings=lab), tokenizer=variants.tokenizer), adapted=model)
    test = self_test(Models(whole, TransformersDecoder(whole)), lab)
    assert test.passed and test.columns_differ is False
    assert sentence(test).endswith("; these are the same in both columns and cannot tell one from the other.")
