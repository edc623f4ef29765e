"""What our model tells the harness is what lm_eval's own HFLM tells it, in fewer passes."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from lm_eval.models.huggingface import HFLM

from medqa_core.evaluation import continuations, mmlu_data
from medqa_core.evaluation.continuations import Forward, Row, batches
from medqa_core.evaluation.mmlu_model import HarnessModel, common_beginning
from medqa_core.evaluation.mmlu_tasks import Ask, quiet, tasks
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import LoadedModel, load
from tests.support.mmlu_folder import write_mmlu

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(scope="module")
def toy(lab: Settings) -> LoadedModel:
    return load("toy", settings=lab, device="cpu")


@pytest.fixture(scope="module")
def asked(lab: Settings, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[Any]]:
    """The harness's requests of all six subsets."""
    settings = replace(lab, mmlu=write_mmlu(tmp_path_factory.mktemp("mmlu")))

    def build(ask: Ask, shots: int) -> list[Any]:
        built = tasks(mmlu_data.load(settings, shots), ask, shots)
        with quiet():
            for task in built.values():
                task.build_all_requests()
        return [request for task in built.values() for request in task.instances]

    return build


def theirs(model: Any, tokenizer: Any, max_length: int, requests: list[Any]) -> list[tuple[float, bool]]:
    with warnings.catch_warnings(), quiet():
        warnings.simplefilter("ignore")
        own = HFLM(
            pretrained=model, tokenizer=tokenizer, backend="causal", max_length=max_length, device="cpu", batch_size=3
        )
        answers: list[tuple[float, bool]] = own.loglikelihood(requests, disable_tqdm=True)
    return answers


def assert_same(ours: list[tuple[float, bool]], wanted: list[tuple[float, bool]]) -> None:
    assert len(ours) == len(wanted)
    assert [nats for nats, _ in ours] == pytest.approx([nats for nats, _ in wanted], abs=1e-4)
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in wanted]


@pytest.mark.parametrize("scoring", ["letter", "cloze"])
@pytest.mark.parametrize("shots", [0, 5])
@pytest.mark.parametrize("max_length", [1024, 60])
def test_the_same_as_the_harness_s_own(
    toy: LoadedModel, asked: Callable[..., list[Any]], scoring: Ask, shots: int, max_length: int
) -> None:
    requests = asked(scoring, shots)
    model = HarnessModel(toy.model, toy.tokenizer, max_length)
    found = model.loglikelihood(requests)
    assert model._forward._packed
    assert_same(found, theirs(toy.model, toy.tokenizer, max_length, requests))


def test_one_pass_reads_all_letters_of_many_questions(
    toy: LoadedModel, asked: Callable[..., list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    read = 0
    call = toy.model.forward

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal read
        read += options["input_ids"].numel()
        return call(*arguments, **options)

    monkeypatch.setattr(toy.model, "forward", counted)
    requests = asked("letter", 5)
    HarnessModel(toy.model, toy.tokenizer, 1024).loglikelihood(requests)
    plain = sum(len(toy.tokenizer.encode(request.args[0])) for request in requests)
    assert read < plain / 8


@pytest.mark.parametrize("kind", ["gpt2", "bloom", "mistral"])
def test_other_architectures(toy: LoadedModel, asked: Callable[..., list[Any]], kind: str) -> None:
    """Positions that are learned; positions read off the mask; a window that a mask of ours would undo."""
    size = len(toy.tokenizer)
    made: dict[str, tuple[Any, bool]] = {
        "gpt2": (transformers.GPT2Config(vocab_size=size, n_embd=32, n_layer=2, n_head=4, n_positions=1024), True),
        "bloom": (transformers.BloomConfig(vocab_size=size, hidden_size=32, n_layer=2, n_head=4), False),
        "mistral": (
            transformers.MistralConfig(
                vocab_size=size, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                num_key_value_heads=2, sliding_window=16, pad_token_id=0,
            ),
            False,
        ),
    }  # fmt: skip
    config, packs = made[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        for parameter in model.parameters():  # as made they are so small that attention hardly matters
            parameter.data.mul_(4)
    requests = asked("cloze", 0)[:32]
    ours = HarnessModel(model, toy.tokenizer, 512)
    found = ours.loglikelihood(requests)
    assert ours._forward._packed is packs
    assert_same(found, theirs(model, toy.tokenizer, 512, requests))


def test_a_model_that_fell_apart_answers_nan(toy: LoadedModel) -> None:
    from copy import deepcopy

    model = deepcopy(toy.model)
    model.get_input_embeddings().weight.data.fill_(float("nan"))
    [(_, [answers])] = list(Forward(model).scores([Row((5, 6, 7), ((8,), (9, 10)))]))
    assert [str(answer.total) for answer in answers] == ["nan", "nan"]


def test_no_rows(toy: LoadedModel) -> None:
    assert list(Forward(toy.model).scores([])) == []


def test_batches_stay_within_both_budgets() -> None:
    found = list(batches([600, 500, 500, 10, 10], [0, 0, 0, 500, 0], 0))
    assert [list(batch) for batch in found] == [[0], [1, 2], [3, 4]]
    assert [place for batch in batches([5000, 3], [0, 0], 0) for place in batch] == [0, 1]
    shared = continuations.CACHE_BUDGET // 2
    assert [len(batch) for batch in batches([9] * 4, [0] * 4, shared)] == [1] * 4


@pytest.mark.parametrize(
    ("contexts", "found"),
    [
        ([(1, 2, 3)], ()),
        ([], ()),
        ([(1, 2, 3), (1, 2, 4), (1, 2)], (1,)),
        ([(1, 2, 3, 4), (1, 2, 9, 4)], (1, 2)),
        ([(1,), (2,)], ()),
    ],
)
def test_what_contexts_begin_with(contexts: list[tuple[int, ...]], found: tuple[int, ...]) -> None:
    assert common_beginning(set(contexts)) == found


def test_the_starting_token_is_not_doubled(toy: LoadedModel) -> None:
    model = HarnessModel(toy.model, toy.tokenizer, 1024)
    assert model.prefix_token_id == model.eot_token_id == toy.tokenizer.eos_token_id
    assert model.tok_encode("<|end|>gout") == [toy.tokenizer.eos_token_id, *model.tok_encode("gout")]


def test_nothing_else_can_be_asked(toy: LoadedModel, tmp_path: Path) -> None:
    model = HarnessModel(toy.model, toy.tokenizer, 1024)
    for ask in (model.loglikelihood_rolling, model.generate_until):
        with pytest.raises(NotImplementedError):
            ask([])
