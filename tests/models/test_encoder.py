"""Texts as vectors: alone or in a batch the same, padded or not, and files that are none refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.settings import Settings
from medqa_core.models import toy
from medqa_core.models.encoder import load_encoder

TEXTS = ["What is asthma?", "", "Gout " * 90, "Influenza comes in winter and passes by itself in most people."]


@pytest.fixture
def folder(lab: Settings, tmp_path: Path) -> Path:
    """A copy of the toy, which is as good an encoder as any for this."""
    return Path(shutil.copytree(toy.ensure(lab.cache), tmp_path / "encoder"))


def pooled(folder: Path, said: object) -> None:
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(said))


def test_a_text_has_one_vector_of_length_one_whatever_is_beside_it(lab: Settings) -> None:
    encoder = load_encoder("toy", lab)
    together = encoder.encode(TEXTS)
    alone = np.concatenate([encoder.encode([text]) for text in TEXTS])
    assert together.shape == (len(TEXTS), 64) and together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert not np.allclose(together[0], together[3], atol=0.01)


def test_the_first_state_where_the_folder_says_so(lab: Settings, folder: Path) -> None:
    mean = load_encoder(str(folder), lab)
    pooled(folder, {"word_embedding_dimension": 64, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False})
    first = load_encoder(str(folder), lab)
    assert (mean.pooling, first.pooling) == ("mean", "first")
    same_start = first.encode(["What is asthma?", "What is anemia, and why?"])
    np.testing.assert_allclose(same_start[0], same_start[1], atol=1e-5)  # a causal model's first state sees one token
    other_start = mean.encode(["What is asthma?", "What is anemia, and why?"])
    assert not np.allclose(other_start[0], other_start[1], atol=0.01)


@pytest.mark.parametrize("said", [{"pooling_mode_max_tokens": True}, [], {"pooling_mode_lasttoken": True}])
def test_another_pooling_is_refused(lab: Settings, folder: Path, said: object) -> None:
    pooled(folder, said)
    with pytest.raises(ModelError):
        load_encoder(str(folder), lab)


def test_damaged_weights_are_one_sentence(lab: Settings, folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x08" + bytes(40))
    with pytest.raises(ModelError, match=r"damaged|cannot be loaded") as refused:
        load_encoder(str(folder), lab)
    assert "\n" not in str(refused.value)


def test_progress(lab: Settings) -> None:
    seen: list[int] = []
    load_encoder("toy", lab).encode(["a"] * 40, seen.append)
    assert seen == [32, 40]
