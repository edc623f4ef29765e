"""The search by meaning: the nearest vectors first, computed once and kept."""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from medqa_core.answering.retrieval.embeddings import VECTORS, Embeddings
from medqa_core.answering.retrieval.passages import Passage, passages_of
from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.settings import Settings
from medqa_core.models.encoder import Encoder
from tests.support.qa_pairs import pair

MEANINGS = {"gout": (1, 0), "joint": (0.9, 0.1), "asthma": (0, 1), "lung": (0.1, 0.9), "nothing": (-1, -1)}
GOUT = pair(1, topic="Gout", question="Gout?", answer="Ice eases it.")
ASTHMA = pair(2, topic="Asthma", question="Asthma?", answer="It narrows airways.")


class ByKnownWord:
    """Encodes a text as the meaning of the first word that it knows."""

    name, sha256, pooling = "by known word", "0" * 64, "mean"

    def __init__(self) -> None:
        self.encoded: list[str] = []

    def encode(self, texts: list[str], advance: Any = lambda _: None) -> np.ndarray:
        self.encoded += texts
        known = [next(v for word, v in MEANINGS.items() if word in text.lower()) for text in texts]
        advance(len(texts))
        vectors = np.array(known, dtype=np.float32).reshape(-1, 2)
        unit: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return unit


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(reports=tmp_path / "reports", cache=tmp_path / "cache", medquad=None, mmlu=None, public=False)


def index(settings: Settings, encoder: ByKnownWord, *passages: Passage) -> Embeddings:
    return Embeddings(passages or passages_of([ASTHMA, GOUT]), cast("Encoder", encoder), settings)


def test_the_nearest_meaning_comes_first_without_a_common_word(settings: Settings) -> None:
    best, second = index(settings, ByKnownWord()).search("My joint hurts")
    assert (best.question_id, second.question_id) == (GOUT.id, ASTHMA.id)
    assert best.score == pytest.approx(0.9 / np.hypot(0.9, 0.1))
    assert [one.question_id for one in index(settings, ByKnownWord()).search("lung", 1)] == [ASTHMA.id]


def test_nothing_is_found_for_nothing_or_in_the_other_direction(settings: Settings) -> None:
    found = index(settings, ByKnownWord())
    assert found.search(" ") == []
    assert found.search("nothing") == []
    assert found.search("gout", 0) == []


def test_passages_are_encoded_once_and_kept(settings: Settings) -> None:
    first, second = ByKnownWord(), ByKnownWord()
    index(settings, first)
    index(settings, second)
    assert (len(first.encoded), second.encoded) == (2, [])
    changed = [replace(passage, text="Another gout.") for passage in passages_of([GOUT])]
    index(settings, second, *changed)
    assert len(second.encoded) == 1


def test_another_model_or_pooling_encodes_anew(settings: Settings) -> None:
    index(settings, ByKnownWord())
    other = ByKnownWord()
    other.pooling = "first"
    index(settings, other)
    assert len(other.encoded) == 2


def test_damaged_vectors_are_said_and_never_unpickled(settings: Settings) -> None:
    index(settings, ByKnownWord())
    (kept,) = settings.cache.glob(f"embeddings/*/{VECTORS}")
    size = kept.stat().st_size
    kept.write_bytes(b"\x80\x04" + bytes(size - 2))  # a pickle's beginning, as long as what was there
    with pytest.raises(ModelError, match="delete"):
        index(settings, ByKnownWord())


def test_progress_and_no_passages(settings: Settings) -> None:
    seen: list[tuple[str, int, int]] = []
    Embeddings(passages_of([GOUT, ASTHMA]), cast("Encoder", ByKnownWord()), settings, lambda *step: seen.append(step))
    assert seen == [("passages read", 2, 2)]
    assert Embeddings([], cast("Encoder", ByKnownWord()), settings).search("gout") == []
