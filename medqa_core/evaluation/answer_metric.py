"""The answers' scores in the form of Hugging Face's `evaluate`, without asking its hub for a script.

metric = AnswerMetric(keep_in_memory=True)
metric.compute(predictions=["a b"], references=[["a b", "c"]])["rougeL"]
"""

from collections.abc import Sequence

import datasets
import evaluate

from medqa_core.evaluation.text_metrics import answer_scores
from medqa_core.runs.schema.evaluation import ANSWER_SCORES


class AnswerMetric(evaluate.Metric):  # type: ignore[misc]  # evaluate has no types
    """Mean ROUGE-1, ROUGE-2, ROUGE-L and token F1 over all answers, each the best of its references."""

    def _info(self) -> evaluate.MetricInfo:
        text = datasets.Value("string")
        several = datasets.Features({"predictions": text, "references": datasets.Sequence(text)})
        one = datasets.Features({"predictions": text, "references": text})
        return evaluate.MetricInfo(
            description=self.__doc__ or "",
            citation="Lin (2004); Rajpurkar et al. (2016)",
            features=[several, one],
        )

    def _compute(self, predictions: Sequence[str], references: Sequence[str | Sequence[str]]) -> dict[str, float]:
        known = [[reference] if isinstance(reference, str) else reference for reference in references]
        scores = answer_scores(predictions, known)
        return {name: sum(one[name] for one in scores) / len(scores) for name in ANSWER_SCORES}
