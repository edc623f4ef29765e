"""What the stages of a measurement are called while it is going on."""

from medqa_core.foundation.progress import DOWNLOAD
from medqa_core.report.names import MODELS

MEASURES = {"loss": "loss", "answers": "answers", "mmlu": "MMLU", "mmlu_cloze": "MMLU, answer texts"}
STAGES = {f"{model}_{key}": f"{name}: {what}" for model, name in MODELS.items() for key, what in MEASURES.items()}
STAGES["judge_replies"] = "judge model: replies"
STAGES[DOWNLOAD] = "downloading"


def stage_text(stage: str) -> str:
    """A stage's name as people read it; one that is text already as it is."""
    return STAGES.get(stage, stage)
