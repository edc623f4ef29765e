"""`retrieval`: how often the search behind the answers with sources finds what a question needs."""

from medqa_core.cli.output import Bars, JsonFlag, RunArgument, print_json, say
from medqa_core.foundation.format import count, share
from medqa_core.foundation.settings import Settings
from medqa_core.report import writer
from medqa_core.runs.artifacts.retrieval import Retrieval
from medqa_core.runs.store.run_store import RunStore


def retrieval(run: RunArgument, json: JsonFlag = False) -> None:
    """Measure the search for passages on a run's test questions.

    No model answers. Known item: the question's own document, in an index that also holds the held-out answers.
    Support: a training passage that has a 13-word overlap with a reference answer, beside as many passages chosen at
    random.
    """
    from medqa_core.answering.retrieval.recall import measure_retrieval

    settings = Settings.from_environment()
    opened = RunStore(settings.reports).open(run)
    with Bars() as progress:
        result = measure_retrieval(opened, settings, progress)
    writer.write(opened)
    if json:
        print_json(result.model_dump(mode="json"))
    else:
        for line in _table(result):
            say(line)


def _table(result: Retrieval) -> list[str]:
    def line(k: str, *cells: str) -> str:
        return f"{k:<8}" + "".join(f"{cell:>26}" for cell in cells)

    measures = (result.known_item, result.support, result.support_by_chance)
    return [
        f"{count(result.questions)} test questions; {result.method}; 95% intervals",
        line("first", "known item", "support", "support by chance"),
        line("", *(f"{count(n)} passages" for n in (result.known_item_passages, result.passages, result.passages))),
        *(line(str(row[0].k), *(share(one.share, one.ci) for one in row)) for row in zip(*measures, strict=True)),
    ]
