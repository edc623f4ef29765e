"""What kind of gain a fine-tune brought: form (how answers are phrased), content (what they say), both or none.

Text that the training answers share across topics, and whatever a control without a model reaches as well, is form.
Content is gained where answers share more of the words with their references that are neither template nor the
question's own (content F1), or where the model predicts the text outside templates better and takes more from the
question's topic (topic information). A gain in loss or wording without that is one of form. Beside a gain in content
there is one of form too where the whole text gained more than the text outside templates, or a control is not beaten.
"""

from collections.abc import Mapping
from typing import Literal

from medqa_core.report.names import LOSS, WORDING
from medqa_core.report.views.metric import MetricView
from medqa_core.runs.schema.evaluation import Verdict

Gain = Literal["form", "content", "both", "none"]
Views = Mapping[str, MetricView]

MATTERS = {"loss": 0.02, "rougeL": 0.01, "token_f1": 0.01}
"""How much more the whole text must gain than the text outside templates to be a gain in form, in the metric's unit."""


def first(metrics: Views, family: tuple[str, ...]) -> MetricView | None:
    """The first metric of a family that was compared."""
    return next((metrics[name] for name in family if name in metrics and metrics[name].compared), None)


def content(metrics: Views) -> Verdict | None:
    """The verdict on content; None where it was not measured, `cannot tell` where its metrics contradict each other."""
    words, topic, outside = (
        _verdict(metrics, n) for n in ("content_f1", "topic_information", "loss_outside_templates")
    )
    if words is None and topic is None:
        return None
    better = words == "better" or (topic == "better" and outside == "better")
    worse = "worse" in (words, topic)
    if better or worse:
        return "cannot tell" if better and worse else "better" if better else "worse"
    return "equivalent" if words == "equivalent" else "cannot tell"


def gain(metrics: Views, control_unbeaten: bool = False) -> Gain | None:
    """What kind of gain over the base model; None where there is one and content was not measured.

    Args:
        metrics: the fine-tuned model against the base model.
        control_unbeaten: whether a control reaches the fine-tuned model's wording.
    """
    gained = any(
        found is not None and found.verdict == "better" for found in (first(metrics, LOSS), first(metrics, WORDING))
    )
    said = content(metrics)
    if said == "better":
        return "both" if gained and (control_unbeaten or _form(metrics)) else "content"
    if not gained:
        return "none"
    return None if said is None else "form"


def _form(metrics: Views) -> bool:
    """Whether the whole text gained more than that outside templates."""
    for name, least in MATTERS.items():
        whole, outside = metrics.get(name), metrics.get(f"{name}_outside_templates")
        if whole is None or outside is None or whole.verdict != "better":
            continue
        if whole.difference is not None and outside.difference is not None:
            sign = -1 if whole.spec.lower_is_better else 1
            if sign * (whole.difference - outside.difference) >= least:
                return True
    return False


def _verdict(metrics: Views, name: str) -> Verdict | None:
    return metrics[name].verdict if name in metrics and metrics[name].compared else None
