"""What limits a run: derived from what it holds and from what it does not hold."""

from collections.abc import Iterator

from medqa_core.data.describe import leakage_sentence, leaks
from medqa_core.data.groups import RELATIONS
from medqa_core.foundation.format import count, listing, percent, plural, words
from medqa_core.report.facts import Facts, Points
from medqa_core.report.rules.curve import FEWEST
from medqa_core.report.rules.insight import Insight, Rule
from medqa_core.report.rules.measures import MEASURES
from medqa_core.report.views.figures import show, stated

SMALL = 10_000
"""A training set with fewer examples is spoken of as small."""


def not_finished(facts: Facts) -> Iterator[Insight]:
    """Training ended before its planned steps, or with an error; not where its own patience was to end it."""
    status, config = facts.status, facts.record.config
    if status is None:
        return
    total = status.total_steps
    as_planned = status.state == "completed" and config is not None and config.patience is not None
    short = total is not None and status.step < total and not as_planned
    if status.state not in ("stopped", "failed") and not short:
        return
    how = {"stopped": "was stopped", "failed": "failed"}.get(status.state, "had not finished")
    at = f" at step {status.step:,}" + (f" of {total:,}" if total is not None else "")
    why = f" The worker said: {words(status.error)}" if status.error else ""
    yield Insight(
        "not_finished",
        f"The run {how}{at}.{why}",
        (f"status.json: state {status.state}, step {status.step:,}",),
        f"{count(status.step)} of {count(total)} steps" if total is not None else plural(status.step, "step"),
        "the run had completed all its steps",
    )


def leaks_into_test(facts: Facts) -> Iterator[Insight]:
    """Test questions that share a document, a name of their topic or more with the training set."""
    data, evaluation = facts.record.data, facts.evaluation
    overlap, file = evaluation.overlap if evaluation else None, "evaluation.json"
    if overlap is None and data is not None:
        overlap, file = data.overlap, "run.json, data"
    if overlap is None or data is None or data.split is None or not leaks(overlap):
        return
    shared = {relation: n for relation in RELATIONS if (n := getattr(overlap, relation))}
    yield Insight(
        "leaks_into_test",
        f"{leakage_sentence(overlap, data.split.test)} Figures on those may be too good.",
        (f"{file}, overlap: {', '.join(f'{relation} {n}' for relation, n in shared.items())}",),
        f"{count(max(shared.values()))} of {plural(data.split.test, 'test question')}",
        "no test question shared anything of the kind with training",
    )


def leaks_unknown(facts: Facts) -> Iterator[Insight]:
    """Nobody knows here what an imported model was trained on."""
    if facts.record.evaluated_on is None or facts.record.training_set_known:
        return
    yield Insight(
        "leaks_unknown",
        "What the model was trained on is not known here: leaks into the test questions and copied answers cannot be "
        "seen, and there are no controls made from training answers.",
        ("run.json, evaluated_on.trained_on: none",),
        "all test questions",
        "the training set was named (import with --trained-on)",
    )


def truncated(facts: Facts) -> Iterator[Insight]:
    """Training examples lost their end to the token limit, or nobody counted how many did."""
    data, config = facts.record.data, facts.record.config
    longest = config.max_tokens if config else stated(facts, "max_tokens", "max_length")
    share = data.truncated_share if data else None
    if share:
        at = f" than {show(longest)} tokens" if longest is not None else " than the limit"
        yield Insight(
            "truncated",
            f"{percent(share)} of the training examples were longer{at} and lost their end.",
            (f"run.json, data.truncated_share: {share}",),
            percent(share),
            "no training example exceeded the limit",
        )
    elif share is None and longest is not None:
        yield Insight(
            "truncation_unknown",
            f"Examples are truncated at {show(longest)} tokens; how many lost their end is not stated.",
            ("run.json, config.max_tokens" if config else "run.json, imported.figures",),
            f"{show(longest)} tokens",
            "the run recorded the share of truncated examples",
        )


def training_size(facts: Facts) -> Iterator[Insight]:
    """A small training set."""
    data, record = facts.record.data, facts.record
    known = record.evaluated_on is None or record.training_set_known
    size = data.examples if data and data.examples is not None and known else stated(facts, "train_size")
    if not isinstance(size, int | float) or size >= SMALL:
        return
    yield Insight(
        "training_size",
        f"The model saw {plural(int(size), 'training example')}; what they do not cover it has not been taught.",
        (f"run.json: {plural(int(size), 'training example')}",),
        count(int(size)),
        f"the training set held {SMALL:,} examples or more",
    )


def starter_text(facts: Facts) -> Iterator[Insight]:
    """The data are the starter set."""
    data, config = facts.record.data, facts.record.config
    source = data.source if data else config.dataset if config else ""
    if "starter" in source.lower():
        yield Insight(
            "starter_text",
            "The data are the starter set: demo text written for this project that no clinician has reviewed.",
            (f"run.json, data: {words(source)}",),
            "all of the data",
            "the data came from a reviewed source",
        )


def few_validations(facts: Facts) -> Iterator[Insight]:
    """Too few validation losses to tell a trend."""
    n = len(Points.of(facts.metrics_log.validation))
    if n >= FEWEST or any(s.is_set_loss and len(s.steps) >= FEWEST for s in facts.series):
        return
    if facts.metrics_log.empty:
        sentence = "There is no loss curve, so nothing can be said about how training went or about overfitting."
    else:
        there = "There is" if n == 1 else "There are"
        sentence = f"{there} {plural(n, 'validation loss', 'validation losses')}, too few to tell a trend."
        bad = len(facts.metrics_log.validation.non_finite_steps)
        if bad:
            sentence += f" {plural(bad, 'more is', 'more are')} not a number (NaN or infinite)."
    yield Insight(
        "few_validations",
        sentence,
        (f"metrics.jsonl: {plural(n, 'validation loss', 'validation losses')}",),
        f"{n} of the {FEWEST} that a trend needs",
        f"the run held at least {FEWEST} validation losses",
    )


def one_seed(facts: Facts) -> Iterator[Insight]:
    """One run, one seed."""
    config = facts.record.config
    if config is None and not facts.imported:
        return
    seed = f"with seed {config.seed}" if config else "and its source gives no other"
    if config is None and stated(facts, "seed") is not None:
        seed = f"with seed {show(stated(facts, 'seed'))}"
    yield Insight(
        "one_seed",
        f"This is one run {seed}: its intervals do not hold what another seed would change.",
        (f"run.json, config.seed: {config.seed}" if config else "run.json, imported.figures",),
        "1 seed",
        "the run held figures for several seeds",
    )


def left_out(facts: Facts) -> Iterator[Insight]:
    """What an imported run's source does not say."""
    missing = facts.record.imported.missing if facts.record.imported else []
    if missing:
        shown = [words(item, 80) for item in missing[:12]]
        more = [f"{len(missing) - len(shown)} more"] if len(missing) > len(shown) else []
        yield Insight(
            "left_out",
            f"The source leaves out: {listing(shown + more)}.",
            (f"run.json, imported.missing: {plural(len(missing), 'item')}",),
            plural(len(missing), "item"),
            "the source stated them",
        )


def unchecked(facts: Facts) -> Iterator[Insight]:
    """Checks that an imported run's source does not allow."""
    for check in facts.record.imported.checks if facts.record.imported else []:
        if check.passed is None:
            yield Insight(
                "unchecked",
                f"This could not be checked with what the source says: {words(check.name)} ({words(check.detail)}).",
                ("run.json, imported.checks",),
                words(check.detail),
                "the source stated the figures that the check needs",
                subject=words(check.name, 60),
            )


def damaged(facts: Facts) -> Iterator[Insight]:
    """Files of the run that could not be read in full."""
    for problem in facts.problems:
        yield Insight(
            "damaged", f"A file could not be read in full: {problem}", (problem,), "1 file", "the file was whole"
        )


def research_demo(facts: Facts) -> Iterator[Insight]:
    """What always holds."""
    yield Insight(
        "research_demo",
        "This is a research demo and not medical advice: no clinician has judged the model's answers.",
        ("no file of the run holds a clinician's judgement",),
        "all answers",
        "clinicians had reviewed the answers",
    )


RULES: tuple[Rule, ...] = (
    not_finished,
    damaged,
    *MEASURES,
    leaks_into_test,
    leaks_unknown,
    few_validations,
    left_out,
    unchecked,
    starter_text,
    training_size,
    truncated,
    one_seed,
    research_demo,
)
