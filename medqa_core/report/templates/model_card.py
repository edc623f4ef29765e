"""README.md: a model card with valid metadata, then the write-up."""

import math
import re
from dataclasses import dataclass
from typing import Literal

from huggingface_hub import EvalResult, ModelCardData

from medqa_core.foundation.format import place
from medqa_core.report.document.write_up import write_up
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS
from medqa_core.report.templates.markdown import markdown_environment
from medqa_core.report.views.figures import figures
from medqa_core.runs.run import Run

Weights = Literal["adapter", "model", ""]
KnownData = Literal["medquad", "starter", ""]
"""A data set that we know: both are English. Empty for any other."""
ROOT = "."
"""The folder of the weights in a repository of the hub."""

EMBEDDED = {"smollm2-135m-instruct": "HuggingFaceTB/SmolLM2-135M-Instruct"}
LICENCES = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": ("apache-2.0", "Apache-2.0"),
    "distilbert/distilgpt2": ("apache-2.0", "Apache-2.0"),
}
"""Licence of a base model whose licence we know: the hub's code and the SPDX name."""
DATASETS = {"medquad": "lavita/MedQuAD"}
"""The hub's copy of a data set, for the card's metadata."""
LANGUAGES = {
    "English": "en",
    "German": "de",
    "Dutch": "nl",
    "French": "fr",
    "Spanish": "es",
    "Portuguese": "pt",
    "Italian": "it",
    "Russian": "ru",
    "Swedish": "sv",
    "Norwegian": "no",
    "Danish": "da",
    "Turkish": "tr",
}
"""ISO 639-1 codes, by the name that an evaluation gives the language of its data."""
_HUB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Layout:
    """Where the folder that a card stands in has its weights."""

    weights: Weights
    """Which, if any."""
    folder: str
    """Where in it: `adapter` or `model` in a run, `ROOT` in a repository of the hub."""
    repo: str | None = None
    """What the hub calls the folder, where it is known."""

    @property
    def name(self) -> str:
        """What `from_pretrained` is given."""
        return self.folder if self.repo is None else self.repo


@dataclass(frozen=True)
class Card:
    """What a card says of its folder, before the write-up."""

    imported: bool
    layout: Layout
    base: str
    """The base model on the hub; empty for a local or toy model, and for an imported run."""
    licence: str
    """Its licence, where it is known."""
    converted: bool
    """Whether the weights are those of the embedded copy, which was converted from a 4-bit file."""
    data: KnownData


def render(run: Run | Facts, layout: Layout | None = None) -> str:
    """The whole card: of the run's own folder, or of a folder with another `layout`."""
    facts = Facts.of(run)
    there = layout or _own_layout(facts)
    template = markdown_environment().get_template("card.md.j2")
    return template.render(metadata=metadata(facts, there).to_yaml(), card=card(facts, there), document=write_up(facts))


def card(facts: Facts, layout: Layout) -> Card:
    """What the folder is and what it derives from."""
    base, model = hub_id(facts) or "", facts.record.base_model
    return Card(
        facts.imported,
        layout,
        base,
        LICENCES[base][1] if base in LICENCES else "",
        bool(layout.weights) and model is not None and model.id.lower() in EMBEDDED,
        _known_data(facts),
    )


def metadata(facts: Facts, layout: Layout) -> ModelCardData:
    """The front matter: only what the run's files bear out."""
    base, weights = hub_id(facts), layout.weights
    results = _results(facts)
    source = facts.record.data.source.lower() if facts.record.data else ""
    values: dict[str, object] = {
        "language": _language(facts),
        "license": LICENCES.get(base or "", ("unknown", ""))[0],
        "library_name": {"adapter": "peft", "model": "transformers"}.get(weights),
        "base_model": base,
        "base_model_relation": {"adapter": "adapter", "model": "finetune"}.get(weights) if base else None,
        "pipeline_tag": "text-generation" if weights else None,
        "datasets": [DATASETS[source]] if source in DATASETS and facts.record.config is not None else None,
        "tags": ["medical", "question-answering", "research-demo", *(["lora"] if weights == "adapter" else [])],
        "model_name": facts.run.id if results else None,
        "eval_results": results or None,
    }
    return ModelCardData(**values)  # type: ignore[arg-type]


def hub_id(facts: Facts) -> str | None:
    """The base model on the hub; None for a local or toy model, and for an imported run without weights."""
    model, held = facts.record.base_model, facts.snapshot.adapter_folder or facts.snapshot.model_folder
    if model is None or (facts.imported and not held):
        return None
    name = EMBEDDED.get(model.id.lower(), model.id)
    return name if _HUB_ID.fullmatch(name) else None


def _language(facts: Facts) -> list[str] | None:
    """Of data that we know, or as the evaluation recognised it; None where nothing says which."""
    if _known_data(facts):
        return ["en"]
    content = facts.evaluation.protocol.content if facts.evaluation else None
    code = LANGUAGES.get(content.language or "") if content is not None else None
    return None if code is None else [code]


def _known_data(facts: Facts) -> KnownData:
    source = facts.record.data.source.lower() if facts.record.data else ""
    return "medquad" if "medquad" in source else "starter" if "starter" in source else ""


def _own_layout(facts: Facts) -> Layout:
    """The run's own folder."""
    weights: Weights = "adapter" if facts.snapshot.adapter_folder else "model" if facts.snapshot.model_folder else ""
    return Layout(weights, weights)


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
