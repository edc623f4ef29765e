"""Answers cleaned; the pairs, their ids and the split stay."""

from dataclasses import replace

import pytest

from medqa_core.data import starter
from medqa_core.data.preparation import clean, cleaned, counts, data_for, samples
from medqa_core.data.split import split_pairs
from medqa_core.foundation.settings import Settings
from medqa_core.runs.schema.config import validated
from tests.support.qa_pairs import pair


@pytest.mark.parametrize(
    ("layout", "text", "steps"),
    [
        ("What are the signs of gout? A sore toe.", "A sore toe.", {"question"}),
        ("How might gout be treated? With rest.", "With rest.", {"question"}),
        ("Does milk help? No.", "Does milk help? No.", set()),
        ("Key Points\n- Gout hurts.\n- It passes.\nGout hurts.\nOften at night.",
         "- Gout hurts.\n- It passes.\nOften at night.", {"heading", "repeated"}),
        ("Key Points - Gout hurts.", "Gout hurts.", {"heading"}),
        ("Summary : Gout hurts.", "Gout hurts.", {"heading"}),
        ("Gout hurts.\nGout hurts. Often at night.", "Gout hurts. Often at night.", {"repeated"}),
        ("What is gout?", "What is gout?", set()),
    ],
)  # fmt: skip
def test_one_answer(layout: str, text: str, steps: set[str]) -> None:
    one = pair(1, topic="Gout", question="What are the symptoms of gout?", answer=" ".join(layout.split()))
    if "treated" in layout:
        one = replace(one, question="What are the treatments for gout?")
    found = clean(replace(one, layout=layout))
    assert found.text == text
    assert found.steps == (steps | {"lines"} if steps or text != layout else found.steps)


def test_every_pair_stays_and_the_split_with_it(lab: Settings) -> None:
    data = starter.load()
    echoing = tuple(replace(p, answer=f"{p.question} {p.answer}") for p in data.pairs)
    data = replace(data, pairs=echoing)
    prepared = cleaned(data)
    assert [p.id for p in prepared.pairs] == [p.id for p in data.pairs]
    assert [p.source_answer for p in prepared.pairs] == [p.answer for p in data.pairs]
    config = validated({"dataset": "starter"})
    assert split_pairs(prepared.pairs, config).hash == split_pairs(data.pairs, config).hash
    assert counts(data.pairs)["question"] > 0.9 * len(data.pairs)
    assert [one.before for one in samples(data.pairs, 3)] != [one.after for one in samples(data.pairs, 3)]
    assert clean(prepared.pairs[0]).text == prepared.pairs[0].answer, "cleaning twice is cleaning once"


def test_a_configuration_that_asks_for_nothing_gets_the_answers_as_they_are(lab: Settings) -> None:
    assert data_for(validated({}), lab) is starter_of(lab)
    assert data_for(validated({"preparation": "answers"}), lab) is cleaned(starter_of(lab))
    assert validated({"preparation": None}).preparation == "none"


def starter_of(lab: Settings):  # type: ignore[no-untyped-def]
    from medqa_core.data import sources

    return sources.load("starter", lab)
