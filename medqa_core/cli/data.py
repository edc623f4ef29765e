"""`data`: what there is to train on."""

from collections import Counter
from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, note, print_json, say
from medqa_core.data import sources
from medqa_core.foundation.settings import Settings

app = typer.Typer(help="The data sets and the embedded model.", rich_markup_mode=None)


@app.command()
def describe(
    source: Annotated[str, typer.Option(help=f"One of: {', '.join(sources.SOURCES)}.")] = "starter",
    json: JsonFlag = False,
) -> None:
    """Count a data set by source and question type."""
    data = sources.load(source, Settings.from_environment())
    facts = {
        "source": data.name,
        "licence": data.licence,
        "pairs_parsed": data.pairs_parsed,
        "pairs_answered": data.pairs_answered,
        "duplicates_dropped": data.duplicates_dropped,
        "topics": len({pair.topic.lower() for pair in data.pairs}),
        "by_source": dict(Counter(pair.source for pair in data.pairs).most_common()),
        "by_question_type": dict(Counter(pair.question_type for pair in data.pairs).most_common()),
        "filters": list(data.filters),
    }
    if json:
        print_json(facts)
        return
    for name, value in facts.items():
        shown = ", ".join(f"{k} {v:,}" for k, v in value.items()) if isinstance(value, dict) else value
        say(f"{name:<20} {shown:,}" if isinstance(shown, int) else f"{name:<20} {shown or 'none'}")


@app.command()
def fetch() -> None:
    """Fetch and convert the embedded model, once; afterwards everything works without a network."""
    from medqa_core.models import embedded

    folder = embedded.ensure(Settings.from_environment().cache, note)
    say(f"The embedded model is ready: {folder}")
