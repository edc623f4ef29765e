"""The judge finds what is there, and nothing where nothing is."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from medqa_core.evaluation import judge as module
from medqa_core.evaluation.judge import Item, Paired, judge, judge_all
from medqa_core.evaluation.mcnemar import judge_choices, score_interval
from medqa_core.evaluation.rule import LEVEL, MARGINS, decided, perplexity, with_p
from medqa_core.foundation.files import dumps
from medqa_core.runs.schema.evaluation import Metric, holm


@pytest.fixture
def fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RESAMPLES", 1000)


def made(seed: int, gain: float = 0.0, groups: int = 40, group_noise: float = 0.1) -> Paired:
    """Losses in nats on topics of 1 to 6 questions; the models differ by `gain` a token, and topic by topic."""
    random = np.random.default_rng(seed)
    sizes = random.integers(1, 7, groups)
    group = np.repeat(np.arange(groups), sizes)
    tokens = random.integers(20, 300, len(group)).astype(float)
    base = random.normal(2.2, 0.4, groups)[group] + random.normal(0, 0.2, len(group))
    change = random.normal(0, group_noise, groups)[group] + random.normal(0, 0.05, len(group))
    return Paired(base * tokens, (base + change - gain) * tokens, tokens, group)


def scores(seed: int, gain: float, groups: int = 60) -> Paired:
    """ROUGE, one value a question."""
    random = np.random.default_rng(seed)
    base = random.uniform(0.1, 0.3, groups)
    return Paired(base, base + gain + random.normal(0, 0.02, groups), np.ones(groups), np.arange(groups))


def test_a_planted_gain_is_found() -> None:
    data = made(1, gain=0.2)
    found = judge("loss", data)
    assert found.verdict == "better"
    assert found.ci is not None
    assert found.ci[0] < -0.2 < found.ci[1] < 0
    assert found.p is not None
    assert found.p < 0.01
    assert found.base == pytest.approx(data.base.sum() / data.weight.sum())
    assert found.fine_tuned == pytest.approx(data.fine_tuned.sum() / data.weight.sum())
    assert found.base is not None and found.fine_tuned is not None
    assert found.difference == pytest.approx(found.fine_tuned - found.base)
    assert (found.n, found.groups, found.level) == (len(data.weight), 40, LEVEL)


def test_a_planted_loss_is_found() -> None:
    assert judge("loss", made(1, gain=-0.2)).verdict == "worse"


def test_more_is_better_for_rouge() -> None:
    assert judge("rougeL", scores(1, gain=0.05)).verdict == "better"
    assert judge("rougeL", scores(1, gain=-0.05)).verdict == "worse"


def test_a_tiny_change_is_equivalent_and_a_noisy_one_cannot_be_told() -> None:
    assert judge("loss", made(3, group_noise=0.02, groups=200)).verdict == "equivalent"
    assert judge("loss", made(3, group_noise=1.0, groups=20)).verdict == "cannot tell"


@pytest.mark.parametrize("name", sorted(MARGINS))
def test_a_model_against_itself_is_neither_better_nor_worse(name: str) -> None:
    """Forty topics without a difference leave open what the next one would show; a thousand do not."""
    for groups, verdict in ((40, "cannot tell"), (2000, "equivalent")):
        data = made(1, groups=groups)
        same = Paired(data.base, data.base, data.weight, data.group)
        found = judge(name, same)
        assert (found.verdict, found.difference, found.p) == (verdict, 0, 1)
        assert found.ci is not None and found.ci[0] < 0 < found.ci[1]
        assert found.ci[1] == pytest.approx(-found.ci[0]) and found.margin == MARGINS[name]


@pytest.mark.parametrize("groups", [50, 400])
def test_groups_without_a_difference_leave_open_what_was_not_seen(groups: int) -> None:
    """The rule of three, exactly: of n groups alike, 1 − 0.025^(1/n) may differ by all that a share can."""
    one = np.full(groups, 0.2)
    found = judge("rougeL", Paired(one, one, np.ones(groups), np.arange(groups)))
    assert found.ci is not None
    assert found.ci[1] == pytest.approx(1 - 0.025 ** (1 / groups), rel=0.12)


@pytest.mark.usefixtures("fewer_resamples")
def test_rare_differences_are_not_called_equivalent() -> None:
    """On 3% of the topics the fine-tuned model is better by a third, 0.01 on the whole: the margin itself."""
    false = 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        base = random.beta(4, 16, 150)
        tuned = base + np.where(random.random(150) < 0.03, 0.01 / 0.03, 0.0)
        found = judge("rougeL", Paired(base, tuned, np.ones(150), np.arange(150)))
        false += found.verdict == "equivalent"
    assert false <= 5


@pytest.mark.usefixtures("fewer_resamples")
def test_questions_of_one_topic_are_not_independent() -> None:
    """One topic of a hundred questions that gained is one observation, not a hundred."""
    topic = np.repeat(np.arange(11), [100, *[1] * 10])
    base = np.full(len(topic), 2.0)
    tuned = np.where(topic == 0, 1.5, 2.0)
    assert judge("loss", Paired(base, tuned, np.ones(len(topic)), topic)).verdict == "cannot tell"


def test_a_seed_gives_the_same_metric_again() -> None:
    assert judge("loss", made(5)) == judge("loss", made(5))
    assert judge("loss", made(5), seed=1).ci != judge("loss", made(5)).ci


def test_the_order_of_the_questions_is_irrelevant() -> None:
    groups = [f"g{n % 16}" for n in range(40)]
    base, tuned = np.random.default_rng(0).uniform(1, 3, (2, 40)).tolist()
    shuffled = np.random.default_rng(1).permutation(40)
    one = judge("loss", Paired.of(base, tuned, [1.0] * 40, groups))
    moved = [[one[i] for i in shuffled] for one in (base, tuned)]
    other = judge("loss", Paired.of(moved[0], moved[1], [1.0] * 40, [groups[i] for i in shuffled]))
    assert one.p == other.p
    assert one.ci == pytest.approx(other.ci)


def test_questions_without_a_finite_result_are_left_out() -> None:
    base = [1.0, 2.0, math.nan, 1.0, math.inf, 1.0, 3.0]
    tuned = [1.0, 1.0, 1.0, -math.inf, 1.0, math.nan, 2.0]
    data = Paired.of(base, tuned, [1, 2, 1, 1, 1, 1, 0], list("abcdefg"))
    assert data.base.tolist() == [1, 2]
    assert data.weight.tolist() == [1, 2]
    assert data.group.tolist() == [0, 1]
    assert (data.asked, data.unfinished) == (6, (2, 2))


def test_nothing_finite_at_all_is_said() -> None:
    found = judge("loss", Paired.of([math.nan] * 3, [1.0] * 3, [1.0] * 3, list("abc")))
    assert (found.verdict, found.n, found.base, found.p) == ("cannot tell", 0, None, None)
    assert found.reason == "No question has a finite result for both models."
    assert judge("loss", Paired.of([], [], [], [])).reason == "There is no question to compare."


def test_a_model_does_not_look_better_by_breaking_down_on_questions() -> None:
    base, tuned = [2.0] * 50, [1.0] * 48 + [math.inf, math.nan]
    names = [f"g{n}" for n in range(50)]
    found = judge("loss", Paired.of(base, tuned, [1.0] * 50, names))
    assert found.verdict == "cannot tell"
    assert found.reason == (
        "Results that are missing or not finite, 2 of the fine-tuned model: the figures are of the other 48 of 50 "
        "questions and prove nothing."
    )
    assert (found.n, found.base, found.ci, found.p) == (48, 2, None, None)
    assert with_p("loss", found, 0.001) == found
    both = judge("loss", Paired.of([math.inf, *base[1:]], tuned, [1.0] * 50, names))
    assert "1 of the base model and 2 of the fine-tuned model" in str(both.reason)


def test_questions_of_no_weight_are_no_ones_fault() -> None:
    base, tuned = [*[2.0] * 49, math.nan], [*[1.0] * 49, math.nan]
    weight = [1.0] * 49 + [0.0]
    assert judge("loss", Paired.of(base, tuned, weight, [f"g{n}" for n in range(50)])).verdict == "better"


@pytest.mark.parametrize("groups", [1, 2, 9])
def test_few_topics_cannot_tell_however_large_the_gain(groups: int) -> None:
    names = [f"g{n % groups}" for n in range(50)]
    found = judge("loss", Paired.of([5.0] * 50, [1.0] * 50, [1.0] * 50, names))
    assert found.verdict == "cannot tell"
    topics = "topic" if groups == 1 else "topics"
    said = f"Only {groups} independent {topics}: below 10 no difference, however large, can be told from chance."
    assert found.reason == said and found.min_detectable_effect is None
    assert (found.difference, found.n, found.groups) == (-4, 50, groups)
    assert found.ci is None
    assert found.p is None


def test_one_question() -> None:
    assert judge("loss", Paired.of([2.0], [1.0], [1.0], ["a"])).verdict == "cannot tell"


def test_the_permutation_test_counts_as_by_hand() -> None:
    """Ten equal gains: of 1,024 ways to swap, 2 are as extreme. Five of ten: those of 32."""
    names = list("abcdefghij")
    assert judge("loss", Paired.of([2.0] * 10, [1.0] * 10, [1.0] * 10, names)).p == 2 / 1024
    few = judge("loss", Paired.of([2.0] * 10, [1.0] * 5 + [2.0] * 5, [1.0] * 10, names))
    assert (few.p, few.verdict) == (2 / 32, "cannot tell")


def test_counted_and_drawn_swaps_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    data = scores(4, gain=0.01, groups=12)
    counted = judge("rougeL", data).p
    monkeypatch.setattr(module, "EXACT", 0)
    assert counted == pytest.approx(judge("rougeL", data).p, abs=0.02)


def test_a_corrected_test_that_can_find_nothing_states_no_smallest_difference() -> None:
    found = judge("loss", made(1, groups=10))
    assert found.min_detectable_effect is not None
    for tests, known in ((20, True), (30, False)):  # 2/1024 times 26 is above 5%
        corrected = with_p("loss", found, 0.5, tests)
        assert (corrected.min_detectable_effect is not None) is known
    assert corrected.required_n is None


def test_what_could_have_been_detected() -> None:
    small, large = judge("loss", made(1, groups=200)), judge("loss", made(1, groups=20))
    assert small.min_detectable_effect is not None
    assert large.min_detectable_effect is not None
    assert 0 < small.min_detectable_effect < large.min_detectable_effect


def test_holm_by_hand() -> None:
    # Holm (1979): sorted 0.01 0.02 0.03 0.04 times 4 3 2 1, made non-decreasing.
    assert holm({"a": 0.04, "b": 0.01, "c": 0.03, "d": 0.02}) == pytest.approx(
        {"b": 0.04, "d": 0.06, "c": 0.06, "a": 0.06}
    )
    assert holm({"a": 0.9, "b": 0.6}) == {"b": 1.0, "a": 1.0}
    assert holm({"a": 0.03}) == {"a": 0.03}
    assert holm({}) == {}


def test_a_corrected_p_value_takes_a_verdict_back() -> None:
    found = judge("loss", made(1, gain=0.2))
    assert with_p("loss", found, 0.2).verdict == "cannot tell"
    assert with_p("loss", found, 0.01).verdict == "better"
    assert with_p("loss", Metric(), 0.5) == Metric()


def test_a_difference_too_small_to_matter_is_not_sold_as_better() -> None:
    found = judge("rougeL", scores(1, gain=0.006, groups=900))
    assert found.p is not None and found.p < 0.01
    assert found.ci is not None and 0 < found.ci[0] < found.ci[1] < MARGINS["rougeL"]
    assert found.verdict == "equivalent"
    assert judge("rougeL", scores(1, gain=0.02, groups=900)).verdict == "better"


def test_the_margin_itself_is_no_longer_equivalent() -> None:
    metric = Metric(difference=0.0, ci=(-0.005, 0.0099), p=0.5, n=100, min_detectable_effect=0.02)
    assert decided("rouge1", metric).verdict == "equivalent"
    assert decided("rouge1", metric.model_copy(update={"ci": (-0.005, 0.01)})).verdict == "cannot tell"
    assert decided("noop-of", metric).verdict == "cannot tell"


@pytest.mark.parametrize(("base", "high"), [(2.0, 800.0), (20.0, 700.0)])
def test_a_perplexity_interval_too_large_for_a_number_is_left_out(base: float, high: float) -> None:
    """exp(800) overflows; exp(700) does not, and exp(20) times it is infinite. The verdict is the loss's."""
    figures = {"base": base, "fine_tuned": 600.0, "difference": 600.0 - base, "ci": (400.0, high), "p": 0.001}
    loss = decided("loss", Metric.model_validate({**figures, "min_detectable_effect": 900.0}))
    found = perplexity(loss)
    assert (found.verdict, found.ci, found.min_detectable_effect) == ("worse", None, None)
    assert found.fine_tuned == math.exp(600.0)
    assert dumps(found.model_dump())


def test_how_many_questions_would_settle_it() -> None:
    metric = Metric(difference=0.0, ci=(-0.02, 0.02), p=0.5, n=101, min_detectable_effect=0.03)
    assert decided("rouge1", metric).required_n == 910  # 101 × 3² = 909
    assert decided("rouge1", metric, reason="Too few.").required_n is None
    for smallest in (0.0, None, 1e200, 0.009):
        changed = metric.model_copy(update={"min_detectable_effect": smallest})
        assert decided("rouge1", changed).required_n is None
    clear = Metric(difference=0.1, ci=(0.05, 0.15), p=0.001, n=101, min_detectable_effect=0.07)
    assert decided("rouge1", clear).required_n is None
    taken_back = with_p("rouge1", decided("rouge1", clear), 0.2)
    assert (taken_back.verdict, taken_back.required_n) == ("cannot tell", 4950)


def test_judged_together_or_alone_is_the_same() -> None:
    items = [
        Item("loss", made(1)),
        Item("rougeL", scores(1, 0.02)),
        Item("loss", made(2)),
        Item("loss", Paired.of([], [], [], [])),
    ]
    for item, together in zip(items, judge_all(items), strict=True):
        alone = judge(item.name, item.data)
        assert together.p == alone.p
        assert together.ci == (None if alone.ci is None else pytest.approx(alone.ci))


def test_memory_is_bounded_without_another_result(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = judge("loss", made(1))
    monkeypatch.setattr(module, "CELLS", 1000)
    pieces = judge("loss", made(1))
    assert pieces.p == whole.p and pieces.ci == pytest.approx(whole.ci)


def choices(won: int, lost: int, both: int, neither: int) -> pd.DataFrame:
    base = [0] * won + [1] * lost + [1] * both + [0] * neither
    tuned = [1] * won + [0] * lost + [1] * both + [0] * neither
    target = np.arange(len(base)) % 4
    chosen = {"base_choice": base, "fine_tuned_choice": tuned}
    return pd.DataFrame({"target": target, **{name: (target + 1 - np.array(hit)) % 4 for name, hit in chosen.items()}})


def test_multiple_choice_by_hand() -> None:
    found = judge_choices(choices(won=60, lost=20, both=300, neither=620))
    assert (found.base, found.fine_tuned, found.n) == (0.32, 0.36, 1000)
    assert found.p == pytest.approx(binomtest(60, 80).pvalue)
    assert found.verdict == "better"
    assert judge_choices(choices(won=20, lost=60, both=300, neither=620)).verdict == "worse"
    few = judge_choices(choices(won=5, lost=0, both=30, neither=65))
    assert few.p == pytest.approx(2 / 32)
    assert few.verdict == "cannot tell"


def test_the_score_interval_where_few_pairs_differ() -> None:
    # The contact-lens trial of Tango (1998): one of 44 pairs differs. Below: none of 50, in closed form.
    assert score_interval(1, 0, 44) == pytest.approx((-0.0600, 0.1184), abs=2e-3)
    z2 = 3.841459
    assert score_interval(0, 0, 50) == pytest.approx((-z2 / (50 + z2), z2 / (50 + z2)), abs=1e-6)
    low, high = score_interval(60, 20, 1000)
    assert score_interval(20, 60, 1000) == pytest.approx((-high, -low))
    assert low < 0.04 < high


def test_models_that_always_agree_do_not_get_an_interval_of_nothing() -> None:
    found = judge_choices(choices(won=0, lost=0, both=30, neither=70))
    assert (found.difference, found.p, found.verdict) == (0, 1, "cannot tell")
    assert found.ci is not None and found.ci[0] < -0.03 and found.ci[1] > 0.03
    assert found.min_detectable_effect is not None and found.min_detectable_effect > 0
    assert judge_choices(choices(won=0, lost=0, both=300, neither=700)).verdict == "equivalent"


def test_two_models_that_guess_are_not_called_equivalent() -> None:
    found = judge_choices(choices(won=2, lost=1, both=250, neither=747))
    assert found.ci is not None and -0.02 < found.ci[0] < found.ci[1] < 0.02
    assert found.verdict == "cannot tell" and found.required_n is None
    assert found.reason is not None and found.reason.startswith("Neither model is significantly above chance (25.0%)")
    letters = pd.DataFrame({"target": [3] * 400 + [0, 1, 2] * 200, "base_choice": 3, "fine_tuned_choice": 3})
    same = judge_choices(letters)
    assert (same.base, same.verdict) == (0.4, "cannot tell")
    assert same.reason is not None and "(40.0%)" in same.reason  # one letter every time is a guess
    one = judge_choices(choices(won=8, lost=6, both=290, neither=696))
    assert one.verdict == "equivalent"


def test_multiple_choice_that_is_not_all_there() -> None:
    answers = choices(won=60, lost=20, both=300, neither=620).astype(float)
    answers.loc[:4, "fine_tuned_choice"] = math.nan
    found = judge_choices(answers)
    assert (found.verdict, found.n, found.ci) == ("cannot tell", 995, None)
    assert "0 of the base model and 5 of the fine-tuned model" in str(found.reason)
    assert judge_choices(answers.iloc[:0]).reason
    assert judge_choices(pd.DataFrame({"target": [1]})).reason
