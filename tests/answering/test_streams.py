"""Columns decoded at once: each alone would say the same, and nothing goes on for a reader who has left."""

from collections.abc import Generator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from medqa_core.answering.decoder import Decoder, Prompt
from medqa_core.answering.model_cache import Models
from medqa_core.answering.question import GenerationSettings
from medqa_core.answering.streams import Repeats, Step, stream
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.variants import VARIANTS, ModelVariants
from tests.support.answers import DecoderOf, Watched

pytestmark = pytest.mark.usefixtures("no_network")
GREEDY = GenerationSettings()
WARM = GenerationSettings(temperature=1.0, seed=1)
NEVER = -1
"""No token's number: answers go on to their limit."""


@pytest.fixture(scope="module")
def sharp(decoder_of: DecoderOf, variants: ModelVariants, lab: Settings) -> Models:
    """Its fine-tuned model is sure of what it says, which the toy is not, and says something else to each question."""
    blown_up = load("toy", settings=lab).model
    with torch.no_grad():
        for parameter in blown_up.parameters():
            if parameter.dim() > 1:
                parameter *= 4
    base = replace(load("toy", settings=lab), tokenizer=variants.tokenizer)
    found = replace(variants, base=base, adapted=blown_up, adapter_sha256="the toy, four times")
    return Models(found, decoder_of(found))


def said(
    decoder: Decoder,
    prompts: Sequence[Prompt],
    limits: Sequence[int] | int,
    settings: GenerationSettings = GREEDY,
    end: int = NEVER,
) -> list[list[int | None]]:
    """Each column's tokens, None for the end token, which must come last."""
    limits = [limits] * len(prompts) if isinstance(limits, int) else limits
    found: list[list[int | None]] = [[] for _ in prompts]
    ended: set[int] = set()
    for step in stream(decoder, prompts, limits, settings, end):
        if step is not None:
            assert step.column not in ended
            found[step.column].append(step.token)
            if step.last:
                ended.add(step.column)
    assert ended == set(range(len(prompts)))
    return found


def both(ids: list[int]) -> list[Prompt]:
    return [Prompt(variant, ids) for variant in VARIANTS]


def started(steps: Generator[Step | None, None, None]) -> Step:
    step = next(steps)
    while step is None:
        step = next(steps)
    return step


def test_closing_stops_the_models_at_once(decoder: Decoder, ids: list[int]) -> None:
    watched = Watched(decoder)
    steps = stream(watched, both(ids), [400, 400], GREEDY, NEVER)
    started(steps)
    steps.close()
    assert watched.steps == []  # the first token is known from reading the prompts
    assert list(map(len, said(watched, both(ids), 3))) == [3, 3]


def test_closing_while_prompts_are_read_stops_the_models_too(decoder: Decoder, ids: list[int]) -> None:
    watched = Watched(decoder)
    prompts = [Prompt("base", ids), Prompt("fine_tuned", ids * 8)]  # too unlike to be read at once
    steps = stream(watched, prompts, [4, 4], GREEDY, NEVER)
    assert next(steps) is None
    steps.close()
    assert (watched.reads, watched.steps) == (1, [])


def test_what_goes_wrong_reaches_the_caller_and_leaves_the_models_free(decoder: Decoder, ids: list[int]) -> None:
    def fail() -> None:
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        said(Watched(decoder, fail), both(ids), 5)
    assert list(map(len, said(decoder, both(ids), 5))) == [5, 5]


@pytest.mark.parametrize("settings", [GREEDY, WARM], ids=["greedy", "sampled"])
def test_columns_do_not_disturb_each_other(
    sharp: Models, ids: list[int], others: list[int], settings: GenerationSettings
) -> None:
    """Of one model or two, of other lengths, ending at other times: each says what it says alone."""
    columns = [Prompt("fine_tuned", ids), Prompt("base", ids), Prompt("fine_tuned", others * 8)]
    limits = [6, 9, 9]
    together = said(sharp.decoder, columns, limits, settings)
    alone = [said(sharp.decoder, [one], [limit], settings)[0] for one, limit in zip(columns, limits, strict=True)]
    assert together == alone
    assert together[0] != together[2][:6]


def test_a_column_that_ends_keeps_the_others_going(decoder: Decoder, ids: list[int]) -> None:
    watched = Watched(decoder)
    found = said(watched, [*both(ids), Prompt("base", ids)], [1, 30, 4])
    assert list(map(len, found)) == [1, 30, 4]
    assert {rows for rows, _ in watched.steps} <= {2, 1} and watched.steps[-1][0] == 1
    assert found[1] == said(decoder, both(ids), 30)[1]


def test_a_seed_gives_the_same_tokens_again_and_another_one_others(decoder: Decoder, ids: list[int]) -> None:
    first = said(decoder, both(ids), 12, WARM)
    said(decoder, both(ids), 12, GREEDY)  # what is asked in between has no part in it
    torch.rand(3)
    assert said(decoder, both(ids), 12, WARM) == first
    other = said(decoder, both(ids), 12, WARM.model_copy(update={"seed": 2}))
    assert other[0] != first[0] and other[1] != first[1]


@pytest.mark.parametrize("temperature", [0.3, 0.8])
def test_sampled_tokens_are_as_likely_as_the_model_says(sharp: Models, ids: list[int], temperature: float) -> None:
    """Their log-probabilities add up to what is expected of the temperature, and to that of no other."""
    settings = GenerationSettings(temperature=temperature, seed=3)
    (answer,) = said(sharp.decoder, [Prompt("fine_tuned", ids)], 150, settings)
    tokens = [token for token in answer if token is not None]
    assert len(tokens) == 150
    with torch.inference_mode(), sharp.variants.using("fine_tuned") as model:
        logits = model(input_ids=torch.tensor([ids + tokens])).logits[0, len(ids) - 1 : -1].double()

    def deviation(assumed: float) -> float:
        """Standard deviations between the tokens' log-probability and its expectation."""
        logs = torch.log_softmax(logits / assumed, -1)
        expected = (logs.exp() * logs).sum(-1)
        variance = (logs.exp() * logs**2).sum(-1) - expected**2
        return float((logs[range(len(tokens)), tokens] - expected).sum() / variance.sum().sqrt())

    assert abs(deviation(temperature)) < 3
    assert abs(deviation(temperature * 2)) > 4 and abs(deviation(temperature / 2)) > 4


@pytest.mark.parametrize("limit", [1, 2])
def test_no_more_tokens_than_the_limit(decoder: Decoder, ids: list[int], limit: int) -> None:
    assert said(decoder, both(ids), limit) == [tokens[:limit] for tokens in said(decoder, both(ids), 3)]


def test_an_answer_of_nothing(decoder: Decoder, ids: list[int]) -> None:
    """The end token comes first, in one column or in both."""
    first = said(decoder, both(ids), 1)
    end = first[0][0]
    assert end is not None and end != first[1][0]
    assert said(decoder, both(ids), [5, 1], end=end) == [[None], first[1]]
    assert said(decoder, [Prompt("base", ids)] * 2, [5, 1], end=end) == [[None], [None]]


def test_no_columns(decoder: Decoder) -> None:
    assert list(stream(decoder, [], [], GREEDY, NEVER)) == []


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("settings", [GREEDY, WARM], ids=["greedy", "sampled"])
def test_no_run_of_tokens_comes_twice(
    decoder: Decoder, ids: list[int], settings: GenerationSettings, size: int
) -> None:
    free = said(decoder, both(ids), 40, settings)
    found = said(decoder, both(ids), 40, settings.model_copy(update={"no_repeat_ngram": size}))
    for tokens in found:
        runs = [tuple(tokens[place : place + size]) for place in range(len(tokens) - size + 1)]
        assert len(runs) == len(set(runs))
    for before, after in zip(free, found, strict=True):
        assert before[:size] == after[:size] or size == 1, "nothing is forbidden before a run could come again"


def test_a_word_of_the_prompt_may_be_said_again_and_logits_stay_the_engines() -> None:
    logits = np.array([0.0, 1.0, 2.0], np.float32)
    repeats = Repeats(2)
    assert repeats.without(logits) is logits
    for token in (2, 1, 2):
        repeats.add(token)
    assert repeats.without(logits).tolist() == [0.0, -np.inf, 2.0] and logits.tolist() == [0.0, 1.0, 2.0]
    free = Repeats(0)
    free.add(2)
    assert free.without(logits) is logits
