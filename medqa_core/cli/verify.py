"""`verify`: whether a run's figures still follow from its files, its data and its models."""

from medqa_core.cli.output import JsonFlag, RunArgument, note, print_json, say
from medqa_core.foundation.errors import MedQAError
from medqa_core.foundation.settings import Settings
from medqa_core.runs.store.run_store import RunStore

WORDS = {True: "ok", False: "FAILS", None: "cannot check"}


class NotVerified(MedQAError):
    """A check failed."""


def verify(run: RunArgument, json: JsonFlag = False) -> None:
    """Check a run: files against their checksums, figures against the rows they come from, variants against the models.

    Exits with 1 if a check fails; one that cannot be made here says why and does not count.
    """
    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    from medqa_core.evaluation.verify import verify as check

    checks = check(opened, settings, note)
    failed = [one.name for one in checks if one.passed is False]
    if json:
        rows = [one.model_dump(mode="json") for one in checks]
        print_json({"run": run, "checks": rows, "passed": not failed})
    else:
        width = max(len(one.name) for one in checks)
        for one in checks:
            say(f"{WORDS[one.passed]:<12}  {one.name:<{width}}  {one.detail}")
    if failed:
        raise NotVerified(f"{run}: {len(failed)} of {len(checks)} checks fail: {', '.join(failed)}.")
