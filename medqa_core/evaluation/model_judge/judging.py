"""Ask a judge model about a run's answers: both orders of every pair, kept reply by reply, so that it can resume."""

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from medqa_core.data.pairs import QAPair, references_of
from medqa_core.evaluation.evaluate import same_split
from medqa_core.evaluation.model_judge.address import AddressJudge
from medqa_core.evaluation.model_judge.folder import FolderJudge
from medqa_core.evaluation.model_judge.judge import Judge
from medqa_core.evaluation.model_judge.prompt import INSTRUCTIONS, Request, choice, request
from medqa_core.evaluation.partial import Partial
from medqa_core.evaluation.preference import judge_preference
from medqa_core.foundation.errors import InputError, ModelError
from medqa_core.foundation.files import dumps, sha256_text, write_json
from medqa_core.foundation.progress import StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.models.variants import VARIANTS, Variant
from medqa_core.runs.artifacts.manifest import discard_manifest
from medqa_core.runs.artifacts.model_judge import JUDGE, ModelJudge, write_judge_rows
from medqa_core.runs.run import Run

PARTIAL = ".judge.jsonl"
"""The replies so far, in the run folder; gone when all are there."""
STAGE = "judge_replies"
GIVE_UP = 10
"""So many replies in a row that cannot be used, and it is no judge."""
Order = Variant
"""An order is named after the model whose answer is shown first."""


@dataclass(frozen=True)
class Pair:
    """Two answers to one question, to be judged."""

    question: QAPair
    group_id: str
    references: tuple[str, ...]
    answers: dict[Variant, str]
    drawn: bool

    @property
    def identical(self) -> bool:
        """Whether both models gave the same answer: a tie that nobody need be asked about."""
        return self.answers["base"].strip() == self.answers["fine_tuned"].strip()

    def request(self, first: Order) -> Request:
        """What the judge is shown with this model's answer first."""
        second: Variant = "fine_tuned" if first == "base" else "base"
        return request(self.question.question, self.references, self.answers[first], self.answers[second])


@dataclass(frozen=True)
class Plan:
    """What will be asked."""

    pairs: tuple[Pair, ...]
    of: int
    """Test questions of the run."""

    @cached_property
    def requests(self) -> int:
        """Two a pair, none for identical answers."""
        return 2 * sum(not pair.identical for pair in self.pairs)

    @cached_property
    def characters(self) -> int:
        """That are sent in all; about four make a token of English."""
        return sum(pair.request(first).characters for pair in self.pairs if not pair.identical for first in VARIANTS)

    @property
    def fingerprint(self) -> str:
        """Of everything that is shown."""
        shown = [[pair.question.id, pair.request("base").texts] for pair in self.pairs]
        return sha256_text(dumps([INSTRUCTIONS, shown]))


def judge_of(settings: Settings) -> Judge:
    """The judge that the environment names; nothing is sent and an address is not tried.

    Raises:
        InputError: none is named, or it is not usable.
        ModelError: a model of this machine cannot be loaded.
    """
    if settings.judge is None:
        raise InputError(
            "no judge model is set: give an OpenAI-compatible address or a model folder.", field="MEDQA_JUDGE"
        )
    if "://" not in settings.judge:
        return FolderJudge(settings.judge, settings)
    if settings.judge_model is None:
        raise InputError("the address needs the name of one of its models.", field="MEDQA_JUDGE_MODEL")
    return AddressJudge(settings.judge, settings.judge_model, settings.judge_key)


def plan(run: Run, settings: Settings, questions: int | None = None) -> Plan:
    """The pairs to judge: the test questions, or some of them chosen at random, and those that people voted on.

    Raises:
        InputError: an imported run without weights, or one without answers.
        DataUnavailable: the data set is not available, or is not the one that the run was trained on.
    """
    pairs, parts = same_split(run, settings)
    rows = run.predictions()
    if rows is None:
        raise InputError(f"{run.id} has not been evaluated: there are no answers to judge.")
    answers = {str(row["question_id"]): row for row in rows.to_dict("records")}
    asked = [one for one in parts.test if one.id in answers and _answered(answers[one.id])]
    if not asked:
        raise InputError(f"{run.id} holds no answers to its test questions.")
    drawn = {one.id for one in asked}
    if questions is not None and questions < len(asked):
        drawn = set(random.Random(0).sample([one.id for one in asked], questions))
    voted = {vote.question_id for vote in run.snapshot().votes}
    kept = [one for one in asked if one.id in drawn or one.id in voted]
    references = references_of(kept, pairs)
    made = [
        Pair(one, str(answers[one.id]["group_id"]), known, _texts(answers[one.id]), one.id in drawn)
        for one, known in zip(kept, references, strict=True)
    ]
    return Plan(tuple(made), len(parts.test))


def _answered(row: dict[Any, Any]) -> bool:
    return all(isinstance(row[f"{variant}_answer"], str) for variant in VARIANTS)


def _texts(row: dict[Any, Any]) -> dict[Variant, str]:
    return {variant: str(row[f"{variant}_answer"]) for variant in VARIANTS}


def ask(run: Run, judge: Judge, planned: Plan, progress: StageProgress = silent) -> ModelJudge:
    """Ask `judge` about every pair in both orders; writes judge.parquet, then judge.json.

    An interrupted call resumes where it stopped: every reply is kept in the run folder, one that cannot be used as soon
    as a usable one follows: those for which a judge was given up are asked for again.

    Raises:
        ModelError: the judge cannot be asked, or says nothing that can be used.
    """
    began = time.monotonic()
    first = {"judge": judge.name, "where": judge.where, "asked": planned.fingerprint}
    with Partial(run.folder / PARTIAL, first) as partial:
        known: dict[tuple[str, Order], str | None] = {
            (row["question_id"], row["first"]): row["choice"] for row in partial.rows if "choice" in row
        }
        todo = [(pair, order) for pair, order in _requests(planned.pairs) if (pair.question.id, order) not in known]
        unsure: list[dict[str, Any]] = []
        for number, (pair, order) in enumerate(todo, 1):
            asked = time.monotonic()
            chosen = _preferred(judge.reply(pair.request(order)), order)
            reply = {"question_id": pair.question.id, "first": order, "choice": chosen}
            took = round(time.monotonic() - asked, 3)
            unsure.append({**reply, "seconds": took, "served": list(judge.served)})
            if chosen is not None:
                partial.add(unsure)
                unsure = []
            elif len(unsure) == GIVE_UP:
                raise ModelError(
                    f"The last {GIVE_UP} replies of {judge.name} do not say which answer is better: it is no judge. "
                    "Nothing of this is counted."
                )
            known[pair.question.id, order] = chosen
            progress(STAGE, planned.requests - len(todo) + number, planned.requests)
        # What interrupted calls took and who replied to them counts too.
        seconds = sum(row.get("seconds", 0.0) for row in partial.rows) + time.monotonic() - began
        earlier = [name for row in partial.rows for name in row.get("served", ())]
        served = tuple(dict.fromkeys([*earlier, *judge.served]))
    result, rows = _result(run, judge, planned, known, served, seconds)
    discard_manifest(run.folder)
    write_judge_rows(run.folder, rows)
    write_json(run.folder / JUDGE, result.model_dump(mode="json"))
    partial.discard()
    return result


def _requests(pairs: Sequence[Pair]) -> Iterator[tuple[Pair, Order]]:
    yield from ((pair, order) for pair in pairs if not pair.identical for order in VARIANTS)


def _preferred(reply: str, first: Order) -> str | None:
    shown = choice(reply)
    if shown in (None, "tie"):
        return shown
    second = "fine_tuned" if first == "base" else "base"
    return first if shown == "first" else second


def _result(
    run: Run,
    judge: Judge,
    planned: Plan,
    known: dict[tuple[str, Order], str | None],
    served: tuple[str, ...],
    seconds: float,
) -> tuple[ModelJudge, pd.DataFrame]:
    def column(order: Order) -> list[str | None]:
        return ["tie" if pair.identical else known[pair.question.id, order] for pair in planned.pairs]

    rows = pd.DataFrame(
        {
            "question_id": [pair.question.id for pair in planned.pairs],
            "group_id": [pair.group_id for pair in planned.pairs],
            "drawn": [pair.drawn for pair in planned.pairs],
            "base_first": column("base"),
            "fine_tuned_first": column("fine_tuned"),
        }
    )
    evaluation = run.evaluation()
    result = ModelJudge(
        model=judge.name,
        served=served,
        where=judge.where,
        prompt_sha256=sha256_text(INSTRUCTIONS),
        questions=int(rows["drawn"].sum()),
        of=planned.of,
        requests=planned.requests,
        unusable=int(rows[["base_first", "fine_tuned_first"]].isna().sum().sum()),
        base_sha256=evaluation.protocol.base_sha256 if evaluation else None,
        fine_tuned_sha256=evaluation.protocol.fine_tuned_sha256 if evaluation else None,
        preference=judge_preference(rows),
        seconds=round(seconds, 1),
    )
    return result, rows
