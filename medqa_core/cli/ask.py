"""`ask`: one question, both models."""

import sys
from typing import Annotated

import typer

from medqa_core.cli.output import JsonFlag, RunArgument, note, print_json, say
from medqa_core.foundation.errors import EmergencyDescribed
from medqa_core.foundation.settings import Settings

NOTICE = "A research demo, not medical advice."


def ask(
    run: RunArgument,
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to ask.")],
    temperature: Annotated[float, typer.Option(help="0 is greedy; up to 2.")] = 0.3,
    max_tokens: Annotated[int, typer.Option(help="Tokens an answer may have, up to 512.")] = 128,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 42,
    json: JsonFlag = False,
) -> None:
    """Ask the base and the fine-tuned model of a run the same question.

    A question that describes an emergency gets a referral in place of both answers.
    """
    from medqa_core.answering.compare import compare
    from medqa_core.answering.pool import PairPool
    from medqa_core.answering.question import GenerationSettings, checked_question

    try:
        checked = checked_question(question)
    except EmergencyDescribed as emergency:
        if json:
            print_json({"question": question, "referral": str(emergency), "notice": NOTICE})
        else:
            say(str(emergency))
        return
    settings = GenerationSettings.checked(temperature=temperature, max_new_tokens=max_tokens, seed=seed)
    with PairPool(Settings.from_environment()).lend(run, note) as pair:
        answers = {}
        for answers in compare(pair, checked, settings):
            if sys.stderr.isatty():
                typer.echo(f"\r{sum(a.tokens for a in answers.values())} tokens", nl=False, err=True)
        if sys.stderr.isatty():
            note("")
    if json:
        print_json({"question": checked, "answers": {s: a.as_dict() for s, a in answers.items()}, "notice": NOTICE})
        return
    for side, answer in answers.items():
        name = {"base": "Base model", "fine_tuned": "Fine-tuned model"}[side]
        adapter = answer.provenance.adapter_sha256
        say(f"{name}: {answer.provenance.model}" + (f" + adapter {adapter[:12]}" if adapter else ""))
        say(f"  {answer.text or '(no answer)'}")
        speed = f"{answer.tokens} tokens in {answer.seconds:.1f} s ({answer.tokens_per_second:.1f} a second)"
        say(f"  {speed}, {answer.state}\n")
    say(NOTICE)
