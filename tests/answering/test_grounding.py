"""How many passages fit before a question."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from medqa_core.answering.grounding import GROUNDED_SIDE, PASSAGES, fitting
from medqa_core.answering.retrieval.passages import Passage
from medqa_core.foundation.settings import Settings
from medqa_core.models.prompt import encode_prompt, with_passages
from medqa_core.models.variants import SIDES, ModelPair, load_pair
from medqa_core.runs.run import Run

pytestmark = pytest.mark.usefixtures("no_network")
QUESTION = "What helps against a cold?"
FOUND = [Passage(f"Passage {n} says to rest.", "colds", "?", f"p{n}", "starter", None) for n in range(PASSAGES)]


@pytest.fixture(scope="module")
def pair(smoke: Run, lab: Settings) -> ModelPair:
    return load_pair(smoke, lab)


def within(pair: ModelPair, context: int) -> ModelPair:
    """The pair as if its model read that many tokens at most."""
    model = SimpleNamespace(config=SimpleNamespace(max_position_embeddings=context))
    return replace(pair, base=replace(pair.base, model=model))


def test_all_passages_where_they_fit(pair: ModelPair) -> None:
    ids, read = fitting(pair, QUESTION, FOUND, 16)
    assert read == tuple(FOUND)
    assert ids == encode_prompt(pair.tokenizer, with_passages(QUESTION, [one.text for one in FOUND]), pair.prompt)


def test_nothing_found_is_the_question_alone(pair: ModelPair) -> None:
    assert fitting(pair, QUESTION, [], 16) == (encode_prompt(pair.tokenizer, QUESTION, pair.prompt), ())


def test_the_last_passages_go_first_where_the_context_is_short(pair: ModelPair) -> None:
    whole, _ = fitting(pair, QUESTION, FOUND, 16)
    exact, _ = fitting(within(pair, len(whole) + 16), QUESTION, FOUND, 16)
    assert exact == whole
    ids, read = fitting(within(pair, len(whole) + 15), QUESTION, FOUND, 16)
    assert read == tuple(FOUND[:2]) and len(ids) < len(whole)
    alone, none = fitting(within(pair, 17), QUESTION, FOUND, 16)
    assert (alone, none) == (encode_prompt(pair.tokenizer, QUESTION, pair.prompt), ())


def test_the_weights_are_one_of_the_two() -> None:
    assert GROUNDED_SIDE in SIDES and PASSAGES >= 1
