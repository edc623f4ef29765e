"""README.md: a model card with valid metadata, then the write-up."""

import math
import re

from huggingface_hub import EvalResult, ModelCardData

from medqa_core.report.facts import Facts
from medqa_core.report.figures import figures
from medqa_core.report.headline import place
from medqa_core.report.markdown import body, escape
from medqa_core.report.verdict import METRICS
from medqa_core.report.writeup import title
from medqa_core.runs.run import Run

EMBEDDED = {"smollm2-135m-instruct": "HuggingFaceTB/SmolLM2-135M-Instruct"}
CONVERTED = (
    "Its weights here were the embedded copy, converted from a 4-bit file: on the hub's own weights the fine-tuned "
    "model's answers may differ from those measured."
)
LICENCES = {
    "HuggingFaceTB/SmolLM2-135M-Instruct": ("apache-2.0", "Apache-2.0"),
    "distilbert/distilgpt2": ("apache-2.0", "Apache-2.0"),
}
"""Licence of a base model whose licence we know: the hub's code and the SPDX name."""
DATASETS = {"medquad": "lavita/MedQuAD"}
"""The hub's copy of a data set, for the card's metadata."""
MEDQUAD = "MedQuAD (github.com/abachaa/MedQuAD, CC BY 4.0)"
_HUB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*/[A-Za-z0-9_][A-Za-z0-9_.-]*")


def render(run: Run | Facts) -> str:
    """The whole card."""
    facts = Facts.of(run)
    parts = [f"---\n{metadata(facts).to_yaml()}\n---", f"# {escape(title(facts))}", *_uses(facts), body(facts)]
    return "\n\n".join(parts) + "\n"


def metadata(facts: Facts) -> ModelCardData:
    """The front matter: only what the run's files bear out."""
    base = hub_id(facts)
    kind = _kind(facts)
    results = _results(facts)
    source = facts.record.data.source.lower() if facts.record.data else ""
    values: dict[str, object] = {
        "language": ["en"],
        "license": LICENCES.get(base or "", ("unknown", ""))[0],
        "library_name": {"adapter": "peft", "model": "transformers"}.get(kind),
        "base_model": base,
        "base_model_relation": {"adapter": "adapter", "model": "finetune"}.get(kind) if base else None,
        "pipeline_tag": "text-generation" if kind else None,
        "datasets": [DATASETS[source]] if source in DATASETS and not facts.imported else None,
        "tags": ["medical", "question-answering", "research-demo", *(["lora"] if kind == "adapter" else [])],
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


def _kind(facts: Facts) -> str:
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


def _uses(facts: Facts) -> list[str]:
    """What the folder is, what it derives from, and what it is not for."""
    kind, base = _kind(facts), hub_id(facts)
    if facts.imported:
        parts = ["This run was imported: its figures are those that its source reports, and it holds no weights."]
    elif kind:
        what = "a low-rank adapter (`adapter`)" if kind == "adapter" else "a whole fine-tuned model (`model`)"
        parts = [f"This folder holds {what}."]
    else:
        parts = ["This folder holds no weights."]
    if base and base in LICENCES:
        parts.append(f"Base model: {base} ({LICENCES[base][1]}).")
    elif base:
        parts.append(f"Base model: {base}; its licence applies.")
    if kind and facts.record.base_model and facts.record.base_model.id.lower() in EMBEDDED:
        parts.append(CONVERTED)
    data = facts.record.data
    if data is not None and "medquad" in data.source.lower():
        parts.append(f"Data: {MEDQUAD}." if not facts.imported else f"Data, as the source names them: {MEDQUAD}.")
    elif data is not None and "starter" in data.source.lower():
        parts.append("Data: the starter set of this project, unreviewed demo text.")
    uses = "It is a research demo. It must not be used for diagnosis, treatment or any other medical decision."
    return [escape(" ".join(parts)), uses, *_loading(kind, base)]


def _loading(kind: str, base: str | None) -> list[str]:
    """How to load the weights that the folder holds; nothing where it holds none."""
    if kind == "adapter" and base:
        code = (
            "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            f'base = "{base}"\ntokenizer = AutoTokenizer.from_pretrained(base)\n'
            "model = AutoModelForCausalLM.from_pretrained(base)\n"
            'model = PeftModel.from_pretrained(model, "adapter")  # from inside this folder'
        )
    elif kind == "model":
        code = (
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            'tokenizer = AutoTokenizer.from_pretrained("model")  # from inside this folder\n'
            'model = AutoModelForCausalLM.from_pretrained("model")'
        )
    else:
        return []
    return ["## How to load it", f"```python\n{code}\n```"]
