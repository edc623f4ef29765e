"""Gradio's queue with our limit: only questions count, and a press of Stop is heard while they fill it."""

from typing import Any, Literal

import gradio as gr
from fastapi import Request
from gradio.data_classes import PredictBodyInternal
from gradio.queueing import Queue

from medqa_core.answering.admission import FULL, WAITING

MODELS = "models"
"""The line that all wait in who want an answer of the models."""
LET_IN = 20
"""Presses that may still come through after the page found a place for them and before they are in the line."""

Pushed = tuple[bool, str | list[dict[str, Any]], Literal["success", "error", "queue_full", "validator_error"]]
"""Whether it was taken, its id or why not, and which of these it is."""


class QuestionQueue(Queue):  # type: ignore[misc]  # gradio's types are not followed here
    """Refuses with our own words, and only what waits for the models: Gradio's limit would hold for Stop too."""

    def __init__(self, page: gr.Blocks) -> None:
        """The queue of this page; for `page.queue()` to be called before, which makes one of Gradio's own."""
        super().__init__(True, page.max_threads, 1, None, page, default_concurrency_limit=1)

    @property
    def waiting(self) -> int:
        """Questions in the line, without the one that is being answered."""
        line = self.event_queue_per_concurrency_id.get(MODELS)
        return len(line.queue) if line else 0

    async def push(self, body: PredictBodyInternal, request: Request, username: str | None) -> Pushed:
        """One more; over the API a refusal is a 503 with the sentence."""
        pressed = self.blocks.fns.get(-1 if body.fn_index is None else body.fn_index)
        if pressed is not None and pressed.concurrency_id == MODELS:
            most = WAITING if pressed.api_visibility == "public" else WAITING + LET_IN
            if self.waiting >= most:
                return False, FULL, "queue_full"
        pushed: Pushed = await super().push(body, request, username)
        return pushed
