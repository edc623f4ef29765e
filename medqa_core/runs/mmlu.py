"""`mmlu_results/results.json` in lm-evaluation-harness's format: accuracy by subset."""

from dataclasses import dataclass
from typing import Any

CHANCE = 0.25
"""Four letters to choose from."""

SUBSETS = (
    "anatomy",
    "clinical_knowledge",
    "college_biology",
    "college_medicine",
    "medical_genetics",
    "professional_medicine",
)


@dataclass(frozen=True)
class SubsetScore:
    """One subset's accuracy; `n` and `stderr` are None where the file does not say."""

    subset: str
    accuracy: float
    stderr: float | None = None
    n: int | None = None


@dataclass(frozen=True)
class MMLUResults:
    """Accuracy by subset for each model the file holds; `base` is None for a peer's single-model file."""

    fine_tuned: list[SubsetScore]
    base: list[SubsetScore] | None = None

    def pooled(self, scores: list[SubsetScore]) -> float | None:
        """Accuracy over all questions, or None where a subset's size is not known."""
        sizes = [s.n for s in scores]
        if not scores or any(n is None for n in sizes):
            return None
        return sum(s.accuracy * (s.n or 0) for s in scores) / sum(n or 0 for n in sizes)


def parse_results(value: Any) -> MMLUResults:
    """An lm-evaluation-harness results object, or ours: `{"base": {…}, "fine_tuned": {…}}` of two of them.

    Raises:
        ValueError: no MMLU subset with an accuracy in it.
    """
    if not isinstance(value, dict):
        raise ValueError("results.json is not an object.")
    if isinstance(value.get("fine_tuned"), dict):
        base = value.get("base")
        return MMLUResults(_scores(value["fine_tuned"]), _scores(base) if isinstance(base, dict) else None)
    return MMLUResults(_scores(value))


def _scores(value: dict[str, Any]) -> list[SubsetScore]:
    results, samples = value.get("results"), value.get("n-samples")
    if not isinstance(results, dict):
        raise ValueError("results.json has no `results`.")
    scores: dict[str, SubsetScore] = {}
    for task, row in results.items():
        subset = next((s for s in SUBSETS if isinstance(task, str) and task.endswith(s)), None)
        accuracy = _share(row, "acc,none", "acc") if isinstance(row, dict) else None
        if subset is None or accuracy is None or subset in scores:
            continue
        count = samples.get(task) if isinstance(samples, dict) else None
        effective = count.get("effective") if isinstance(count, dict) else None
        n = effective if isinstance(effective, int) and 0 < effective < 10**9 else None
        scores[subset] = SubsetScore(subset, accuracy, _share(row, "acc_stderr,none", "acc_stderr"), n)
    if not scores:
        raise ValueError("results.json holds none of the six medical MMLU subsets.")
    return [scores[subset] for subset in sorted(scores)]


def _share(row: dict[str, Any], *keys: str) -> float | None:
    for key in keys:
        value = row.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1:  # NaN is neither
            return float(value)
    return None
