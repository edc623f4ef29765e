"""`.eval_results/*.yaml`: results as the hub lists them beside a model and on the benchmark's leaderboard.

An entry names a benchmark's data set on the hub, one of its tasks and the value (huggingface.co/docs/hub/eval-results).
Of what a run measures only MMLU is such a benchmark; all else stands in the model card.
"""

import yaml
from huggingface_hub import EvalResultEntry, eval_result_entries_to_yaml

from medqa_core.report.facts import Facts
from medqa_core.runs.artifacts.mmlu import MMLUResults

MMLU_FILE = ".eval_results/mmlu.yaml"
MMLU_DATASET = "cais/mmlu"


def eval_results(facts: Facts) -> dict[str, str]:
    """The files by their path in the repository; empty where the fine-tuned model was asked no benchmark."""
    if facts.mmlu is None or not facts.mmlu.fine_tuned:
        return {}
    entries = _mmlu(facts.mmlu, reported=facts.imported)
    return {MMLU_FILE: yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True)}


def _mmlu(results: MMLUResults, *, reported: bool) -> list[EvalResultEntry]:
    """The fine-tuned model's accuracy (0 to 1) by subset: six of 57 are no score of the whole benchmark."""
    how = [f"{results.scoring} scoring"] if results.scoring else []
    how += [f"{results.shots}-shot"] if results.shots is not None else []
    how += ["lm-evaluation-harness"] + ["as its source reports it"] * reported
    return [
        EvalResultEntry(
            dataset_id=MMLU_DATASET, task_id=score.subset, value=round(score.accuracy, 6), notes=", ".join(how)
        )
        for score in results.fine_tuned
    ]
