"""The tables of figures: the four at the top, training, metrics, kinds of question, sources, the clean subset."""

from collections.abc import Mapping

from medqa_core.foundation.format import NOT_STATED, capital, count, number, p_number, words
from medqa_core.report.document.model import Cell, Column, Table
from medqa_core.report.facts import Facts
from medqa_core.report.names import METRICS
from medqa_core.report.views.controls import best_control, control_views
from medqa_core.report.views.figures import Figure, figure_of, figures
from medqa_core.report.views.headline import Headline
from medqa_core.report.views.metric import MetricView, clean, metric_views, whole
from medqa_core.report.wording.headline import headline_text
from medqa_core.report.wording.metric import change_text, level_text, size_number, value_text
from medqa_core.runs.schema.evaluation import Metric, MetricName

MOST_ROWS = 40
MOST_TASKS = 100
TRAINING = ("train_minutes", "final_train_loss", "samples_per_second", "steps", "best_validation_loss", "best_step")
LOSSES = ("mean_train_loss", "last_train_loss")
"""What stands in for the final training loss where a source states the mean over the run and the last one."""
NOT_COMPARED = Cell("not compared")

Row = tuple[Cell, ...]
Slices = Mapping[str, Mapping[MetricName, Metric]]


def headline(found: tuple[Headline, ...]) -> Table:
    """The four figures."""
    rows = []
    for one in found:
        text = headline_text(one)
        verdict = Cell("reported" if one.origin == "reported" else "")
        if one.compared:
            verdict = Cell.of_verdict(one.metric.verdict)
        rows.append((one.label, text.base, text.fine_tuned, text.change or "not compared", verdict))
    return Table.of(("Figure", _number("Base"), _number("Fine-tuned"), _number("Difference"), "Verdict"), rows)


def training(facts: Facts) -> Table:
    """The figures of training, each with who says so."""
    found = figures(facts)
    losses = [name for name in LOSSES if found[name].value is not None]
    names = [name for one in TRAINING for name in (losses if losses and one == "final_train_loss" else [one])]
    rows = [(found[name].label, found[name].text, found[name].origin) for name in names]
    return Table.of(("Figure", _number("Value"), "Origin"), rows)


def metrics(facts: Facts) -> Table | None:
    """Base against fine-tuned by metric; None where neither has a figure."""
    found, known = figures(facts), whole(facts)
    mark = " (reported)" if facts.imported else ""
    rows: list[Row] = []
    for name in METRICS:
        metric, figure = known.get(name), figure_of(found, name)
        if metric is not None and metric.known:
            rows.append(_row(Cell(metric.label), metric, mark))
        elif figure.value is not None:
            rows.append(_alone(METRICS[name].label, figure))
    return Table(_columns("Metric", known), tuple(rows)) if rows else None


def metrics_in_detail(shown: Mapping[str, MetricView], primary: str) -> Table:
    """The same for a page: with p-values, directions, and what each test could detect."""
    rows = tuple(_row(_about(shown[name], primary), shown[name], detail=True) for name in METRICS if name in shown)
    return Table(_columns("Metric", shown, detail=True), rows)


def tasks(facts: Facts) -> Table | None:
    """Every task that an imported results file states, with its error; None where it states none."""
    scores = facts.record.imported.tasks if facts.record.imported is not None else []
    rows = [
        (
            words(score.task, 80),
            words(score.metric, 60),
            number(score.value),
            NOT_STATED if score.stderr is None else f"± {number(score.stderr)}",
            NOT_STATED if score.n is None else count(score.n),
            NOT_STATED if score.shots is None else count(score.shots),
        )
        for score in scores[:MOST_TASKS]
    ]
    head = ("Task", "Metric", _number("Value"), _number("Standard error"), _number("Questions"), _number("Examples"))
    return Table.of(head, rows) if rows else None


def controls(facts: Facts) -> Table | None:
    """Each score of the models beside the controls', and the fine-tuned model against the best; None without any."""
    views, models = control_views(facts), whole(facts)
    known = [one for one in views if one.values]
    if not known:
        return None
    columns = ("Base", "Fine-tuned", *(capital(one.label) for one in known))
    rows: list[Row] = []
    for name in METRICS:
        best = best_control(views, name)
        if best is None or name not in models:
            continue
        against = best.fine_tuned.get(name)
        values = (models[name].base, models[name].fine_tuned, *(one.values.get(name) for one in known))
        difference = None if against is None or against.difference is None else change_text(against)
        rows.append(
            (
                Cell(capital(METRICS[name].label)),
                *(Cell(None if value is None else value_text(name, value)) for value in values),
                Cell(difference),
                NOT_COMPARED if against is None else Cell.of_verdict(against.verdict),
            )
        )
    titles = (Column("Score"), *map(_number, columns), _number("Fine-tuned − best control"), Column("Verdict"))
    return Table(titles, tuple(rows))


def clean_subset(facts: Facts) -> Table | None:
    """Every metric on the questions without overlap with the training data; None if not measured."""
    known = clean(facts)
    rows = tuple(_row(Cell(known[name].label), known[name]) for name in METRICS if name in known)
    return Table(_columns("Clean subset", whole(facts)), rows) if rows else None


def by_question_type(facts: Facts) -> Table | None:
    """The primary metric by question type; None where the evaluation has no types."""
    return None if facts.evaluation is None else _slices(facts, "type", facts.evaluation.by_question_type)


def by_source(facts: Facts) -> Table | None:
    """The primary metric by where the question comes from; None where the evaluation does not say."""
    return None if facts.evaluation is None else _slices(facts, "source", facts.evaluation.by_source)


def slices_in_detail(by: str, slices: Slices, name: str) -> Table:
    """One metric by `by`, for a page: most questions first, with p-values and what each test could detect."""
    found = [(key, metric_views(metrics.items()).get(name)) for key, metrics in slices.items()]
    kept = sorted(((key, m) for key, m in found if m is not None), key=lambda item: -(item[1].n or 0))
    rows = tuple(_row(Cell(key), metric, detail=True) for key, metric in kept)
    return Table(_columns(capital(by), dict(kept), detail=True), rows)


def _slices(facts: Facts, by: str, slices: Slices) -> Table | None:
    name = str(facts.evaluation.primary_metric) if facts.evaluation else ""
    found = [(words(key, 40), metric_views(ms.items()).get(name)) for key, ms in sorted(slices.items())]
    rows = [_row(Cell(label), metric) for label, metric in found if metric is not None]
    if not rows:
        return None
    columns = _columns(f"{METRICS[name].label} by {by}", whole(facts))
    if len(rows) > MOST_ROWS:
        more = Cell(f"{len(rows) - MOST_ROWS:,} more {by}s")
        rows = [*rows[:MOST_ROWS], (more, *[Cell("")] * (len(columns) - 1))]
    return Table(columns, tuple(rows))


def _row(label: Cell, metric: MetricView, mark: str = "", *, detail: bool = False) -> Row:
    """A line of a table of metrics; `mark` goes behind both models' values, `detail` adds the test."""

    def value(number: float | None) -> Cell:
        return Cell(None if number is None else f"{value_text(metric.name, number)}{mark}")

    test = (Cell(None if metric.p is None else p_number(metric.p)),) if detail else ()
    verdict = Cell.of_verdict(metric.verdict, _precision(metric) if detail else ()) if metric.compared else NOT_COMPARED
    return (
        label,
        value(metric.base),
        value(metric.fine_tuned),
        Cell(None if metric.difference is None else change_text(metric)),
        *test,
        Cell(None if metric.n is None else count(metric.n)),
        verdict,
    )


def _alone(label: str, figure: Figure) -> Row:
    unknown = Cell(None)
    return (Cell(label), unknown, Cell(f"{figure.text} ({figure.origin})"), unknown, unknown, NOT_COMPARED)


def _columns(first: str, metrics: Mapping[str, MetricView], *, detail: bool = False) -> tuple[Column, ...]:
    levels = {level_text(metric.level) for metric in metrics.values() if metric.interval is not None}
    level = f" [{levels.pop()} interval]" if len(levels) == 1 else ""
    test = (_number("p"),) if detail else ()
    values = (_number("Base"), _number("Fine-tuned"), _number(f"Difference{level}"))
    return (Column(first), *values, *test, _number("Questions"), Column("Verdict"))


def _about(metric: MetricView, primary: str) -> Cell:
    """A metric's name with its unit and direction, and whether it is the primary one."""
    notes = (metric.spec.unit, "lower is better" if metric.spec.lower_is_better else "")
    return Cell(capital(metric.label), (*(n for n in notes if n), *["primary"] * (metric.name == primary)))


def _precision(metric: MetricView) -> tuple[str, ...]:
    """What the test could detect and how many questions it would need, in a few words each."""
    reason = (metric.reason,) if metric.reason else ()
    if metric.verdict == "equivalent" and metric.margin:
        return (*reason, f"within ±{_size(metric, metric.margin)}")
    if metric.verdict != "cannot tell":
        return reason
    size, n = metric.min_detectable_effect, metric.required_n
    detects = (f"detects {_size(metric, size)} or more",) if size else ()
    needs = (f"needs {count(n)} questions",) if n and metric.margin else ()
    return (*reason, *detects, *needs)


def _size(metric: MetricView, size: float) -> str:
    return f"{size_number(metric.name, size)}{' points' if metric.name == 'mmlu' else ''}"


def _number(title: str) -> Column:
    return Column(title, "number")
