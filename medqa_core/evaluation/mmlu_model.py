"""A loaded model as lm-evaluation-harness wants to ask it, fast on a CPU and able to go on where it was interrupted."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Any

from lm_eval.api.model import TemplateLM

from medqa_core.evaluation.continuations import Forward, Row, Tokens

Answer = tuple[float, bool]
"""As the harness wants it: log-likelihood in nats (NaN where it is no finite number), and whether it is greedy."""
Keep = Callable[[dict[str, Answer]], object]
"""Called after each batch with its answers by the key of their request."""


class HarnessModel(TemplateLM):  # type: ignore[misc]
    """Answers the harness's log-likelihood requests; `lm_eval`'s own HFLM gives the same numbers.

    Tokens are encoded, and a text that is too long is cut from the left, as HFLM does. No chat template is applied.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        max_length: int,
        known: Mapping[str, Answer] | None = None,
        keep: Keep = lambda _: None,
        progress: Callable[[int, int], object] = lambda *_: None,
    ) -> None:
        """Wrap a model in evaluation mode.

        Args:
            model: a causal language model.
            tokenizer: its tokenizer.
            max_length: the longest text that it reads, in tokens.
            known: answers of an earlier, interrupted call, which are not computed again.
            keep: called with each batch's answers.
            progress: called with how many requests are answered, and of how many.
        """
        super().__init__()
        self.tokenizer = tokenizer
        self._max_length = max_length
        self._forward = Forward(model)
        self._known = dict(known or {})
        self._keep = keep
        self._progress = progress
        self._answered = self._total = 0

    @property
    def eot_token_id(self) -> int:
        """The token that ends a text."""
        ended: int = self.tokenizer.eos_token_id
        return ended

    @property
    def prefix_token_id(self) -> int:
        """What an empty context stands for: the token that begins a text, else the one that ends it."""
        begun: int | None = self.tokenizer.bos_token_id
        return self.eot_token_id if begun is None else begun

    def tok_encode(self, string: str, add_special_tokens: bool | None = None, **_: Any) -> list[int]:
        """Token ids; a text that begins with the prefix token's text does not get that token twice."""
        if add_special_tokens is None and string.startswith(self.tokenizer.decode(self.prefix_token_id)):
            add_special_tokens = False
        options = {} if add_special_tokens is None else {"add_special_tokens": add_special_tokens}
        ids: list[int] = self.tokenizer.encode(string, **options)
        return ids

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = True) -> list[Answer]:
        """Answers in the order of `requests`; a task's requests are computed together, for they share a beginning."""
        self._answered, self._total = 0, len(requests)
        self._progress(0, self._total)
        answers: list[Answer] = []
        for _, of_task in groupby(requests, key=lambda request: request.task_name):
            answers += super().loglikelihood(list(of_task), disable_tqdm=True)
        return answers

    def _loglikelihood_tokens(self, requests: Sequence[tuple[Any, list[int], list[int]]], **_: Any) -> list[Answer]:
        pairs = [self._fitted(context, continuation) for _, context, continuation in requests]
        keys = [key_of(*pair) for pair in pairs]
        counts = Counter(keys)
        pending: dict[Tokens, dict[Tokens, None]] = {}
        for key, (context, continuation) in zip(keys, pairs, strict=True):
            if key not in self._known:
                pending.setdefault(context, {})[continuation] = None
        self._advance(sum(key in self._known for key in keys))
        rows = [Row(context, tuple(continuations)) for context, continuations in pending.items()]
        # Over all and not only the pending ones: a resumed call computes in the same batches as an uninterrupted one.
        beginning = common_beginning({tuple(context) for _, context, _ in requests})
        sharing: list[Row] = []
        cut: list[Row] = []  # a context that was cut has lost the beginning
        for row in rows:
            begins = len(row.context) > len(beginning) and row.context[: len(beginning)] == beginning
            (sharing if begins else cut).append(row)
        for group, shared in ((sharing, len(beginning)), (cut, 0)):
            for indices, found in self._forward.scores(group, shared):
                batch = {
                    key_of(group[index].context, continuation): (answer.total, answer.greedy)
                    for index, answers in zip(indices, found, strict=True)
                    for continuation, answer in zip(group[index].continuations, answers, strict=True)
                }
                self._known |= batch
                self._keep(batch)
                self._advance(sum(counts[key] for key in batch))
        return [self._known[key] for key in keys]

    def _fitted(self, context: list[int], continuation: list[int]) -> tuple[Tokens, Tokens]:
        """Both as tuples; the context is cut from the left where the model cannot read all of it.

        The continuation's last token is predicted and never read, hence the one token more than the model's limit.
        """
        room = self._max_length + 1 - len(continuation)
        assert continuation, "nothing to predict"
        assert room > 0, "a continuation is longer than the model can read"
        return tuple(context[-room:]), tuple(continuation)

    def _advance(self, count: int) -> None:
        self._answered += count
        self._progress(self._answered, self._total)

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Not asked for by MMLU."""
        raise NotImplementedError

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """Not asked for by MMLU."""
        raise NotImplementedError


def key_of(context: Tokens, continuation: Tokens) -> str:
    """A request's name in the file of finished ones."""
    return hashlib.sha256(json.dumps([context, continuation]).encode("ascii")).hexdigest()


def common_beginning(contexts: set[Tokens]) -> Tokens:
    """What all contexts begin with, short of the whole of the shortest; nothing where there are fewer than two."""
    if len(contexts) < 2:
        return ()
    first, last = min(contexts), max(contexts)  # in alphabetical order these two have the least in common
    most = min(map(len, contexts)) - 1
    return first[: next((place for place in range(most) if first[place] != last[place]), most)]
