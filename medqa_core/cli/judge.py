"""`judge`: ask a judge model which answers agree better with the references."""

from typing import Annotated, Any

import typer

from medqa_core.cli.output import Bars, JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.format import count, plural
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.report.facts import Facts
from medqa_core.report.views.model_judge import judge_view
from medqa_core.report.wording.model_judge import notes, sentence
from medqa_core.runs.store.run_store import RunStore

CHARACTERS = 4
"""Of English text in a token, about."""


def judge(
    run: RunArgument,
    questions: Annotated[
        int | None, typer.Option(min=1, help="This many test questions, chosen at random, instead of all.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Send to the address; without it only what would be sent.")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Let a judge model compare both models' answers.

    It says which answer agrees better with the references, and sees each pair in both orders. `MEDQA_JUDGE` names an
    OpenAI-compatible address (with `MEDQA_JUDGE_MODEL`, and `MEDQA_JUDGE_KEY` where it needs one) or a model of this
    machine. It can be interrupted: the next call resumes where this one stopped.
    """
    from medqa_core.evaluation.model_judge.address import AddressJudge
    from medqa_core.evaluation.model_judge.judging import ask, judge_of, plan

    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    asked = judge_of(settings)
    planned = plan(opened, settings, questions)
    host = asked.host if isinstance(asked, AddressJudge) else None
    facts: dict[str, Any] = {
        "run": opened.id,
        "judge": asked.name,
        "host": host,
        "questions": len(planned.pairs),
        "requests": planned.requests,
        "characters": planned.characters,
    }
    if host is not None and not yes:
        print_json({**facts, "sent": False}) if json else say(f"{_planned(facts)} Nothing was sent. To send it: --yes")
        return
    if not json:
        say(_planned(facts))
    with Bars() as progress:
        result = ask(opened, asked, planned, progress)
    writer.write(opened)
    if json:
        print_json({**facts, "sent": True, "result": result.model_dump(mode="json")})
        return
    view = judge_view(Facts.of(opened))
    assert view is not None, "just written"
    for line in (sentence(view), *notes(view)):
        say(line)


def _planned(facts: dict[str, Any]) -> str:
    where = f"at {facts['host']}" if facts["host"] else "on this machine"
    tokens = count(round(facts["characters"] / CHARACTERS))
    leaves = " Questions, references and both models' answers go to that address." if facts["host"] else ""
    return (
        f"{facts['judge']} {where} judges {plural(facts['questions'], 'question')} in both orders: "
        f"{plural(facts['requests'], 'request')} of about {tokens} tokens in all, not counting replies.{leaves}"
    )
