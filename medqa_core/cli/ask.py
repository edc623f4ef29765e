"""`ask`: one question, both models."""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, note, print_json, say
from medqa_core.foundation.errors import EmergencyDescribed
from medqa_core.foundation.settings import Settings
from medqa_core.report.wording import library as library_wording

if TYPE_CHECKING:
    from medqa_core.answering.compare import Answers, Column

NOTICE = "A research demo, not medical advice."


def ask(
    run: RunArgument,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to ask.")],
    temperature: Annotated[float, typer.Option(help="0 is greedy; up to 2.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(help="Tokens an answer may have, up to 512.")] = 128,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 42,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights: faster, and less exact.")] = False,
    no_repeat_ngram: Annotated[
        int | None,
        typer.Option(help="No run of this many tokens comes twice in an answer, up to 10; 0: no limit. Default: 4."),
    ] = None,
    with_sources: Annotated[
        bool | None,
        typer.Option(
            "--with-sources/--without-sources",
            help="Read passages of the library first: both models of a run fine-tuned to read (its default), of "
            "another run a third answer.",
        ),
    ] = None,
    library: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Documents of your own to look passages up in: a folder of text, Markdown, HTML and PDF files, or a "
            "table. Default: MEDQA_LIBRARY, else the run's data set, else the starter set.",
        ),
    ] = None,
    sources: Annotated[bool, typer.Option("--sources", hidden=True, help="What 0.2 called --with-sources.")] = False,
    json: JsonFlag = False,
) -> None:
    """Ask both models of a run the same question.

    A question that describes an emergency gets a referral in place of the answers.
    """
    from medqa_core.answering.compare import Answers
    from medqa_core.answering.question import ASK_NO_REPEAT, GenerationSettings, Question
    from medqa_core.answering.service import AnswerService

    try:
        checked = Question.checked(question)
    except EmergencyDescribed as emergency:
        if json:
            print_json({"question": question, "referral": str(emergency), "notice": NOTICE})
        else:
            say(str(emergency))
        return
    if checked.notice and not json:
        say(f"{checked.notice}\n")
    settings = GenerationSettings.checked(
        temperature=temperature,
        max_new_tokens=max_tokens,
        seed=seed,
        precision="int8" if int8 else "float32",
        no_repeat_ngram=ASK_NO_REPEAT if no_repeat_ngram is None else no_repeat_ngram,
    )
    service = AnswerService.of(_with_library(Settings.from_environment(), library))
    wanted = True if sources or (library is not None and with_sources is None) else with_sources
    found = Answers({})
    for found in service.answers(checked, run, settings, with_sources=wanted, progress=note):
        if sys.stderr.isatty():
            typer.echo(f"\r{sum(a.tokens for a in found.by_column.values())} tokens", nl=False, err=True)
    if sys.stderr.isatty():
        note("")
    if json:
        notice = f"{NOTICE} {checked.notice}".rstrip()
        shown = found.as_dict()
        answers = {column: shown.pop(column) for column in found.by_column}
        print_json({"question": checked.text, "answers": answers, "notice": notice, **shown})
    else:
        _say_answers(found)


def _with_library(settings: Settings, library: Path | None) -> Settings:
    return settings if library is None else replace(settings, library=library.expanduser().absolute())


def _say_answers(found: "Answers") -> None:
    from medqa_core.answering.compare import COLUMN_NAMES

    for column, answer in found.by_column.items():
        adapter = answer.provenance.adapter_sha256
        say(f"{COLUMN_NAMES[column]}: {answer.provenance.model}" + (f" + adapter {adapter[:12]}" if adapter else ""))
        say(f"  {_marked(found, column) or '(no answer)'}")
        speed = f"{answer.tokens} tokens in {answer.seconds:.1f} s ({answer.tokens_per_second:.1f} tokens/s)"
        say(f"  {speed}, finish reason: {answer.finish_reason}\n")
    if found.searched is not None:
        on = found.searched
        say(f"{library_wording.sentence(on.kind, on.title, on.passages, on.match, on.least_match)}\n")
        if found.off_topic:
            say(f"{library_wording.off_topic(found.off_topic)}\n")
        for line in on.left_out:
            say(f"Left out: {line}\n")
    for number, passage in enumerate(found.passages, 1):
        name = ": ".join(part for part in (passage.topic, passage.question) if part)
        page = f", page {passage.page}" if passage.page else ""
        say(f"[{number}] {name} ({passage.url or passage.source}{page})\n    {passage.text}\n")
    say(NOTICE)


def _marked(found: "Answers", column: "Column") -> str:
    """An answer; of one with sources each sentence names the passage that supports it."""
    sentences = found.sentences(column)
    if not sentences:
        return found.by_column[column].text
    pieces = []
    for one in sentences:
        text = one.text.rstrip()
        mark = "" if one.share is None else f" [{one.passage or 'unsupported'}]"
        pieces.append(f"{text}{mark}{one.text[len(text) :]}")
    return "".join(pieces)
