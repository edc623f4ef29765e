import re
from typing import Any

import pytest

from medqa_core.report.charts.forest import MOST, describe, rows, scale_ends
from medqa_core.report.charts.forest_svg import forest_svg
from medqa_core.report.facts import Facts
from medqa_core.report.templates import html
from medqa_core.report.views.metric import MetricView, metric_views, whole
from medqa_core.runs.schema.evaluation import Metric
from tests.support.evaluations import metric
from tests.support.full_run import full
from tests.support.runs import RunBuilder


def made(**values: dict[str, Any]) -> dict[str, MetricView]:
    return metric_views({name: Metric.model_validate(value) for name, value in values.items()})


def test_right_of_zero_is_better_whichever_way_the_metric_runs() -> None:
    loss, rouge = rows(made(loss=metric(2.0, 1.5, 0.1, "better"), rougeL=metric(0.2, 0.1, 0.05, "worse")))
    assert loss.middle == pytest.approx(25.0)
    assert loss.ends == pytest.approx((20.0, 30.0))
    assert rouge.middle == pytest.approx(-50.0)
    low, high = scale_ends([loss, rouge])
    assert low < -75 and high > 30


def test_what_cannot_be_drawn_is_left_out() -> None:
    found = rows(
        made(
            loss=metric(None, 2.0, 0, "cannot tell"),
            rougeL=metric(0.0, 0.1, 0.05, "better"),
            rouge1=metric(0.2, 0.2, 0.0, "cannot tell"),
            rouge2=metric(1e-9, 0.5, 0.1, "better"),
        )
    )
    assert [row.name for row in found] == ["rouge1", "rouge2"]
    assert found[1].middle == MOST


def test_the_figure_says_in_words_what_it_shows(build: RunBuilder) -> None:
    facts = Facts.of(full(build))
    drawn = forest_svg(facts)
    label = re.findall(r'aria-label="([^"]*)"', drawn)[0]
    assert "loss −0.412 [−0.462, −0.362], +17.0% (better)" in label
    assert "MMLU +1.0 [−1.0, 3.0] points, +4.0% (inconclusive)" in label
    assert drawn.count("<circle") == drawn.count('class="zero"') == 7
    assert drawn.count("▲ better") == 4 and drawn.count("≈ equivalent") == 1
    assert "right of zero is better" in drawn
    assert describe(rows(whole(facts))) in label
    assert all(0 <= float(share) <= 100 for share in re.findall(r'[cx]x?[12]?="([\d.]+)%"', drawn))


def test_it_stands_in_the_page_and_not_where_there_is_nothing_to_draw(build: RunBuilder) -> None:
    assert 'class="forest"' in html.render(full(build))
    assert 'class="forest"' not in html.render(build.imported())
    assert 'class="forest"' not in html.render(build.run())


def test_one_metric_without_an_interval_or_a_change_is_drawn(build: RunBuilder) -> None:
    run = build.run()
    build.evaluation(run, metrics={"loss": metric(2.0, 2.0, 0, "cannot tell") | {"ci": None}})
    assert forest_svg(Facts.of(run)).count("<circle") == 1
