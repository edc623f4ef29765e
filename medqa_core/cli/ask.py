"""`ask`: one question, both models."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, note, print_json, say
from medqa_core.foundation.errors import EmergencyDescribed
from medqa_core.foundation.settings import Settings

if TYPE_CHECKING:
    from medqa_core.answering.compare import Answers

NOTICE = "A research demo, not medical advice."


def ask(
    run: RunArgument,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to ask.")],
    temperature: Annotated[float, typer.Option(help="0 is greedy; up to 2.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(help="Tokens an answer may have, up to 512.")] = 128,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 42,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights: faster, and less exact.")] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="Add an answer that uses passages of the run's training data.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Ask the base and the fine-tuned model of a run the same question.

    A question that describes an emergency gets a referral in place of the answers.
    """
    from medqa_core.answering.compare import Answers
    from medqa_core.answering.question import GenerationSettings, Question
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
        temperature=temperature, max_new_tokens=max_tokens, seed=seed, precision="int8" if int8 else "float32"
    )
    service = AnswerService.of(Settings.from_environment())
    found = Answers({})
    for found in service.answers(checked, run, settings, with_sources=sources, progress=note):
        if sys.stderr.isatty():
            typer.echo(f"\r{sum(a.tokens for a in found.by_column.values())} tokens", nl=False, err=True)
    if sys.stderr.isatty():
        note("")
    if json:
        answers = {column: answer.as_dict() for column, answer in found.by_column.items()}
        notice = f"{NOTICE} {checked.notice}".rstrip()
        shown = {"question": checked.text, "answers": answers, "notice": notice}
        print_json({**shown, "passages": [asdict(one) for one in found.passages]} if sources else shown)
    else:
        _say_answers(found)


def _say_answers(found: "Answers") -> None:
    from medqa_core.answering.compare import COLUMN_NAMES

    for column, answer in found.by_column.items():
        adapter = answer.provenance.adapter_sha256
        say(f"{COLUMN_NAMES[column]}: {answer.provenance.model}" + (f" + adapter {adapter[:12]}" if adapter else ""))
        say(f"  {answer.text or '(no answer)'}")
        speed = f"{answer.tokens} tokens in {answer.seconds:.1f} s ({answer.tokens_per_second:.1f} tokens/s)"
        say(f"  {speed}, finish reason: {answer.finish_reason}\n")
    for number, passage in enumerate(found.passages, 1):
        say(f"[{number}] {passage.question} ({passage.url or passage.source})\n    {passage.text}\n")
    say(NOTICE)
