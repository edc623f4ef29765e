"""Passages ranked by how close their meaning is to the question's: the cosine of an embedding model's vectors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medqa_core.answering.retrieval.passages import Passage, best
from medqa_core.foundation.errors import ModelError
from medqa_core.foundation.files import dumps, sha256_text
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.build_cache import get_or_build
from medqa_core.models.encoder import Encoder

RECIPE = "embeddings/1"
"""Counts up when the vectors of the same texts by the same model change."""
VECTORS = "vectors.npy"


class Embeddings:
    """The vectors of passages (see Retriever), computed once and kept in the cache."""

    name = "embeddings"
    least_match = 0.0
    """No model comes with the project, so none was measured: whatever points the question's way counts as found."""

    def __init__(
        self,
        passages: Sequence[Passage],
        encoder: Encoder,
        settings: Settings,
        progress: StageProgress = silent,
    ) -> None:
        """Encodes the passages unless they were before, which takes minutes for some thousand of them.

        Raises:
            ModelError: the cache folder cannot be written.
        """
        self.passages = tuple(passages)
        self.method = (
            f"embeddings of {encoder.name} (SHA-256 {encoder.sha256[:12]}), {encoder.pooling} pooling, cosine, "
            "over topic, question and passage"
        )
        self._encoder = encoder
        texts = [passage.searched for passage in self.passages]
        key = sha256_text(dumps([encoder.sha256, encoder.pooling, texts]))

        def fill(folder: Path) -> dict[str, Any]:
            vectors = encoder.encode(texts, lambda done: progress("passages read", done, len(texts)))
            np.save(folder / VECTORS, vectors, allow_pickle=False)
            return {"model": encoder.name, "passages": len(texts)}

        folder = get_or_build(settings.cache / "embeddings" / key[:32], RECIPE, fill)
        try:
            self._vectors = np.load(folder / VECTORS, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ModelError(f"The kept embeddings are damaged; delete {folder} to make them anew.") from error

    def search(self, question: str, k: int = 3) -> list[Passage]:
        """See Retriever. What points away from the question is not given."""
        if not question.strip() or not self.passages:
            return []
        return best(self.passages, self._vectors @ self._encoder.encode([question])[0], k)

    def match(self, question: str, passage: Passage) -> float:
        """See Retriever: the cosine, of a passage that a search found for this question."""
        return min(1.0, max(0.0, passage.score))
