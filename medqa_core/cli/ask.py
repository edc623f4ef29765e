"""`ask`: one question, both models."""

import sys
from dataclasses import asdict
from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, note, print_json, say
from medqa_core.foundation.errors import EmergencyDescribed
from medqa_core.foundation.settings import Settings

NAMES = {"base": "Base model", "fine_tuned": "Fine-tuned model", "with_sources": "With sources"}
NOTICE = "A research demo, not medical advice."


def ask(
    run: RunArgument,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to ask.")],
    temperature: Annotated[float, typer.Option(help="0 is greedy; up to 2.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(help="Tokens an answer may have, up to 512.")] = 128,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 42,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights: faster, and less exact.")] = False,
    sources: Annotated[
        bool, typer.Option("--sources", help="A third answer, from passages of the run's training documents.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Ask the base and the fine-tuned model of a run the same question.

    A question that describes an emergency gets a referral in place of the answers.
    """
    from medqa_core.answering.question import GenerationSettings, checked_question
    from medqa_core.answering.retrieval.passages import Passage
    from medqa_core.answering.service import AnswerService
    from medqa_core.answering.sources import reading

    try:
        checked = checked_question(question)
    except EmergencyDescribed as emergency:
        if json:
            print_json({"question": question, "referral": str(emergency), "notice": NOTICE})
        else:
            say(str(emergency))
        return
    settings = GenerationSettings.checked(
        temperature=temperature, max_new_tokens=max_tokens, seed=seed, precision="int8" if int8 else "float32"
    )
    service = AnswerService(Settings.from_environment())
    passages: list[Passage] = []
    answers = {}
    ground = reading(service, checked, passages) if sources else None
    for answers in service.answers(checked, run, settings, grounding=ground, progress=note):
        if sys.stderr.isatty():
            typer.echo(f"\r{sum(a.tokens for a in answers.values())} tokens", nl=False, err=True)
    if sys.stderr.isatty():
        note("")
    if json:
        found = {"question": checked, "answers": {s: a.as_dict() for s, a in answers.items()}, "notice": NOTICE}
        print_json({**found, "passages": [asdict(one) for one in passages]} if sources else found)
        return
    for variant, answer in answers.items():
        adapter = answer.provenance.adapter_sha256
        say(f"{NAMES[variant]}: {answer.provenance.model}" + (f" + adapter {adapter[:12]}" if adapter else ""))
        say(f"  {answer.text or '(no answer)'}")
        speed = f"{answer.tokens} tokens in {answer.seconds:.1f} s ({answer.tokens_per_second:.1f} a second)"
        say(f"  {speed}, {answer.state}\n")
    for number, passage in enumerate(passages, 1):
        say(f"[{number}] {passage.question} ({passage.url or passage.source})\n    {passage.text}\n")
    say(NOTICE)
