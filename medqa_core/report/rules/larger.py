"""Larger base models, and whether the machine that trained the run could train them."""

from medqa_core.foundation.format import count, listing, number
from medqa_core.report.facts import Facts

CANDIDATES = (
    ("HuggingFaceTB/SmolLM2-360M-Instruct", 361_821_120),
    ("HuggingFaceTB/SmolLM2-1.7B-Instruct", 1_711_376_384),
)
"""Hub ids and numbers of parameters, the largest last."""
WEIGHT = 4
"""Bytes a parameter: 32-bit numbers."""
WHOLE = 4
"""All weights trained: weights, gradients and the optimizer's two moments."""
ADAPTER = 2
"""An adapter trained: the frozen weights, and as much again for everything else."""


def that_fit(facts: Facts) -> str:
    """Which larger models fit into the machine's memory, as sentences; empty where its size is not known."""
    total = facts.status.memory.total if facts.status is not None and facts.status.memory is not None else 0
    model = facts.record.base_model
    present = model.parameters if model is not None and model.parameters else 0
    if not total or not present:
        return ""
    bigger = [(name, size) for name, size in CANDIDATES if size > present * 1.5]
    whole = [_need(name, size, WHOLE) for name, size in bigger if size * WEIGHT * WHOLE < total]
    adapter = [
        _need(name, size, ADAPTER) for name, size in bigger if size * WEIGHT * WHOLE >= total > size * WEIGHT * ADAPTER
    ]
    ways = [f"all weights of {listing(whole)}"] * bool(whole) + [f"an adapter of {listing(adapter)}"] * bool(adapter)
    if not ways:
        return ""
    return (
        f" By its memory, {_size(total)}, this machine could train {' or '.join(ways)}; they come from the "
        "Hugging Face hub, and only MMLU itself can say whether they do better."
    )


def _need(name: str, parameters: int, factor: int) -> str:
    millions = count(round(parameters / 1e6))
    return f"{name} ({millions} million parameters, about {_size(parameters * WEIGHT * factor)})"


def _size(bytes_: float) -> str:
    return f"{number(bytes_ / 1e9, 1)} GB"
