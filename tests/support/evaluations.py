"""Evaluations made by hand: one that the write-up's rules are tried on, and the one that pages show."""

from typing import Any

from medqa_core.runs.schema.evaluation import Evaluation


def metric(base: float | None, tuned: float | None, half: float, verdict: str, **more: Any) -> dict[str, Any]:
    """One metric with an interval of ± `half`."""
    difference = None if base is None or tuned is None else tuned - base
    ci = None if difference is None else [difference - half, difference + half]
    values = {"base": base, "fine_tuned": tuned, "difference": difference, "ci": ci, "level": 0.95, "n": 60}
    return {**values, "groups": 30, "p": 0.001, "verdict": verdict, "min_detectable_effect": half, **more}


def evaluation(**changes: Any) -> dict[str, Any]:
    """The whole of an evaluation.json: better on loss and ROUGE-L, cannot tell on MMLU."""
    variant = {"empty_share": 0.0, "mean_tokens": 40.0, "seconds": 30.0, "prompt": "chat"}
    return {
        "schema_version": 2,
        "primary_metric": "loss",
        "metrics": {
            "loss": metric(2.4301, 2.0181, 0.05, "better"),
            "perplexity": metric(11.36, 7.52, 0.5, "better"),
            "rougeL": metric(0.15, 0.204, 0.0315, "better"),
            "mmlu": metric(0.25, 0.26, 0.02, "cannot tell", p=0.4, n=1089),
        },
        "by_question_type": {
            "symptoms": {"loss": metric(2.5, 2.0, 0.1, "better", n=30)},
            "treatment": {"loss": metric(2.4, 2.1, 0.15, "better", n=25)},
            "rare": {"loss": metric(2.4, 1.0, 0.1, "better", n=5)},
        },
        "base_generation": variant | {"empty_share": 0.12, "length_ratio": 0.6},
        "fine_tuned_generation": variant | {"length_ratio": 0.9},
        "protocol": {"decoding": {"max_new_tokens": 128, "engine": "CTranslate2 4"}},
        "seconds": 60.0,
    } | changes


def shown_evaluation(questions: int) -> Evaluation:
    """The evaluation of the runs that pages show, on so many questions."""

    def one(base: float, tuned: float, half: float, verdict: str, p: float) -> dict[str, Any]:
        counts = {"n": questions, "groups": questions - 2}
        return metric(base, tuned, half, verdict, p=p, min_detectable_effect=None, **counts)

    types = {kind: {"loss": one(2.4, 1.9, 0.1, "better", 0.01)} for kind in ("symptoms", "treatment")}
    made = {"mean_tokens": 90.0, "length_ratio": 0.7, "seconds": 300.0}
    return Evaluation.model_validate(
        {
            "primary_metric": "loss",
            "metrics": {
                "loss": one(2.4312, 1.8406, 0.06, "better", 0.0004),
                "perplexity": one(11.37, 6.3, 0.7, "better", 0.0004),
                "bits_per_byte": one(0.861, 0.652, 0.02, "better", 0.0004),
                "rouge1": one(0.211, 0.262, 0.031, "better", 0.002),
                "rouge2": one(0.051, 0.066, 0.012, "better", 0.03),
                "rougeL": one(0.151, 0.208, 0.022, "better", 0.0004),
                "mmlu": one(0.262, 0.259, 0.03, "cannot tell", 0.84),
            },
            "by_question_type": types,
            "base_generation": {"empty_share": 0.0, "prompt": "chat template", **made},
            "fine_tuned_generation": {"empty_share": 0.04, "prompt": "plain", **made},
            "protocol": {"decoding": {"max_new_tokens": 128, "engine": "CTranslate2 4"}, "rouge": {}},
        }
    )
