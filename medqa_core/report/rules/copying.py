"""Answers that stand in the training answers already: how many, and whether more than the base model's do."""

from collections.abc import Iterator

import numpy as np

from medqa_core.foundation.format import p_value, percent, plural
from medqa_core.report.facts import Facts
from medqa_core.report.rules.insight import Insight
from medqa_core.report.statistics.trends import Test, sign
from medqa_core.report.views.copies import COPIED, NEAR, Copies, copies


def copied(facts: Facts) -> Iterator[Insight]:
    """The shares of copied, near-copied and novel answers, the base model's beside them as the control."""
    tuned, base = (copies(facts.predictions, variant) for variant in ("fine_tuned", "base"))
    if tuned is None:
        return
    test = _test(facts)
    more = 0.0 if base is None else (tuned.copied + tuned.near) / tuned.n - (base.copied + base.near) / base.n
    # Questions and groups can point different ways; then nothing is told.
    told_apart = test is not None and test.holds and test.statistic * more > 0
    rule = ("copied_more" if more > 0 else "copied_less") if told_apart else "copied"
    told = {
        "copied_more": "copies and near-copies together are more than the base model's",
        "copied_less": "copies and near-copies together are fewer than the base model's",
        "copied": "the difference between the two models is not significant",
    }[rule]
    sentence = f"Of {plural(tuned.n, 'fine-tuned answer')}, {_shares(tuned, ' of a training answer')}"
    if base is not None and test is not None:
        sentence += f"; of the base model's, which never saw these, {_shares(base)}: {told}"
    tested = f" (sign test over {plural(test.n, 'group')} that differ, {p_value(test.p)})" if test is not None else ""
    yield Insight(
        rule,
        f"{sentence}.",
        (
            f"predictions.parquet, fine_tuned_copied_share: {_rows(tuned)}",
            *([f"predictions.parquet, base_copied_share: {_rows(base)}"] if base is not None else []),
        ),
        f"{percent((tuned.copied + tuned.near) / tuned.n)} copied or near-copied{tested}",
        "the sign test gave p below 0.05" if rule == "copied" else "the sign test gave p of 0.05 or more",
    )


def _test(facts: Facts) -> Test | None:
    """McNemar's idea over groups: where exactly one model copies (or copies more of the group), which one is it?"""
    frame = facts.pairs("copied_share")
    if frame is None:
        return None
    both = frame.assign(change=(frame["fine_tuned"] >= NEAR).astype(int) - (frame["base"] >= NEAR).astype(int))
    change = both.groupby("group_id", sort=True)["change"].mean().to_numpy(dtype=np.float64)
    return sign(int((change > 0).sum()), int((change < 0).sum()))


def _shares(found: Copies, of: str = "") -> str:
    shares = [f"{count:,} ({percent(count / found.n)})" for count in found.counts]
    return f"{shares[0]} are copies{of}, {shares[1]} near-copies and {shares[2]} novel"


def _rows(found: Copies) -> str:
    at, below = percent(COPIED, 0), percent(NEAR, 0)
    return f"{found.copied:,} at {at} or more, {found.near:,} from {below}, {found.novel:,} below"
