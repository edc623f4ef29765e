"""How many passages fit before a question."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from medqa_core.answering.retrieval.passages import Passage
from medqa_core.answering.sources import PASSAGES, WITH_SOURCES_VARIANT, fitting
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt, with_passages
from medqa_core.models.variants import VARIANTS, ModelVariants, load_variants
from medqa_core.runs.run import Run

pytestmark = pytest.mark.usefixtures("no_network")
QUESTION = "What helps against a cold?"
FOUND = [Passage(f"Passage {n} says to rest.", "colds", "?", f"p{n}", "starter", None) for n in range(PASSAGES)]


@pytest.fixture(scope="module")
def variants(smoke: Run, lab: Settings) -> ModelVariants:
    return load_variants(smoke, lab)


def within(variants: ModelVariants, context: int) -> ModelVariants:
    """The models as if they read that many tokens at most."""
    model = SimpleNamespace(config=SimpleNamespace(max_position_embeddings=context))
    return replace(variants, base=replace(variants.base, model=model))


def test_all_passages_where_they_fit(variants: ModelVariants) -> None:
    ids, read = fitting(variants, QUESTION, FOUND, 16)
    assert read == tuple(FOUND)
    assert ids == encode_prompt(
        variants.tokenizer, with_passages(QUESTION, [one.text for one in FOUND]), variants.prompt
    )


def test_nothing_found_is_the_question_alone(variants: ModelVariants) -> None:
    assert fitting(variants, QUESTION, [], 16) == (encode_prompt(variants.tokenizer, QUESTION, variants.prompt), ())


def test_the_last_passages_go_first_where_the_context_is_short(variants: ModelVariants) -> None:
    whole, _ = fitting(variants, QUESTION, FOUND, 16)
    exact, _ = fitting(within(variants, len(whole) + 16), QUESTION, FOUND, 16)
    assert exact == whole
    ids, read = fitting(within(variants, len(whole) + 15), QUESTION, FOUND, 16)
    assert read == tuple(FOUND[:2]) and len(ids) < len(whole)
    alone, none = fitting(within(variants, 17), QUESTION, FOUND, 16)
    assert (alone, none) == (encode_prompt(variants.tokenizer, QUESTION, variants.prompt), ())


def test_the_weights_are_one_of_the_two() -> None:
    assert WITH_SOURCES_VARIANT in VARIANTS and PASSAGES >= 1
