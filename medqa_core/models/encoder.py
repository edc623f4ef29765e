"""A model that turns texts into vectors, so that texts alike in meaning lie close: the tokens' mean or first state."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from medqa_core.foundation import files
from medqa_core.foundation.errors import ModelError, UnreadableFile, shorten
from medqa_core.foundation.settings import Settings
from medqa_core.models import folders
from medqa_core.models.loader import loading, pick_device, weights_of
from medqa_core.models.locate import locate

Pooling = Literal["mean", "first"]
POOLING = Path("1_Pooling") / "config.json"
"""Where sentence-transformers keeps how the states of the tokens become one vector."""
BATCH = 32
MOST_TOKENS = 512
"""Of a longer text the beginning counts."""


@dataclass(frozen=True)
class Encoder:
    """A model ready to encode; one that several threads may use at once."""

    model: Any
    tokenizer: Any
    name: str
    sha256: str
    """Of the weights."""
    pooling: Pooling
    device: str

    def encode(self, texts: Sequence[str], advance: Callable[[int], object] = lambda _: None) -> np.ndarray:
        """Vectors of length 1, float32 of shape (texts, size of the model's states).

        Args:
            texts: read as they are, without a prefix; an empty one has a vector like any other.
            advance: called with how many are done, batch by batch.
        """
        found = np.zeros((len(texts), self.model.config.hidden_size), dtype=np.float32)
        order = sorted(range(len(texts)), key=lambda place: len(texts[place]))  # less padding
        for start in range(0, len(order), BATCH):
            places = order[start : start + BATCH]
            found[places] = self._batch([texts[place] or " " for place in places])
            advance(start + len(places))
        return found

    @torch.inference_mode()
    def _batch(self, texts: list[str]) -> np.ndarray:
        batch = self.tokenizer(
            texts, return_tensors="pt", padding=True, truncation=True, max_length=self._most, padding_side="right"
        ).to(self.device)
        mask = batch["attention_mask"]
        states = self.model(input_ids=batch["input_ids"], attention_mask=mask).last_hidden_state
        if self.pooling == "first":
            vectors = states[:, 0]
        else:
            vectors = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
        unit: np.ndarray = torch.nn.functional.normalize(vectors.float(), dim=1).cpu().numpy()
        return unit

    @property
    def _most(self) -> int:
        context = getattr(self.model.config, "max_position_embeddings", None) or MOST_TOKENS
        return int(min(MOST_TOKENS, context, self.tokenizer.model_max_length))


def load_encoder(name: str, settings: Settings) -> Encoder:
    """The encoder called `name`: a folder, or a model of the hub.

    A folder says in sentence-transformers' `1_Pooling/config.json` how states become a vector; without that file, and
    for hub models, it is the mean.

    Raises:
        InputError: the name is not usable.
        ModelUnavailable: not in the cache, and it cannot be fetched.
        ModelError: its files are missing, unsafe or damaged, or its pooling is another one.
    """
    located = locate(name, settings=settings)
    label, place = located.name, pick_device()
    with loading(label):
        tokenizer = AutoTokenizer.from_pretrained(str(located.folder), local_files_only=True, trust_remote_code=False)
        # A pooler sits on top of the states, which is where the vectors come from; many models are saved without it.
        model = weights_of(AutoModel, located.folder, label, spare="pooler")
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return Encoder(
        model.to(place).eval(),
        tokenizer,
        label,
        folders.weights_sha256(located.folder, label, settings.cache),
        _pooling(located.folder, label),
        place,
    )


def _pooling(folder: Path, label: str) -> Pooling:
    if not (folder / POOLING).is_file():
        return "mean"
    try:
        said = files.read_json(folder / POOLING)
    except UnreadableFile as error:
        raise ModelError(f"{label}: {error}") from error
    if not isinstance(said, dict):
        raise ModelError(f"{label}: {POOLING} does not hold a JSON object.")
    modes = {key for key, on in said.items() if on is True and key.startswith("pooling_mode_")}
    if modes == {"pooling_mode_cls_token"}:
        return "first"
    if modes in (set(), {"pooling_mode_mean_tokens"}):
        return "mean"
    raise ModelError(f"{label}: its pooling is {shorten(', '.join(sorted(modes)), 120)}; only mean and CLS are known.")
