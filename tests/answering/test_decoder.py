"""What every engine does, whichever it is: rows of any length and model, several tokens a step, some of them back."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from medqa_core.answering.decoder import Decoder, Logits, Prompt, read
from medqa_core.models.variants import ModelVariants, Variant

pytestmark = pytest.mark.usefixtures("no_network")


def after(variants: ModelVariants, variant: Variant, ids: Sequence[int]) -> Logits:
    """(vocabulary): the model's own logits after these tokens."""
    with torch.inference_mode(), variants.using(variant) as model:
        found: Logits = model(input_ids=torch.tensor([list(ids)])).logits[0, -1].numpy()
    return found


def close(found: Logits, expected: Logits) -> bool:
    return bool(np.allclose(found, expected, atol=1e-4))


@pytest.fixture
def unlike(ids: list[int], others: list[int]) -> list[Prompt]:
    """Four prompts: three tokens to some 260, both models."""
    return [
        Prompt("fine_tuned", ids[:3]),
        Prompt("base", others * 10),
        Prompt("fine_tuned", others),
        Prompt("base", ids),
    ]


def test_rows_of_any_length_and_model(decoder: Decoder, variants: ModelVariants, unlike: list[Prompt]) -> None:
    batch = read(decoder, unlike)
    first = batch.logits()
    assert first.shape == (4, variants.base.model.config.vocab_size) and first.dtype == np.float32
    for row, prompt in enumerate(unlike):
        assert close(first[row], after(variants, prompt.variant, prompt.ids))
    found = batch.step([[7, 8], [9, 10], [11, 12], [13, 14]])
    for row, prompt in enumerate(unlike):
        assert close(found[row, 0], after(variants, prompt.variant, [*prompt.ids, 7 + 2 * row]))
        assert close(found[row, 1], after(variants, prompt.variant, [*prompt.ids, 7 + 2 * row, 8 + 2 * row]))


@pytest.mark.parametrize("rows", [[3, 2, 1, 0], [2], [1, 3], [0, 2], [3, 0, 1]], ids=str)
def test_rows_are_kept_in_the_order_that_is_asked(
    decoder: Decoder, variants: ModelVariants, unlike: list[Prompt], rows: list[int]
) -> None:
    batch = read(decoder, unlike)
    batch.step([[5, 6]] * 4)
    batch.keep(rows)
    found = batch.step([[20 + row] for row in rows])
    assert len(found) == len(rows)
    for place, row in enumerate(rows):
        tail = [5, 6, 20 + row]
        assert close(found[place, 0], after(variants, unlike[row].variant, unlike[row].ids + tail))
    batch.keep(range(len(rows) - 1, -1, -1))  # and once more, turned round
    last = batch.step([[30]] * len(rows))
    for place, row in enumerate(reversed(rows)):
        tail = [5, 6, 20 + row, 30]
        assert close(last[place, 0], after(variants, unlike[row].variant, unlike[row].ids + tail))


def test_prompts_are_read_in_parts_and_only_as_far_as_asked(decoder: Decoder, unlike: list[Prompt]) -> None:
    batch = decoder.start(unlike)
    assert batch.read()
    while batch.read():
        pass
    assert not batch.read()  # asked once more


def test_what_the_decoder_is_called(decoder: Decoder) -> None:
    assert decoder.name.split(" ")[0] in ("OpenVINO", "transformers")
    assert all(part.isdigit() for part in decoder.name.split(" ")[1].split(".")[:2])
    assert decoder.precision == "float32"
