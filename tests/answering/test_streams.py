"""Columns decoded at once: each alone would say the same, and nothing goes on for a reader who has left."""

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from medqa_core.answering.generate import converted
from medqa_core.answering.model_cache import Models
from medqa_core.answering.question import GenerationSettings
from medqa_core.answering.streams import ConvertedStreams, PlainStreams, Prompt, Step, Streams, streams_for
from medqa_core.foundation.errors import InputError
from medqa_core.foundation.progress import silent
from medqa_core.foundation.settings import Settings
from medqa_core.models import ctranslate
from medqa_core.models.loader import load
from medqa_core.models.prompt import encode_prompt
from medqa_core.models.variants import VARIANTS, ModelVariants
from tests.support.answers import Ending, StreamsOf

pytestmark = pytest.mark.usefixtures("no_network")
GREEDY = GenerationSettings()
WARM = GenerationSettings(temperature=1.0, seed=1)


@pytest.fixture(scope="module")
def fast(variants: ModelVariants, lab: Settings) -> ConvertedStreams:
    folders = {variant: str(converted(variants, variant, lab, silent)) for variant in VARIANTS}
    return ConvertedStreams(folders, variants.tokenizer, "float32")


@pytest.fixture(scope="module")
def sharp(variants: ModelVariants, streams_of: StreamsOf, lab: Settings) -> Models:
    """Its fine-tuned model is sure of what it says, which the toy is not, and says something else to each question."""
    blown_up = load("toy", settings=lab).model
    with torch.no_grad():
        for parameter in blown_up.parameters():
            if parameter.dim() > 1:
                parameter *= 4
    found = replace(variants, adapted=blown_up, adapter_sha256="sharp")
    return Models(found, streams_of(found))


@pytest.fixture(scope="module")
def ids(variants: ModelVariants) -> list[int]:
    return encode_prompt(variants.tokenizer, "What are the symptoms of gout?", "chat")


@pytest.fixture(scope="module")
def others(variants: ModelVariants) -> list[int]:
    return encode_prompt(variants.tokenizer, "How is asthma treated in children, and for how long?", "chat")


def said(streams: Streams, prompts: Sequence[Prompt], settings: GenerationSettings = GREEDY) -> list[list[int | None]]:
    """Each column's tokens, None for the end token, which must come last."""
    found: list[list[int | None]] = [[] for _ in prompts]
    ended: set[int] = set()
    for step in streams.decode(prompts, settings):
        if step is not None:
            assert step.column not in ended
            found[step.column].append(step.token)
            if step.last:
                ended.add(step.column)
    assert ended == set(range(len(prompts)))
    return found


class Watched:
    """A variant's generator, whose tokens are counted and pass through `between`."""

    def __init__(self, generator: Any, between: Callable[[], object]) -> None:
        self.tokens = 0
        self.changes: dict[str, Any] = {}
        """Made to the options of every call."""
        self._generator = generator
        self._between = between

    def generate_batch(self, *arguments: Any, callback: Callable[[Any], bool], **options: Any) -> Any:
        def watched(found: Any) -> bool:
            self.tokens += 1
            self._between()
            return callback(found)

        return self._generator.generate_batch(*arguments, callback=watched, **{**options, **self.changes})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._generator, name)


def watch(
    streams: ConvertedStreams, monkeypatch: pytest.MonkeyPatch, between: Callable[[], object] = lambda: None
) -> list[Watched]:
    watched = {variant: Watched(generator, between) for variant, generator in streams._generators.items()}
    monkeypatch.setattr(streams, "_generators", watched)
    return list(watched.values())


def started(steps: Generator[Step | None, None, None]) -> Step:
    step = next(steps)
    while step is None:
        step = next(steps)
    return step


def test_closing_stops_the_models_at_once_and_frees_them(
    fast: ConvertedStreams, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [Prompt(variant, ids, 400) for variant in VARIANTS]
    whole = said(fast, prompts)
    assert min(map(len, whole)) == 400
    pause = threading.Event()
    watched = watch(fast, monkeypatch, lambda: pause.wait(0.01))
    steps = fast.decode(prompts, GREEDY)
    started(steps)
    steps.close()
    after = [one.tokens for one in watched]
    assert max(after) < 100
    pause.wait(0.1)
    assert [one.tokens for one in watched] == after  # nothing is computed any more
    pause.set()
    assert said(fast, prompts) == whole


def test_closing_stops_transformers_too(variants: ModelVariants, ids: list[int]) -> None:
    streams = PlainStreams(variants)
    steps = streams.decode([Prompt(variant, ids, 400) for variant in VARIANTS], GREEDY)
    started(steps)
    steps.close()
    assert len(said(streams, [Prompt("base", ids, 3)])[0]) == 3


def test_what_goes_wrong_in_a_models_thread_reaches_the_caller_and_frees_the_others(
    fast: ConvertedStreams, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [Prompt(variant, ids, 40) for variant in VARIANTS]
    base, tuned = watch(fast, monkeypatch)
    base.changes = {"suppress_sequences": [["no such token"]]}  # found out in the thread
    with pytest.raises(ValueError, match="no such token is not in the vocabulary"):
        said(fast, prompts)
    assert (base.tokens, tuned.tokens) == (0, 40)  # the one that can still be shown is
    base.changes = {}
    assert [len(tokens) for tokens in said(fast, prompts)] == [40, 40]


def test_a_prompt_that_cannot_be_decoded_leaves_the_models_free(fast: ConvertedStreams, ids: list[int]) -> None:
    with pytest.raises(ValueError, match="vector"):
        said(fast, [Prompt("base", ids, 400), Prompt("fine_tuned", [], 400)])
    assert len(said(fast, [Prompt("base", ids, 3)])[0]) == 3


def test_a_caller_gets_a_turn_while_no_token_comes(
    fast: ConvertedStreams, ids: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = threading.Event()
    watch(fast, monkeypatch, lambda: gate.wait(10))
    steps = fast.decode([Prompt("base", ids, 2)], GREEDY)
    assert next(steps) is None
    gate.set()
    assert [step.last for step in steps if step] == [False, True]


@pytest.mark.parametrize("settings", [GREEDY, WARM], ids=["greedy", "sampled"])
def test_columns_of_one_model_do_not_disturb_each_other(
    sharp: Models, ids: list[int], others: list[int], settings: GenerationSettings
) -> None:
    columns = [Prompt("fine_tuned", ids, 6), Prompt("base", ids, 9), Prompt("fine_tuned", others, 9)]
    together = said(sharp.streams, columns, settings)
    assert together == [said(sharp.streams, [column], settings)[0] for column in columns]
    assert together[0] != together[2][:6]


def test_the_seed_holds_where_a_column_ends_at_once_and_its_neighbour_uses_the_same_model(
    fast: ConvertedStreams, ids: list[int], others: list[int]
) -> None:
    """A thread that had drawn the first column's numbers would go on with them in the other one."""
    columns = [Prompt("base", ids, 1), Prompt("fine_tuned", ids, 1), Prompt("base", others, 4)]
    assert len({tuple(said(fast, columns, WARM)[2]) for _ in range(40)}) == 1


def test_a_seed_gives_the_same_tokens_again_and_another_one_others(models: Models, ids: list[int]) -> None:
    prompts = [Prompt(variant, ids, 12) for variant in VARIANTS]
    first = said(models.streams, prompts, WARM)
    said(models.streams, prompts, GREEDY)  # what is asked in between has no part in it
    assert said(models.streams, prompts, WARM) == first
    other = said(models.streams, prompts, WARM.model_copy(update={"seed": 2}))
    assert other[0] != first[0] and other[1] != first[1]


@pytest.mark.parametrize("temperature", [0.3, 0.8])
def test_sampled_tokens_are_as_likely_as_the_model_says(sharp: Models, ids: list[int], temperature: float) -> None:
    """Their log-probabilities add up to what is expected of the temperature, and to that of no other."""
    settings = GenerationSettings(temperature=temperature, seed=3)
    (answer,) = said(sharp.streams, [Prompt("fine_tuned", ids, 150)], settings)
    tokens = [sharp.variants.tokenizer.eos_token_id if token is None else token for token in answer]
    assert len(tokens) > 50
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


def test_one_token(models: Models, ids: list[int]) -> None:
    whole = said(models.streams, [Prompt(variant, ids, 3) for variant in VARIANTS])
    assert said(models.streams, [Prompt(variant, ids, 1) for variant in VARIANTS]) == [tokens[:1] for tokens in whole]


def test_an_answer_of_nothing(models: Models, variants: ModelVariants, ids: list[int], streams_of: StreamsOf) -> None:
    """The end token comes first, in one column or in both."""
    first = said(models.streams, [Prompt(variant, ids, 1) for variant in VARIANTS])
    end = first[0][0]
    assert end is not None and end != first[1][0]
    ending = streams_of(replace(variants, base=replace(variants.base, tokenizer=Ending(variants.tokenizer, end))))
    assert said(ending, [Prompt("base", ids, 5), Prompt("fine_tuned", ids, 1)]) == [[None], first[1]]
    assert said(ending, [Prompt("base", ids, 5), Prompt("base", ids, 1)]) == [[None], [None]]


def test_no_columns(models: Models) -> None:
    assert list(models.streams.decode([], GREEDY)) == []


def test_int8_is_named_and_differs(
    fast: ConvertedStreams, variants: ModelVariants, ids: list[int], lab: Settings
) -> None:
    quick = streams_for(variants, lab, "int8")
    assert (quick.precision, quick.name) == ("int8", fast.name.replace("float32", "int8"))
    assert len(said(quick, [Prompt("base", ids, 5)])[0]) == 5


def test_int8_is_refused_where_ctranslate2_does_not_run(
    variants: ModelVariants, lab: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ctranslate, "_MODEL_LOADERS", {})
    with pytest.raises(InputError, match=r"^toy on cpu has no int8 mode: ask in float32\.$"):
        streams_for(variants, lab, "int8")
    assert isinstance(streams_for(variants, lab), PlainStreams)
