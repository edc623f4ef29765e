"""`data`: what there is to train on."""

from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console

from medqa_core.cli.output import JsonFlag, note, print_json, say
from medqa_core.data import describe as describing
from medqa_core.data import sources
from medqa_core.data.describe import Description
from medqa_core.foundation.settings import Settings
from medqa_core.models import token_lengths
from medqa_core.models.references import EMBEDDED
from medqa_core.runs.schema.config import validated

app = typer.Typer(help="The data sets and the embedded model.", rich_markup_mode=None)
Size = Annotated[str | None, typer.Option(help="Pairs, or a fraction such as 0.1; default: a share of what there is.")]


@app.command()
def describe(
    source: Annotated[
        str,
        typer.Option(help="starter, medquad, MedQuAD's ZIP or folder, a CSV, JSONL or Parquet file, or a hub id."),
    ] = "starter",
    columns: Annotated[
        str | None, typer.Option(metavar="OURS=THEIRS,…", help="The file's columns, such as question=Q,answer=A.")
    ] = None,
    train_size: Size = None,
    validation_size: Size = None,
    test_size: Size = None,
    split: Annotated[str, typer.Option(help="grouped, which does not leak, or random, which does.")] = "grouped",
    seed: Annotated[int, typer.Option(help="Seed of the split.")] = 42,
    max_tokens: Annotated[int, typer.Option(help="Longest example in tokens; longer ones are truncated.")] = 384,
    json: JsonFlag = False,
) -> None:
    """Count a data set, split it, and report how much of the test set leaks into training."""
    settings = Settings.from_environment()
    given = {
        "dataset": source,
        "columns": columns,
        "train_size": train_size,
        "validation_size": validation_size,
        "test_size": test_size,
        "split_method": split,
        "split_seed": seed,
        "max_tokens": max_tokens,
    }
    config = validated({name: value for name, value in given.items() if value is not None})
    data = sources.load(source, settings, config.columns)
    found = describing.describe(data, describing.with_default_sizes(config, data))
    tokens = _tokens(found, settings)
    if json:
        print_json({**found.facts(), "tokens": tokens})
    else:
        _show(found, tokens)


@app.command()
def fetch() -> None:
    """Fetch and convert the embedded model, once; afterwards everything works without a network."""
    from medqa_core.models import embedded

    folder = embedded.ensure(Settings.from_environment().cache, note)
    say(f"The embedded model is ready: {folder}")


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
    overlap = facts.pop("overlap")
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
