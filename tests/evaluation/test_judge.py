"""The judge finds what is there, and nothing where nothing is."""

import math

import numpy as np
import pytest

from medqa_core.evaluation import judge as module
from medqa_core.evaluation.judge import LEVEL, Paired, judge, with_p
from medqa_core.runs.evaluation import Metric, holm


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


@pytest.mark.parametrize("name", ["loss", "perplexity", "bits_per_byte", "rouge1", "rouge2", "rougeL", "mmlu"])
def test_a_model_against_itself_is_neither_better_nor_worse(name: str) -> None:
    data = made(1)
    found = judge(name, Paired(data.base, data.base, data.weight, data.group))
    assert found.verdict in ("equivalent", "cannot tell")
    assert (found.difference, found.p) == (0, 1)


@pytest.mark.usefixtures("fewer_resamples")
def test_no_more_false_alarms_than_promised() -> None:
    verdicts = [judge("loss", made(seed, groups=25)).verdict for seed in range(300)]
    false = sum(verdict in ("better", "worse") for verdict in verdicts)
    assert false <= 0.08 * 300
    assert false > 0  # a test that never fires would find nothing either


@pytest.mark.usefixtures("fewer_resamples")
def test_the_interval_covers_the_truth() -> None:
    intervals = [judge("loss", made(seed, gain=0.1, groups=60)).ci for seed in range(200)]
    assert sum(low < -0.1 < high for low, high in filter(None, intervals)) >= 0.88 * 200


@pytest.mark.usefixtures("fewer_resamples")
def test_questions_of_one_topic_are_not_independent() -> None:
    """One topic of a hundred questions that gained is one observation, not a hundred."""
    topic = np.repeat(np.arange(6), [100, 1, 1, 1, 1, 1])
    base = np.full(len(topic), 2.0)
    tuned = np.where(topic == 0, 1.5, 2.0)
    assert judge("loss", Paired(base, tuned, np.ones(len(topic)), topic)).verdict == "cannot tell"


def test_a_seed_gives_the_same_metric_again() -> None:
    assert judge("loss", made(5)) == judge("loss", made(5))
    assert judge("loss", made(5), seed=1).ci != judge("loss", made(5)).ci


def test_the_order_of_the_questions_is_irrelevant() -> None:
    groups = [f"g{n % 8}" for n in range(40)]
    base, tuned = np.random.default_rng(0).uniform(1, 3, (2, 40))
    shuffled = np.random.default_rng(1).permutation(40)
    one = judge("loss", Paired.of(base, tuned, np.ones(40), groups))
    other = judge("loss", Paired.of(base[shuffled], tuned[shuffled], np.ones(40), [groups[i] for i in shuffled]))
    assert one.p == other.p
    assert one.ci == pytest.approx(other.ci)


def test_questions_without_a_finite_result_are_left_out() -> None:
    base = [1.0, 2.0, math.nan, 1.0, math.inf, 1.0, 3.0]
    tuned = [1.0, 1.0, 1.0, -math.inf, 1.0, math.nan, 2.0]
    data = Paired.of(base, tuned, [1, 2, 1, 1, 1, 1, 0], list("abcdefg"))
    assert data.base.tolist() == [1, 2]
    assert data.weight.tolist() == [1, 2]
    assert data.group.tolist() == [0, 1]


def test_nothing_finite_at_all_is_said() -> None:
    found = judge("loss", Paired.of([math.nan] * 3, [1.0] * 3, [1.0] * 3, list("abc")))
    assert (found.verdict, found.n, found.base, found.p) == ("cannot tell", 0, None, None)
    assert found.reason == "No question has a finite result for both models."


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_few_topics_cannot_tell_however_large_the_gain(groups: int) -> None:
    names = [f"g{n % groups}" for n in range(50)]
    found = judge("loss", Paired.of([5.0] * 50, [1.0] * 50, [1.0] * 50, names))
    assert found.verdict == "cannot tell"
    assert found.reason == f"Only {groups} independent topics: at least 5 are needed."
    assert (found.difference, found.n, found.groups) == (-4, 50, groups)
    assert found.ci is None
    assert found.p is None


def test_one_question() -> None:
    assert judge("loss", Paired.of([2.0], [1.0], [1.0], ["a"])).verdict == "cannot tell"


def test_a_perplexity_beyond_all_numbers_is_said() -> None:
    fell_apart = Paired.of([2.0] * 6, [1000.0] * 6, [1.0] * 6, list("abcdef"))
    found = judge("perplexity", fell_apart, transform=np.exp)
    assert found.verdict == "cannot tell"
    assert found.reason
    assert judge("loss", fell_apart).difference == 998
    nearly = Paired.of([2.0] * 6, [700.0, 700, 700, 700, 700, 720], [1.0] * 6, list("abcdef"))
    assert judge("perplexity", nearly, transform=np.exp).reason


def test_the_permutation_test_counts_as_by_hand() -> None:
    """Eight equal gains: of 256 ways to swap, 2 are as extreme."""
    found = judge("loss", Paired.of([2.0] * 8, [1.0] * 8, [1.0] * 8, list("abcdefgh")))
    assert found.p == pytest.approx(2 / 256, abs=0.004)
    few = judge("loss", Paired.of([2.0] * 5, [1.0] * 5, [1.0] * 5, list("abcde")))
    assert few.p == pytest.approx(2 / 32, abs=0.012)
    assert few.verdict == "cannot tell"


def test_what_could_have_been_detected() -> None:
    small, large = judge("loss", made(1, groups=200)), judge("loss", made(1, groups=20))
    assert small.smallest_detectable is not None
    assert large.smallest_detectable is not None
    assert 0 < small.smallest_detectable < large.smallest_detectable


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
