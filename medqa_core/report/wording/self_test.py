"""What the self-test says to a person."""

from medqa_core.report.names import MODELS
from medqa_core.runs.schema.self_test import Failure, Problem, SelfTest


def sentence(test: SelfTest) -> str:
    """What was compared, and what came of it."""
    if test.problem is not None:
        return f"Failed: {_problem(test, test.problem)}."
    proven = (
        f"On {test.questions} questions the base column's logits equal, bit for bit, those of {test.base_model} "
        "loaded afresh without any adapter; the fine-tuned column's do not."
    )
    if test.tokens is None:
        return f"{proven} What answers now is their {test.precision} copy, whose tokens may differ."
    same = f"{test.engine}, which answers here, gives the same first {test.tokens} tokens as they do"
    alike = "" if test.columns_differ else "; these are the same in both columns and cannot tell one from the other"
    return f"{proven} {same}{alike}."


def _problem(test: SelfTest, problem: Problem) -> str:
    where = f" ({problem.question})" if problem.question else ""
    if problem.failure is Failure.OTHER_TOKENS and problem.variant is not None:
        return f"{test.engine} does not give the answers of the {MODELS[problem.variant]} weights{where}"
    return f"{problem.failure.value}{where}"
