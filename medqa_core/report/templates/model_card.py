"""README.md: a model card with valid metadata, then the write-up."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from huggingface_hub import EvalResult, ModelCardData

from medqa_core.report.document.write_up import write_up
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS
from medqa_core.report.templates.markdown import markdown_environment
from medqa_core.report.views.figures import figures
from medqa_core.report.wording.headline import place
from medqa_core.runs.run import Run

Weights = Literal["adapter", "model", ""]

EMBEDDED = {"smollm2-135m-instruct": "HuggingFaceTB/SmolLM2-135M-Instruct"}
LICENCES = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": ("apache-2.0", "Apache-2.0"),
    "distilbert/distilgpt2": ("apache-2.0", "Apache-2.0"),
}
"""Licence of a base model whose licence we know: the hub's code and the SPDX name."""
DATASETS = {"medquad": "lavita/MedQuAD"}
"""The hub's copy of a data set, for the card's metadata."""
_HUB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Card:
    """What a card says of its folder, before the write-up."""

    imported: bool
    weights: Weights
    """Which weights the folder holds, if any."""
    base: str
    """The base model on the hub; empty for a local or toy model, and for an imported run."""
    licence: str
    """Its licence, where it is known."""
    converted: bool
    """Whether the weights are those of the embedded copy, which was converted from a 4-bit file."""
    data: Literal["medquad", "starter", ""]


def render(run: Run | Facts) -> str:
    """The whole card."""
    facts = Facts.of(run)
    template = markdown_environment().get_template("card.md.j2")
    return template.render(metadata=metadata(facts).to_yaml(), card=card(facts), document=write_up(facts))


def card(facts: Facts) -> Card:
    """What the folder is and what it derives from."""
    base, weights, model = hub_id(facts) or "", _weights(facts), facts.record.base_model
    source = facts.record.data.source.lower() if facts.record.data else ""
    return Card(
        facts.imported,
        weights,
        base,
        LICENCES[base][1] if base in LICENCES else "",
        bool(weights) and model is not None and model.id.lower() in EMBEDDED,
        "medquad" if "medquad" in source else "starter" if "starter" in source else "",
    )


def metadata(facts: Facts) -> ModelCardData:
    """The front matter: only what the run's files bear out."""
    base, weights = hub_id(facts), _weights(facts)
    results = _results(facts)
    source = facts.record.data.source.lower() if facts.record.data else ""
    values: dict[str, object] = {
        "language": ["en"],
        "license": LICENCES.get(base or "", ("unknown", ""))[0],
        "library_name": {"adapter": "peft", "model": "transformers"}.get(weights),
        "base_model": base,
        "base_model_relation": {"adapter": "adapter", "model": "finetune"}.get(weights) if base else None,
        "pipeline_tag": "text-generation" if weights else None,
        "datasets": [DATASETS[source]] if source in DATASETS and not facts.imported else None,
        "tags": ["medical", "question-answering", "research-demo", *(["lora"] if weights == "adapter" else [])],
        "model_name": facts.run.id if results else None,
        "eval_results": results or None,
    }
    return ModelCardData(**values)  # type: ignore[arg-type]


def hub_id(facts: Facts) -> str | None:
    """The base model on the hub; None for a local or toy model, and for an imported run, which holds no weights."""
    model = facts.record.base_model
    if facts.imported or model is None:
        return None
    name = EMBEDDED.get(model.id.lower(), model.id)
    return name if _HUB_ID.fullmatch(name) else None


def _weights(facts: Facts) -> Weights:
    """Which weights the folder holds: `adapter`, `model`, or none."""
    if facts.imported:
        return ""
    return "adapter" if facts.snapshot.adapter_folder else "model" if facts.snapshot.model_folder else ""


def _results(facts: Facts) -> list[EvalResult]:
    data = facts.record.data
    source = data.source if data else ""
    found = []
    for name, figure in figures(facts).items():
        metric = "loss" if name == "test_loss" else name
        if metric not in METRICS or not isinstance(figure.value, int | float) or not math.isfinite(figure.value):
            continue
        rouge = metric.startswith("rouge")
        mmlu = metric == "mmlu"
        suffix = " (as its source reports it)" if figure.origin == "reported" else ""
        found.append(
            EvalResult(
                task_type="question-answering" if mmlu else "text-generation",
                dataset_type="cais/mmlu" if mmlu else DATASETS.get(source.lower(), _slug(source)),
                dataset_name="MMLU, six medical subsets" if mmlu else place(source) if source else "held-out questions",
                dataset_split="test",
                metric_type="rouge" if rouge else "accuracy" if mmlu else metric,
                metric_value=round(float(figure.value), 6),
                metric_name=f"{figure.label}{suffix}",
            )
        )
    return found


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", place(text).lower()).strip("-") or "unknown"
