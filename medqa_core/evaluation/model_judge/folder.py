"""A judge model loaded on this machine: nothing leaves it."""

from typing import Literal

import torch

from medqa_core.evaluation.model_judge.prompt import Request
from medqa_core.foundation.settings import Settings
from medqa_core.models.loader import load
from medqa_core.models.prompt import encode_prompt, kind_for

MOST_TOKENS = 48


class FolderJudge:
    """A chat model of a folder, the embedded one or a hub's, asked greedily."""

    where: Literal["folder"] = "folder"
    served: tuple[str, ...] = ()

    def __init__(self, name: str, settings: Settings) -> None:
        """Load it.

        Raises:
            InputError: the name is not usable.
            ModelError: it cannot be loaded.
        """
        self._loaded = load(name, settings=settings)
        self.name = self._loaded.name

    def reply(self, request: Request) -> str:
        """The model's reply; empty where the request is longer than what it can read."""
        tokenizer, model = self._loaded.tokenizer, self._loaded.model
        ids = encode_prompt(tokenizer, f"{request.instructions}\n\n{request.texts}", kind_for(tokenizer))
        if self._loaded.context is not None and len(ids) + MOST_TOKENS > self._loaded.context:
            return ""
        with torch.inference_mode():
            read = torch.tensor([ids], device=self._loaded.device)
            made = model.generate(
                read,
                attention_mask=torch.ones_like(read),
                max_new_tokens=MOST_TOKENS,
                do_sample=False,
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=[*self._loaded.ends],
            )
        text: str = tokenizer.decode(made[0, len(ids) :], skip_special_tokens=True)
        return text
