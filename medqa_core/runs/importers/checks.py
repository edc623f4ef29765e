"""Do the figures of a source agree with one another? Each check says what it compared, and how closely."""

import math

from medqa_core.runs.artifacts.mmlu import SubsetScore
from medqa_core.runs.importers.draft import Figures
from medqa_core.runs.schema.evaluation import ROUGE
from medqa_core.runs.schema.record import Check

RATE_TOLERANCE = 0.01
"""Relative error allowed between samples per second × seconds and epochs × training size."""
EXACT = 1e-6
"""Relative error allowed between figures that are not rounded."""
OFFICIAL_SIZES = {
    "anatomy": 135,
    "clinical_knowledge": 265,
    "college_biology": 144,
    "college_medicine": 173,
    "medical_genetics": 100,
    "professional_medicine": 272,
}


def show(value: float) -> str:
    """A number for a sentence."""
    if value == 0 or 1e-4 <= abs(value) < 1e3:
        return f"{value:.6g}"
    return f"{value:,.0f}" if abs(value) < 1e12 and abs(value) >= 1e3 else f"{value:.4g}"


def perplexity(figures: Figures, loss_name: str = "test_loss") -> Check:
    """Perplexity is the exponential of the mean loss per token."""
    name = f"perplexity = exp({loss_name.replace('_', ' ')})"
    loss, stated = figures.get(loss_name), figures.get("perplexity")
    if loss is None or stated is None:
        return Check(name=name, passed=None, detail="The source does not state both.")
    low, high = (_exp(loss + sign * figures.half(loss_name)) for sign in (-1, 1))
    slack = figures.half("perplexity")
    passed = low * (1 - EXACT) - slack <= stated <= high * (1 + EXACT) + slack
    return Check(
        name=name,
        passed=passed,
        detail=f"exp({show(loss)}) = {show(_exp(loss))}; stated {show(stated)}, "
        + ("equal within rounding." if passed else "which rounding does not explain."),
    )


def throughput(figures: Figures) -> Check:
    """Samples per second × seconds gives epochs × training size."""
    name = "samples per second × time = epochs × training size"
    minutes = figures.get("train_minutes")
    time_name = "train_seconds" if minutes is None else "train_minutes"
    seconds = figures.get("train_seconds") if minutes is None else minutes * 60
    rate, size = figures.get("samples_per_second"), figures.get("train_size")
    planned = [v for n in ("epochs", "epochs_done") if (v := figures.get(n)) is not None]
    if rate is None or seconds is None or not planned or size is None:
        return Check(name=name, passed=None, detail="The source does not state all four.")
    left = float(rate) * seconds
    epochs = min(planned, key=lambda value: abs(left - float(value) * size))  # Trainer rounds the epochs it planned
    right = float(epochs) * size
    stated_time = figures.get(time_name)
    if right <= 0 or rate <= 0 or not stated_time or stated_time < 0:
        return Check(name=name, passed=None, detail="One of the four is zero or negative.")
    error = left / right - 1
    rounding = figures.half("samples_per_second") / rate + figures.half(time_name) / stated_time
    allowed = max(RATE_TOLERANCE, rounding)
    return Check(
        name=name,
        passed=abs(error) <= allowed,
        detail=f"{show(rate)} × {show(seconds)} s = {show(left)}; {show(epochs)} × {show(size)} = {show(right)}. "
        f"Relative error {error:+.2%}; rounding alone allows ±{rounding:.2%}, the check ±{allowed * 100:.3g}%. "
        "Trainer computes its rate from this very product, so agreement shows that the figures belong together, "
        "not that every example was seen.",
    )


def step_rate(figures: Figures) -> Check:
    """Steps per second × seconds gives the number of optimizer steps."""
    name = "steps per second × time = steps"
    rate, seconds, steps = (figures.get(n) for n in ("steps_per_second", "train_seconds", "steps"))
    if not rate or not seconds or not steps or min(rate, seconds, steps) < 0:
        return Check(name=name, passed=None, detail="The source does not state all three.")
    error = float(rate) * seconds / steps - 1
    allowed = RATE_TOLERANCE + figures.half("steps_per_second") / rate
    return Check(
        name=name,
        passed=abs(error) <= allowed,
        detail=f"{show(rate)} × {show(seconds)} s = {show(float(rate) * seconds)}; stated {show(steps)}. "
        f"Relative error {error:+.2%}; allowed ±{allowed:.2%}, the rate's rounding included.",
    )


def effective_batch(figures: Figures) -> Check:
    """The effective batch is the batch × the accumulation steps."""
    name = "effective batch = batch × gradient accumulation steps"
    batch, effective, gradient_accumulation_steps = (
        figures.get(n) for n in ("batch_size", "effective_batch", "gradient_accumulation_steps")
    )
    if not batch or not effective or batch < 0:
        return Check(name=name, passed=None, detail="The source does not state both batch sizes.")
    if gradient_accumulation_steps is not None:
        product = float(batch) * gradient_accumulation_steps
        detail = f"{show(batch)} × {show(gradient_accumulation_steps)} = {show(product)}; stated {show(effective)}."
        return Check(name=name, passed=product == effective, detail=detail)
    implied = float(effective) / batch
    whole = implied >= 1 and implied % 1 == 0
    return Check(
        name=name,
        passed=whole,
        detail=f"Accumulation is not stated; {show(effective)} / {show(batch)} = {show(implied)}, "
        + ("a whole number." if whole else "which is no whole number of passes."),
    )


def sizes(figures: Figures) -> Check:
    """The parts of the split sum to the stated total."""
    name = "split sizes sum to the total"
    parts = [figures.get(f"{part}_size") for part in ("train", "validation", "test")]
    total = figures.get("total_size")
    known = [part for part in parts if part is not None]
    if len(known) < 3:
        return Check(name=name, passed=None, detail="The source does not state all three sizes.")
    summed = " + ".join(show(part) for part in known) + f" = {show(sum(known))}"
    if total is None:
        return Check(name=name, passed=None, detail=f"{summed}; the source states no total to compare with.")
    return Check(name=name, passed=sum(known) == total, detail=f"{summed}; stated {show(total)}.")


def warmup(figures: Figures) -> Check:
    """Warm-up ends before training does."""
    name = "warm-up is shorter than training"
    batch = figures.get("effective_batch") or figures.get("batch_size")
    size, epochs, steps = (figures.get(n) for n in ("train_size", "epochs", "warmup_steps"))
    if steps is None or not size or not epochs or not batch or min(size, epochs, batch) < 0:
        return Check(name=name, passed=None, detail="The source does not state enough to count optimizer steps.")
    total = max(1, math.ceil(min(size / batch, 1e15))) * float(epochs)
    return Check(
        name=name,
        passed=0 <= steps < total,
        detail=f"{show(steps)} of about {show(total)} optimizer steps ({steps / total:.0%}), "
        f"counted from {show(size)} examples in batches of {show(batch)}.",
    )


def training_against_test(figures: Figures) -> list[Check]:
    """A remark, and no check, where the test loss is below the training loss."""
    mean, test = figures.get("mean_train_loss"), figures.get("test_loss")
    train, which = (figures.get("final_train_loss"), "final") if mean is None else (mean, "mean")
    if train is None or test is None or test >= train:
        return []
    return [
        Check(
            name="training loss and test loss are comparable",
            passed=None,
            detail=f"The test loss ({show(test)}) is below the {which} training loss ({show(train)}). This alone is no "
            "fault: Trainer's training loss is the mean over the whole run, early steps and dropout included.",
        )
    ]


def rouge(figures: Figures) -> Check:
    """ROUGE lies in 0 to 1, and ROUGE-L cannot exceed ROUGE-1."""
    name = "ROUGE lies in 0 to 1, ROUGE-L not above ROUGE-1"
    found = {n: v for n in ROUGE if (v := figures.get(n)) is not None}
    if not found:
        return Check(name=name, passed=None, detail="The source states no ROUGE.")
    listing = ", ".join(f"{n} {show(v)}" for n, v in found.items())
    if not all(0 <= value <= 1 for value in found.values()):
        return Check(name=name, passed=False, detail=f"{listing}: not all in 0 to 1; percentages, perhaps.")
    slack = figures.half("rouge1") + figures.half("rougeL")
    ordered = "rouge1" not in found or found.get("rougeL", 0) <= found["rouge1"] + slack
    return Check(name=name, passed=ordered, detail=f"{listing}.")


def mmlu(scores: list[SubsetScore], variant: str = "") -> list[Check]:
    """Accuracy × questions is a whole number, and the standard error is the one of that many answers."""
    checks = []
    for score in scores:
        n = score.n or OFFICIAL_SIZES[score.subset]
        basis = f"{n} questions" + ("" if score.n else ", the subset's official size, as the file states none")
        right = score.accuracy * n
        whole = abs(right - round(right)) < 0.01 * max(1, n / 100)
        # lm-eval divides by n − 1; other tools by n
        errors = [math.sqrt(score.accuracy * (1 - score.accuracy) / d) for d in (max(n - 1, 1), n)]
        fits = score.stderr is None or any(abs(score.stderr - e) <= 0.02 * e + 1e-4 for e in errors)
        stated = "no standard error stated" if score.stderr is None else f"standard error {score.stderr:.4f} stated"
        passed: bool | None = whole and fits
        if not passed and score.n is None:
            passed = None  # perhaps a sample of the subset was asked
        checks.append(
            Check(
                name=f"MMLU {variant}{score.subset.replace('_', ' ')}",
                passed=passed,
                detail=f"{score.accuracy:.4f} of {basis} is {right:.2f} right answers; {stated}, "
                f"{errors[0]:.4f} expected.",
            )
        )
    return checks


def _exp(value: float) -> float:
    try:
        return math.exp(value)
    except OverflowError:
        return math.inf
