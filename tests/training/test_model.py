"""The trained model as it is saved."""

from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedModel

from medqa_core.foundation.settings import Settings
from medqa_core.runs.artifacts.weights import weights_file
from medqa_core.training.model import save
from tests.training.toy_state import toy, toy_state


def test_a_whole_model_is_one_file_however_large(
    lab: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers splits what is larger than 50 GB; here, as if that were a kilobyte."""
    saved = PreTrainedModel.save_pretrained

    def splitting(model: Any, folder: Path, *, max_shard_size: int = 1000, **options: Any) -> None:
        saved(model, folder, max_shard_size=max_shard_size, **options)

    monkeypatch.setattr(PreTrainedModel, "save_pretrained", splitting)
    folder = save(toy_state(lab, method="full").model, toy(lab), tmp_path, "full")
    assert [path.name for path in folder.glob("*.safetensors")] == ["model.safetensors"]
    assert weights_file(tmp_path) is not None
