"""What a reader needs to know before choosing int8."""

from medqa_core.foundation.format import NOT_A_NUMBER, percent, signed, words
from medqa_core.report.names import MODELS
from medqa_core.runs.artifacts.int8 import Int8Cost


def sentence(cost: Int8Cost, engine: str | None = None) -> str:
    """What 8-bit weights change for both models, with the interval of what can be seen of it in the wording.

    Args:
        cost: what was measured.
        engine: what answers now, where a reader may take the figures for those of its answers.
    """
    said = []
    for name, variant in ((MODELS["base"], cost.base), (MODELS["fine_tuned"], cost.fine_tuned)):
        rouge = variant.rougeL
        loss = NOT_A_NUMBER if variant.loss is None else signed(variant.loss.difference, 4)
        interval = f" [{signed(rouge.ci[0])}, {signed(rouge.ci[1])}]" if rouge.ci else ""
        said.append(
            f"{name}: {percent(variant.same, 0)} of the answers the same, "
            f"ROUGE-L {signed(rouge.difference)}{interval}, loss {loss}"
        )
    asked = f"{cost.questions} test questions" + (", answered from passages" if cost.passages else "")
    found = f"Int8 against float32 on {asked}. {'; '.join(said)}."
    if engine is None or engine == cost.engine:
        return found
    return f"{found} Measured with {words(cost.engine, 80)}; {engine} answers now."
