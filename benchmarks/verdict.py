"""How often the judge is wrong: simulated comparisons of two models of which the truth is known.

A world draws both models' results on the questions of one evaluation. Without a difference between them each "better"
or "worse" is false; with one that was planted it is found or missed. Of each world:

* false: share of comparisons without a difference that were called better or worse (5% is what is promised);
* covered: share of the 95% intervals that hold the truth;
* found at ½, 1 and 1½: share of planted differences that were found (and the share called the wrong way round), as
  multiples of the smallest detectable difference that the judge itself states: at 1 it promises 80%.

Then whole evaluations, with every metric, question type, source and the clean part: how many of them say something
false anywhere, of two models that do not differ and of two of which one is better on the loss alone. Zero-inflated
worlds, where 90 to 99% of the topics do not differ and the rest makes a difference of the margin or twice it: how often
that is called equivalent. At last runs of which it is known what they gained, form or content: how it is called.

    python benchmarks/verdict.py [--quick]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from medqa_core.evaluation import judge as judging
from medqa_core.evaluation.judge import Array, Item, Paired, judge_all
from medqa_core.evaluation.mcnemar import judge_choices
from medqa_core.evaluation.rule import MARGINS
from medqa_core.evaluation.tables import Judged, Metrics, judged
from medqa_core.report.views.gain import gain
from medqa_core.report.views.metric import metric_views
from medqa_core.runs.schema.evaluation import Metric

RESAMPLES = 2_000
"""As against the judge's own 5,000: faster, and no less strict."""
MULTIPLES = (0.5, 1.0, 1.5)
Random = np.random.Generator
World = Callable[[Random, float], Item | Metric]
"""From a random generator and a planted gain (above 0: the fine-tuned model is better) to what is judged, or a verdict.

Comparisons with as many topics are judged together: the judge draws the same resamples for them anyway.
"""


def topics(random: Random, count: int) -> np.ndarray[Any, Any]:
    """The topic of each question: most have one or two questions, a few have up to eight."""
    return np.repeat(np.arange(count), np.minimum(random.zipf(2.5, count), 8))


def nats(random: Random, count: int, gain: float, skew: float = 0.0) -> Paired:
    """Losses: topic by topic, heavy tails, answers of very different lengths; summed in nats over tokens.

    With `skew` (of the change by topic; at most 1.6 in the shipped runs) a few topics get much worse, the others a
    little better.
    """
    topic = topics(random, count)
    tokens = np.clip(random.lognormal(4.9, 0.9, len(topic)), 5, 360).round()
    base = random.normal(2.4, 0.4, count)[topic] + random.normal(0, 0.3, len(topic))
    shape = 4 / skew**2 if skew else 0
    drawn = (random.gamma(shape, 1, count) - shape) / np.sqrt(shape) if skew else random.standard_t(3, count)
    change = 0.2 * drawn[topic] + 0.1 * random.standard_t(3, len(topic))
    return Paired(base * tokens, (base + change - gain) * tokens, tokens, topic)


def rouge(random: Random, count: int, gain: float, right: float = 0.4) -> Paired:
    """ROUGE: the same mean, but on a fifth of the topics one model comes to `right`, elsewhere it is a little worse.

    With 0.4 the topics' sums are as skewed as those of the shipped runs at most (1.6); with 0.7, twice as much.
    """
    topic = topics(random, count)
    hit = (random.random(count) < 0.2)[topic]
    base = random.beta(4, 16, len(topic))
    tuned = np.where(hit, random.beta(20 * right, 20 * (1 - right), len(topic)), random.beta(4, 16, len(topic)))
    return Paired(base, tuned - 0.2 * (right - 0.2) + gain, np.ones(len(topic)), topic)


def choices(random: Random, count: int, differing: float, gain: float) -> pd.DataFrame:
    """Multiple choice: a share of the questions is right for one model only, more often for the better one."""
    differing = max(differing, abs(gain))
    kind = random.choice(4, count, p=[0.27, 0.73 - differing, (differing + gain) / 2, (differing - gain) / 2])
    base, tuned = np.isin(kind, (0, 3)), np.isin(kind, (0, 2))
    return pd.DataFrame({"target": 1, "base_choice": base.astype(int), "fine_tuned_choice": tuned.astype(int)})


WORLDS: dict[str, World] = {
    "loss, 120 topics": lambda random, gain: Item("loss", nats(random, 120, gain)),
    "loss, 600 topics": lambda random, gain: Item("loss", nats(random, 600, gain)),
    "loss, 120 topics, skewed": lambda random, gain: Item("loss", nats(random, 120, gain, 1.3)),
    "loss, 10 topics": lambda random, gain: Item("loss", nats(random, 10, gain)),
    "loss, 60 topics": lambda random, gain: Item("loss", nats(random, 60, gain)),
    "ROUGE, 120 topics": lambda random, gain: Item("rougeL", rouge(random, 120, gain)),
    "ROUGE, 30 topics": lambda random, gain: Item("rougeL", rouge(random, 30, gain)),
    "MMLU, 1,089 questions": lambda random, gain: judge_choices(choices(random, 1089, 0.2, gain)),
    "MMLU, 135, few differ": lambda random, gain: judge_choices(choices(random, 135, 0.05, gain)),
    "hard: loss, skew 5": lambda random, gain: Item("loss", nats(random, 120, gain, 6.0)),
    "hard: ROUGE, skew 3": lambda random, gain: Item("rougeL", rouge(random, 120, gain, 0.7)),
}
"""Those called hard are several times as skewed as what was measured on real runs: a handful of topics decides."""


def rows_of(random: Random, count: int) -> pd.DataFrame:
    """The rows of an evaluation without any difference, on `count` topics."""
    loss = nats(random, count, 0.0)
    n = len(loss.weight)
    better = 0.05 * random.standard_t(4, count)[loss.group]  # how much better an answer is: moves all its scores
    rows: dict[str, Any] = {
        "group_id": loss.group.astype(str),
        "reference_tokens": loss.weight,
        "reference_bytes": (loss.weight * random.normal(4.8, 0.4, n)).round(),
        "base_loss": loss.base / loss.weight,
        "fine_tuned_loss": loss.fine_tuned / loss.weight,
    }
    for name in ("rouge1", "rouge2", "rougeL", "token_f1"):
        rows[f"base_{name}"] = random.beta(4, 16, n)
        rows[f"fine_tuned_{name}"] = rows[f"base_{name}"] + better + 0.05 * random.standard_t(4, n)
    return pd.DataFrame(rows)


def reported(random: Random, gain: float = 0.0) -> Judged:
    """A whole evaluation of 120 topics with four types, three sources, a clean part and MMLU; `gain` on the loss."""
    rows = rows_of(random, 120)
    rows["fine_tuned_loss"] -= gain
    group = rows["group_id"].astype(int)
    rows["question_type"] = [f"type {n % 4}" for n in group]
    rows["source"] = [f"source {n % 3}" for n in group]
    rows["train_overlap"] = [float(n % 5 == 0) for n in group]
    return judged(rows, "loss", choices(random, 1089, 0.2, 0.0))


def rare(random: Random, count: int, share: float, mean: float, name: str) -> Item:
    """A metric on which the models differ on a share of the topics only, by `mean` over all of them."""
    topic = topics(random, count)
    shared = name == "rougeL"
    base = random.beta(4, 16, len(topic)) if shared else random.normal(2.4, 0.4, count)[topic]
    change = np.where(random.random(count) < share, random.gamma(4, mean / share / 4, count), 0.0)[topic]
    tuned = base + (np.minimum(change, 1 - base) if shared else change)
    return Item(name, Paired(base, tuned, np.ones(len(topic)), topic))


def with_gain(random: Random, form: float, content: float) -> Judged:
    """An evaluation in which the fine-tuned model gained on template text, on the rest, or on both."""
    count = 200
    tokens, outside = random.integers(60, 120, count).astype(float), random.uniform(0.5, 0.8, count)
    base = random.normal(2.4, 0.3, count)

    def noise(size: float) -> Array:
        return random.normal(0, size, count)

    other = 0.4 + noise(0.1)
    rows: dict[str, Any] = {
        "group_id": [f"g{n}" for n in range(count)],
        "reference_tokens": tokens,
        "reference_bytes": tokens * 5,
        "reference_words": tokens,
        "outside_tokens": (outside * tokens).round(),
        "other_tokens": tokens,
        "base_loss_outside_templates": base + noise(0.1),
        "base_topic_information": other,
        "fine_tuned_topic_information": other + 0.1 * content + noise(0.05),
        "base_loss": base,
    }
    rows["fine_tuned_loss_outside_templates"] = rows["base_loss_outside_templates"] - 0.2 * content + noise(0.1)
    rows["fine_tuned_loss"] = base - 0.2 * content * outside - 0.8 * form * (1 - outside) + noise(0.1)
    for name, of_form, of_content in (
        ("rougeL", 0.08, 0.03),
        ("rougeL_outside_templates", 0.0, 0.05),
        ("content_f1", 0.0, 0.05),
    ):
        rows[f"base_{name}"] = random.beta(4, 16, count)
        rows[f"fine_tuned_{name}"] = rows[f"base_{name}"] + of_form * form + of_content * content + noise(0.05)
    return judged(pd.DataFrame(rows), "loss")


def seconds_of_one() -> float:
    """How long judging takes at MedQuAD's size: 750 questions, 10 types, 9 sources, a clean part, MMLU."""
    random = np.random.default_rng(0)
    rows = rows_of(random, 600).iloc[:750].copy()
    rows["question_type"] = [f"type {n % 10}" for n in range(len(rows))]
    rows["source"] = [f"source {n % 9}" for n in range(len(rows))]
    rows["train_overlap"] = [float(n % 7 == 0) for n in range(len(rows))]
    answers = choices(random, 1089, 0.2, 0.0)
    start = time.perf_counter()
    judged(rows, "loss", answers)
    return time.perf_counter() - start


def called(metrics: list[Metric], *verdicts: str) -> float:
    """Share of the comparisons with one of these verdicts."""
    return sum(metric.verdict in verdicts for metric in metrics) / len(metrics)


def verdicts(world: World, seeds: range, gain: float) -> list[Metric]:
    """One comparison a seed."""
    drawn = [world(np.random.default_rng(seed), gain) for seed in seeds]
    judged_here = iter(judge_all([one for one in drawn if isinstance(one, Item)]))
    return [next(judged_here) if isinstance(one, Item) else one for one in drawn]


def tried(world: World, trials: int, power_trials: int) -> dict[str, Any]:
    """One world's figures."""
    null = verdicts(world, range(trials), 0.0)
    within = [metric.ci[0] <= 0 <= metric.ci[1] for metric in null if metric.ci is not None]
    result: dict[str, Any] = {
        "false": called(null, "better", "worse"),
        "equivalent": called(null, "equivalent"),
        "covered": sum(within) / len(within),
    }
    detectable = float(np.median([metric.min_detectable_effect or 0 for metric in null]))
    result["detectable"] = round(detectable, 4)
    for multiple in MULTIPLES:
        found = verdicts(world, range(10**6, 10**6 + power_trials), multiple * detectable)
        result[f"found_{multiple}"] = called(found, "better")
        result[f"wrong_{multiple}"] = called(found, "worse")
    return result


def false(metrics: Metrics, truly: tuple[str, ...] = ()) -> bool:
    """Whether any metric but those that do differ is called better or worse."""
    return any(metric.verdict in ("better", "worse") for name, metric in metrics.items() if name not in truly)


def tried_whole(trials: int, gain: float) -> dict[str, float]:
    """Shares of whole evaluations with something false in each table, and anywhere."""
    truly = ("loss", "perplexity", "bits_per_byte") if gain else ()
    counts = dict.fromkeys(("all questions", "types", "sources", "clean", "anywhere"), 0)
    for seed in range(trials):
        found = reported(np.random.default_rng(seed), gain)
        tables = {
            "all questions": false(found.metrics, truly),
            "types": any(false(part, truly) for part in found.by_question_type.values()),
            "sources": any(false(part, truly) for part in found.by_source.values()),
            "clean": false(found.clean, truly),
        }
        for name, wrong in tables.items():
            counts[name] += wrong
        counts["anywhere"] += any(tables.values())
    return {name: count / trials for name, count in counts.items()}


def tried_rare(trials: int) -> dict[str, dict[str, float]]:
    """How often a difference of the margin, and of twice the margin, is called equivalent, by world."""
    results = {}
    for name in ("rougeL", "loss"):
        for count in (150, 400, 700):
            for share in (0.01, 0.03, 0.1):
                world = f"{name}, {count} topics, {1 - share:.0%} alike"
                results[world] = {
                    f"at {multiple:g}": called(
                        judge_all(
                            [
                                rare(np.random.default_rng(seed), count, share, multiple * MARGINS[name], name)
                                for seed in range(trials)
                            ]
                        ),
                        "equivalent",
                    )
                    for multiple in (1, 2)
                }
    return results


def tried_planted(trials: int) -> dict[str, dict[str, float]]:
    """What a planted gain is called, by what was planted."""
    results = {}
    for name, (form, content) in {"form": (1, 0), "content": (0, 1), "both": (1, 1), "none": (0, 0)}.items():
        drawn = [with_gain(np.random.default_rng(seed), form, content).metrics for seed in range(trials)]
        said = [gain(metric_views((str(metric), value) for metric, value in one.items())) for one in drawn]
        results[name] = {kind: said.count(kind) / trials for kind in ("form", "content", "both", "none")}
    return results


def main() -> None:
    """Run, print a table, and one JSON object as the last line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer trials: seconds, rougher")
    parser.add_argument("--trials", type=int, help="comparisons without a difference in each world (1,000)")
    arguments = parser.parse_args()
    trials = arguments.trials or (80 if arguments.quick else 1_000)
    power_trials = max(30, trials // 3)
    seconds = seconds_of_one()
    judging.RESAMPLES = 400 if arguments.quick else RESAMPLES
    print(f"{trials} comparisons without a difference, {power_trials} with each planted one; shares in %")
    print(f"{'':<26}{'false':>8}{'covered':>9}" + "".join(f"{f'found at {m:g}':>14}" for m in MULTIPLES))
    results: dict[str, Any] = {}
    for name, world in WORLDS.items():
        one = results[name] = tried(world, trials, power_trials)
        power = "".join(f"{100 * one[f'found_{m}']:>14.1f}" if f"found_{m}" in one else f"{'':>14}" for m in MULTIPLES)
        shares = f"{100 * one['false']:>8.1f}{100 * one['covered']:>9.1f}"
        print(f"{name:<26}{shares}{power}", flush=True)
    reports = {
        "equal models": tried_whole(trials, 0.0),
        "better on the loss alone": tried_whole(power_trials, 0.2),
    }
    for name, one in reports.items():
        shares = ", ".join(f"{table} {100 * share:.1f}" for table, share in one.items())
        print(f"whole evaluation, {name}: false in {shares}", flush=True)
    rare_worlds, kinds = tried_rare(power_trials), tried_planted(power_trials // 3)
    print("a difference of the margin | of twice the margin is called equivalent in")
    for name, one in rare_worlds.items():
        print(f"  {name:<34}{' | '.join(f'{100 * share:5.1f}' for share in one.values())}")
    for name, one in kinds.items():
        print(
            f"planted {name}: called {', '.join(f'{kind} {100 * share:.0f}' for kind, share in one.items() if share)}"
        )
    print(f"judging one evaluation of MedQuAD's size takes {seconds:.1f} s")
    worst = max(figures["false"] for name, figures in results.items() if not name.startswith("hard"))
    summary = {"trials": trials, "worst_false": worst, "seconds": round(seconds, 2), "worlds": results}
    print(json.dumps({**summary, "reports": reports, "rare": rare_worlds, "planted": kinds}))


if __name__ == "__main__":
    main()
