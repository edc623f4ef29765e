"""Two runs' fine-tuned models judged against each other, from what their folders hold."""

from medqa_core.evaluation.between_runs import BetweenRuns, Measured, judge_runs
from medqa_core.evaluation.ways import Ways, judge_ways
from medqa_core.foundation.errors import InputError
from medqa_core.report.facts import Facts
from medqa_core.report.names import CONTROLS
from medqa_core.report.views.controls import control_views

ControlValues = dict[str, dict[str, tuple[float | None, float | None]]]
"""By control and metric: its value on the first run's test questions and on the second's."""


def between(first: Facts, second: Facts) -> BetweenRuns:
    """The second run against the first, on the test questions of both.

    Raises:
        InputError: a run has no answers, it is the same run, or their test questions are too different.
    """
    if first.run.folder == second.run.folder:
        raise InputError(f"{first.run.id} cannot be compared with itself.")
    primary = first.evaluation.primary_metric if first.evaluation else "loss"
    return judge_runs(_measured(first), _measured(second), primary)


def ways(first: Facts, second: Facts) -> Ways | None:
    """Answers from the weights and after reading, of a closed-book and an open-book run of one base; None of others.

    Raises:
        InputError: as `judge_ways`.
    """
    by_task = {one.record.questions.task: one for one in (first, second) if one.record.questions is not None}
    closed, read = by_task.get("closed_book"), by_task.get("open_book")
    if closed is None or read is None or _base(closed) != _base(read):
        return None
    return judge_ways(_measured(closed), _measured(read), (_most_tokens(closed), _most_tokens(read)))


def _base(facts: Facts) -> str | None:
    return facts.evaluation.protocol.base_sha256 if facts.evaluation else None


def _most_tokens(facts: Facts) -> int | None:
    decoding = facts.evaluation.protocol.decoding if facts.evaluation else None
    return decoding.max_new_tokens if decoding else None


def controls(first: Facts, second: Facts) -> ControlValues:
    """The answers without a model that either run was measured beside; empty where neither was."""
    ours, theirs = ({view.name: view.values for view in control_views(one)} for one in (first, second))
    values: ControlValues = {}
    for name in CONTROLS:
        a, b = ours.get(name, {}), theirs.get(name, {})
        if a or b:
            values[name] = {metric: (a.get(metric), b.get(metric)) for metric in {**a, **b}}
    return values


def _measured(facts: Facts) -> Measured:
    if facts.predictions is None:
        raise InputError(f"{facts.run.id} has no answers to compare: only runs evaluated here have them.")
    return Measured(facts.run.id, facts.record.data.source if facts.record.data else None, facts.predictions)
