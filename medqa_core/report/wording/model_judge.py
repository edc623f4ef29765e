"""What a judge model says, in words: never without whether people agree with it and what its order of reading does."""

from medqa_core.foundation.format import count, number, percent, plural
from medqa_core.report.names import MODELS
from medqa_core.report.views.model_judge import JudgeView

_LEAD = {
    "better": "prefers the fine-tuned model’s answers",
    "worse": "prefers the base model’s answers",
    "equivalent": "prefers neither model’s answers",
    "cannot tell": "does not clearly prefer either model’s answers",
}


def sentence(view: JudgeView) -> str:
    """Whose answers it prefers, with the interval of the difference."""
    metric = view.result.preference
    if metric.difference is None or metric.ci is None:
        why = f" {metric.reason}" if metric.reason else ""
        return f"The judge model {view.result.model} tells nothing about these answers.{why}"
    low, high = (number(bound * 100, 1) for bound in metric.ci)
    return (
        f"The judge model {view.result.model} {_LEAD[metric.verdict]} on content: the fine-tuned model wins "
        f"{percent(metric.fine_tuned)} of {plural(metric.n or 0, 'question')}, the base model {percent(metric.base)} "
        f"(difference {number(metric.difference * 100, 1)} [{low}, {high}] points; a tie counts half for both)."
    )


def notes(view: JudgeView) -> list[str]:
    """What it is worth; a sentence each, the weightiest first."""
    return [line for line in (_votes(view), _position(view), *_others(view)) if line]


def _votes(view: JudgeView) -> str:
    if not view.agreement.n:
        return "No blind vote supports this: nobody has voted on a test question that the judge decided."
    kappa = "" if view.kappa is None else f", Cohen’s kappa {number(view.kappa, 2)} with ties"
    about = (
        f"it agrees with {count(view.agreement.hits)} of {plural(view.agreement.n, 'decided blind vote')}, "
        f"{percent(view.agreement.share)}{kappa}."
    )
    if view.supported:
        return f"People’s votes support it: {about}"
    if view.agreement.against_half == "worse":
        return f"People’s votes contradict it: {about}"
    return f"People’s votes do not support it yet: {about}"


def _position(view: JudgeView) -> str:
    judged = view.base + view.fine_tuned + view.tie
    if not view.changed:
        return f"Shown both orders of {plural(judged, 'pair')}, it never followed the order."
    lean = {
        "better": "It is biased towards the answer that stands first",
        "worse": "It is biased towards the answer that stands second",
    }.get(view.position.against_half, "No bias towards first or second is significant")
    return (
        f"On {count(view.changed)} of {plural(judged, 'question')} ({percent(view.changed / judged)}) it preferred "
        f"whatever stood in one place; they count as ties. {lean}: first on {percent(view.position.share)} of these."
    )


def _others(view: JudgeView) -> list[str]:
    result, lines = view.result, []
    if result.questions < result.of:
        lines.append(f"{count(result.questions)} of {count(result.of)} test questions, chosen at random.")
    if result.unusable:
        lines.append(f"{plural(result.unusable, 'reply', 'replies')} of {count(result.requests)} could not be used.")
    if result.served and result.served != (result.model,):
        lines.append(f"The server says that it is {', '.join(result.served)}.")
    if view.older:
        lines.append("It judged answers of other weights than those evaluated now: ask it again.")
    lines.append("A judge model is a model: it decides no headline and no primary metric.")
    return lines


def choice_rows(view: JudgeView) -> list[tuple[str, int]]:
    """What a table shows of the sample."""
    return [
        (f"{MODELS['fine_tuned']} answer preferred", view.fine_tuned),
        (f"{MODELS['base']} answer preferred", view.base),
        ("tie", view.tie - view.changed),
        ("followed the order", view.changed),
    ]
