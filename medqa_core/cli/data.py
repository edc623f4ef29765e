"""`data`: what there is to train on."""

from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from medqa_core.cli.output import JsonFlag, note, print_json, say
from medqa_core.data import describe as describing
from medqa_core.data import sources
from medqa_core.data.describe import Description
from medqa_core.data.pairs import PairSet
from medqa_core.data.preparation import data_for
from medqa_core.data.sizes import PARTS
from medqa_core.data.split import split_pairs
from medqa_core.foundation.progress import Progress, StageProgress, silent
from medqa_core.foundation.settings import Settings
from medqa_core.jobs.explanation import fetched
from medqa_core.models import token_lengths
from medqa_core.models.references import EMBEDDED
from medqa_core.runs.schema.config import SPLIT_VERSION, TrainConfig, validated

app = typer.Typer(help="Describe, split and fetch data sets; fetch the embedded model.", rich_markup_mode=None)
Size = Annotated[str | None, typer.Option(help="Pairs, or a fraction such as 0.1; default: a share of what there is.")]


Source = Annotated[
    str,
    typer.Option(
        help="starter, medquad, MedQuAD's ZIP or folder, a file or folder of your own (docs/data.md), or a hub id."
    ),
]
Columns = Annotated[
    str | None, typer.Option(metavar="OURS=THEIRS,…", help="The file's columns, such as question=Q,answer=A.")
]
TestFile = Annotated[
    str | None, typer.Option("--test", metavar="DATA", help="Test questions of their own, instead of a part.")
]
Method = Annotated[str, typer.Option(help="grouped, which keeps what is shared in one part, or random, which leaks.")]
Version = Annotated[int, typer.Option(help="What counts as shared: 2, or 1 as before version 0.3.")]
Seed = Annotated[int, typer.Option(help="Seed of the split.")]


@app.command()
def describe(
    source: Source = "starter",
    test: TestFile = None,
    columns: Columns = None,
    train_size: Size = None,
    validation_size: Size = None,
    test_size: Size = None,
    split: Method = "grouped",
    split_version: Version = SPLIT_VERSION,
    seed: Seed = 42,
    max_tokens: Annotated[int, typer.Option(help="Longest example in tokens; longer ones are truncated.")] = 384,
    json: JsonFlag = False,
) -> None:
    """Count and split a data set, and measure what leaks.

    A leak is what the test set shares with the training set.
    """
    settings = Settings.from_environment()
    config, data = _data(
        settings,
        dataset=source,
        test_dataset=test,
        columns=columns,
        train_size=train_size,
        validation_size=validation_size,
        test_size=test_size,
        split_method=split,
        split_version=split_version,
        split_seed=seed,
        max_tokens=max_tokens,
    )
    found = describing.describe(data, config)
    tokens = _tokens(found, settings)
    if json:
        print_json({**found.facts(), "tokens": tokens})
    else:
        _show(found, tokens)


@app.command("split")
def list_split(
    source: Source = "starter",
    test: TestFile = None,
    columns: Columns = None,
    train_size: Size = None,
    validation_size: Size = None,
    test_size: Size = None,
    split: Method = "grouped",
    split_version: Version = SPLIT_VERSION,
    seed: Seed = 42,
    json: JsonFlag = False,
) -> None:
    """List which pair is in which part, and its group.

    Pairs that share something have the same group.
    """
    config, data = _data(
        Settings.from_environment(),
        dataset=source,
        test_dataset=test,
        columns=columns,
        train_size=train_size,
        validation_size=validation_size,
        test_size=test_size,
        split_method=split,
        split_version=split_version,
        split_seed=seed,
    )
    made = split_pairs(data.pairs, config)
    rows = [
        {"id": pair.id, "part": part, "group": made.groups[pair.id]} for part in PARTS for pair in getattr(made, part)
    ]
    if json:
        known = {"split_version": made.version, "split_seed": config.split_seed, "split_hash": made.hash}
        print_json({"source": data.name, **known, "pairs": rows})
    else:
        for row in rows:
            say("\t".join((row["part"], row["id"], row["group"])))


def _data(settings: Settings, **given: Any) -> tuple[TrainConfig, PairSet]:
    """The configuration of what was given, with the data set's own sizes where none was, and the data set."""
    config = validated({name: value for name, value in given.items() if value is not None})
    data = data_for(config, settings)
    return describing.with_default_sizes(config, data), data


@app.command()
def fetch(
    name: Annotated[
        str, typer.Argument(help="The embedded model, `medquad`, or a data set of the hub (owner/name).")
    ] = EMBEDDED,
) -> None:
    """Fetch the embedded model or a data set into the cache.

    Afterwards it works without a network.
    """
    fetch_into_cache(name, Settings.from_environment(), note)
    say(fetched(name))


def fetch_into_cache(name: str, settings: Settings, progress: Progress, steps: StageProgress = silent) -> None:
    """Fetch a model or a data set by its name. Raises as `embedded.ensure` and `sources.fetch`."""
    if name == EMBEDDED:
        from medqa_core.models import embedded

        embedded.ensure(settings.cache, progress, steps=steps)
    else:
        progress(f"Downloading {name}")
        sources.fetch(name, settings, steps)


def _tokens(found: Description, settings: Settings) -> dict[str, Any] | None:
    """How long the examples are for the embedded model, in its tokens; None where it is not in the cache."""
    folder = token_lengths.tokenizer_folder(EMBEDDED, settings.cache)
    if folder is None:
        return None
    lengths = token_lengths.token_lengths(found.data.pairs, folder)
    return {
        "mean": round(float(np.mean(lengths.whole)), 1),
        "median": round(float(np.median(lengths.whole)), 1),
        "p95": round(float(np.percentile(lengths.whole, 95)), 1),
        "truncated_share": round(lengths.truncated_share(found.config.max_tokens), 4),
        "max_tokens": found.config.max_tokens,
        "tokenizer": EMBEDDED,
    }


def _show(found: Description, tokens: dict[str, Any] | None) -> None:
    facts = found.facts()
    overlap, templates = facts.pop("overlap"), facts.pop("templates")
    for name, value in facts.items():
        shown = ", ".join(f"{k} {v:,}" for k, v in value.items()) if isinstance(value, dict) else value
        shown = "; ".join(value) if isinstance(value, list) else shown
        _line(name, f"{shown:,}" if isinstance(shown, int) and name != "split_seed" else str(shown or "none"))
    if tokens is None:
        _line("tokens", f"not counted: the embedded model is not in the cache; `{token_lengths.FETCH}` fetches it")
    else:
        cut = f"{tokens['truncated_share']:.1%} longer than {tokens['max_tokens']:,}, truncated in training"
        _line("tokens", f"mean {tokens['mean']:,}, median {tokens['median']:,}, p95 {tokens['p95']:,}; {cut}")
    _line("answers in training", ", ".join(f"{overlap[key]:.1%} {words}" for key, words in NGRAMS.items()))
    share, types = templates["share"], templates["by_question_type"]
    _line("template text", f"{share:.1%} of the answers' words; most in {next(iter(types))}" if share else "none")
    sentence = describing.leakage_sentence(found.overlap, found.sizes.test)
    if describing.leaks(found.overlap):
        Console().print(f"{'leakage':<20} ▼ {sentence}", style="red", markup=False, highlight=False, soft_wrap=True)
    else:
        _line("leakage", sentence)


NGRAMS = {
    "ngram13_any": "of the test answers have a 13-word overlap with a training answer",
    "ngram13_over_half": "overlap in more than half of their words",
    "ngram13_over_80": "in more than 80%",
}


def _line(name: str, value: str) -> None:
    say(f"{name:<20} {value}")
