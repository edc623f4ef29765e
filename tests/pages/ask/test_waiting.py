"""The widget's queue: what fills it, what it says then, and what it lets through all the same."""

import asyncio
from types import SimpleNamespace
from typing import Any

from medqa_core.answering.admission import FULL, WAITING


def test_only_questions_fill_the_queue_and_stop_is_heard_while_they_do() -> None:
    from gradio.block_function import BlockFunction
    from gradio.data_classes import PredictBodyInternal

    from pages.ask.waiting import LET_IN, MODELS, QuestionQueue

    def function(number: int, line: str, visibility: Any) -> BlockFunction:
        return BlockFunction(
            print, [], [], True, True, None, number, "normal", [], concurrency_id=line, api_visibility=visibility
        )

    api, press, stop = function(0, MODELS, "public"), function(1, MODELS, "private"), function(2, "stop", "private")

    async def pushes() -> None:
        page: Any = SimpleNamespace(max_threads=1, fns={0: api, 1: press, 2: stop})
        queue = QuestionQueue(page)

        async def push(fn: int) -> tuple[Any, ...]:
            body = PredictBodyInternal(data=[], fn_index=fn, session_hash=None, request=None)
            return await queue.push(body, SimpleNamespace(), None)  # type: ignore[arg-type]

        assert queue.waiting == 0
        for _ in range(WAITING):
            assert (await push(0))[0]
        assert queue.waiting == WAITING and await push(0) == (False, FULL, "queue_full")
        for _ in range(LET_IN):
            assert (await push(1))[0], "a press that was let in is not refused a moment later"
        assert await push(1) == (False, FULL, "queue_full")
        assert (await push(2))[0] and queue.waiting == WAITING + LET_IN

    asyncio.run(pushes())
