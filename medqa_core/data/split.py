"""A run's split into training, validation and test pairs: two ways, both decided by the seed and the pairs alone.

`grouped` keeps in one part what `data.groups` links: what shares a document, a topic, a question or an answer, and from
version 2 on another name of the topic, a specific concept or a near-duplicate answer. The giant component (on MedQuAD,
one paragraph is the answer to hundreds of questions) goes to training; the others are dealt to three pools in an order
that only the seed and the pairs' ids decide; each part is then drawn from its pool, stratified by source and question
type. `random` deals pair by pair and leaks; it is there to be compared with.
"""

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from medqa_core.data.groups import components
from medqa_core.data.pairs import PairSet, QAPair, first_normalise, normalise
from medqa_core.data.sizes import PARTS, SHARES, Sizes, at_most, quotas, whole_sizes
from medqa_core.foundation.errors import InputError
from medqa_core.runs.schema.config import SPLIT_VERSION, EvaluationConfig, QuestionsConfig, TrainConfig
from medqa_core.runs.schema.record import SplitSizes

Stratum = tuple[str, str]  # source, question type
PART_NAMES = {"train": "training", "validation": "validation", "test": "test"}
"""The parts in sentences."""
GIANT = 0.05
"""A component with more than this share of all pairs goes to training whole while there is room."""


TRAINED_ON = "trained-on:"
"""What the ids of pairs begin with that a model was trained on elsewhere."""
TEST_FILE = "test-file:"
"""What the ids of pairs begin with that are from a test file of the user's own."""
WITHOUT_TEST = (0.9, 0.1, 0.0)
"""The parts' shares where the test questions have a file of their own."""
_DECIDES = {
    "dataset", "test_dataset", "train_size", "validation_size", "test_size", "split_method", "split_version",
    "split_seed",
}  # fmt: skip
"""The fields of a configuration that decide its split, as far as it has them."""


def method(config: QuestionsConfig) -> str:
    """What the configuration's `split_method` does, in words."""
    if isinstance(config, EvaluationConfig):
        known = "the training set is the one that was named" if config.trained_on else "the training set is not known"
        return f"none made here: the data are test questions, and {known}"
    own = "the test set is a file of its own; the rest: " if config.test_dataset else ""
    return own + _method(config)


def _method(config: TrainConfig) -> str:
    if config.split_method == "random":
        return "random, pair by pair: topics, questions and answers of the test set may be in the training set"
    names = "topic with its other names and specific concepts, question and answer with its near-duplicates"
    by = names if config.split_version > 1 else "topic, question and answer"
    return f"grouped by document, {by}; stratified by source and question type"


@dataclass(frozen=True)
class Split:
    """Three disjoint parts, and each pair's group (the component it belongs to)."""

    train: tuple[QAPair, ...]
    validation: tuple[QAPair, ...]
    test: tuple[QAPair, ...]
    groups: dict[str, str]
    """Pair id to group id, for every pair of the split."""
    version: int = SPLIT_VERSION
    """Of what links pairs, and of the hash; runs keep theirs."""

    def with_test_sample(self, most: int | None) -> "Split":
        """The same with at most so many of its test questions, the same ones at each call; None: all."""
        if most is None or most >= len(self.test):
            return self
        drawn = random.Random(0).sample(range(len(self.test)), most)
        return replace(self, test=tuple(self.test[place] for place in sorted(drawn)))

    @property
    def sizes(self) -> SplitSizes:
        """Pairs in each part."""
        return SplitSizes(train=len(self.train), validation=len(self.validation), test=len(self.test))

    @property
    def hash(self) -> str:
        """SHA-256 over the parts' names and pair ids: two splits are the same if their hashes are."""
        digest = hashlib.sha256()
        normal = normalise if self.version > 1 else first_normalise
        for name in PARTS:
            for pair in sorted(getattr(self, name), key=lambda p: p.id):
                digest.update(f"{name}\t{pair.id}\t{normal(pair.question)}\t{normal(pair.source_answer)}\n".encode())
        return digest.hexdigest()


def split_set(data: PairSet, config: QuestionsConfig) -> Split:
    """`split_pairs` of a data set, kept for the last few: seconds on a large one, and pages ask at every drawing.

    Raises:
        InputError: as `split_pairs`.
    """
    return _split_set(data, type(config), config.model_dump_json(include=_DECIDES))


@lru_cache(maxsize=4)
def _split_set(data: PairSet, kind: type[TrainConfig] | type[EvaluationConfig], config: str) -> Split:
    return split_pairs(data.pairs, kind.model_validate_json(config))


def split_pairs(pairs: Sequence[QAPair], config: QuestionsConfig) -> Split:
    """The split that `config` asks for: its method, version, sizes and seed.

    Raises:
        InputError: a part asks for more pairs than there are for it.
    """
    if isinstance(config, EvaluationConfig):
        return given_split(pairs, config.test_size, config.split_seed, version=config.split_version)
    sizes = (config.train_size, config.validation_size, config.test_size)
    made = {"grouped": grouped_split, "random": random_split}[config.split_method]
    if config.test_dataset is None:
        return made(pairs, sizes, config.split_seed, version=config.split_version)
    others = [pair for pair in pairs if not pair.id.startswith(TEST_FILE)]
    without = (config.train_size, config.validation_size, 0)
    rest = made(others, without, config.split_seed, WITHOUT_TEST, version=config.split_version)
    return _with_own_test(rest, pairs, config)


def _with_own_test(rest: Split, pairs: Sequence[QAPair], config: TrainConfig) -> Split:
    """The parts of the training file, and test questions of the test file; groups are those of both together."""
    asked = [pair for pair in pairs if pair.id.startswith(TEST_FILE)]
    wanted = at_most(config.test_size, len(asked), len(asked))
    if wanted > len(asked):
        raise InputError(f"the test file holds {len(asked):,} pairs; you asked for {wanted:,}.", field="test_size")
    test = _draw(asked, wanted, config.split_seed, Counter(_stratum(pair) for pair in asked))
    named = _named_groups(sorted(pairs, key=lambda pair: pair.id), config.split_version)
    return _split((rest.train, rest.validation, test), named, config.split_version)


def grouped_split(
    pairs: Sequence[QAPair],
    sizes: Sizes,
    seed: int,
    shares: tuple[float, float, float] = SHARES,
    *,
    version: int = SPLIT_VERSION,
) -> Split:
    """Split `pairs` into train, validation and test with nothing that `data.groups` links in two parts.

    Args:
        pairs: what there is, in any order: the order does not change the result.
        sizes: how many pairs each part gets, or a fraction of all pairs (less where its pool holds less, as groups
            are not divided); None takes its whole pool.
        seed: decides the split, the same on every machine (no random number generator is involved).
        shares: the pools' shares where a size is None.
        version: of what links pairs.

    Raises:
        InputError: a part asks for more pairs than its pool holds, or the fractions for more than all pairs.
    """
    ordered = sorted(pairs, key=lambda pair: pair.id)
    quota = quotas(len(ordered), sizes, shares)
    named = _named_groups(ordered, version)

    pools: list[list[QAPair]] = [[], [], []]
    for members in _dealing_order(named, seed):
        # Training holds few giants: where there are only a handful of topics, each is one, and all parts need some.
        giant = len(members) > max(GIANT * len(ordered), 1) and len(pools[0]) + len(members) <= quota[0]
        part = 0 if giant else max(range(3), key=lambda k: 1 - len(pools[k]) / quota[k] if quota[k] else -1)
        pools[part].extend(members)

    population = Counter(_stratum(pair) for pair in ordered)
    parts = []
    for name, pool, size in zip(PARTS, pools, sizes, strict=True):
        wanted = at_most(size, len(ordered), len(pool))
        if wanted > len(pool):
            raise InputError(
                f"at most {len(pool):,} {PART_NAMES[name]} pairs are available without leakage; "
                f"you asked for {wanted:,}.",
                field=f"{name}_size",
            )
        parts.append(_draw(pool, wanted, seed, population))
    return _split(parts, named, version)


def random_split(
    pairs: Sequence[QAPair],
    sizes: Sizes,
    seed: int,
    shares: tuple[float, float, float] = SHARES,
    *,
    version: int = SPLIT_VERSION,
) -> Split:
    """Split `pairs` one by one, whatever they share: the usual split, whose test set leaks.

    Args:
        pairs: as for `grouped_split`, and so is `seed`.
        sizes: how many pairs each part gets, or a fraction of all pairs; None shares what the others leave.
        seed: decides the split.
        shares: in which proportion parts whose size is None share what is left.
        version: of what makes a group.

    Raises:
        InputError: the sizes are more than all pairs together.
    """
    ordered = sorted(pairs, key=lambda pair: (_rank(seed, pair.id), pair.id))
    parts, start = [], 0
    for size in whole_sizes(len(ordered), sizes, shares):
        parts.append(ordered[start : start + size])
        start += size
    # Groups are those of the grouped split: questions on one topic are not independent, however they were dealt.
    return _split(parts, _named_groups(sorted(pairs, key=lambda pair: pair.id), version), version)


def given_split(
    pairs: Sequence[QAPair], test_size: int | float | None, seed: int, *, version: int = SPLIT_VERSION
) -> Split:
    """The split of a model that was trained elsewhere: what it was trained on, and the rest as test questions.

    Args:
        pairs: those whose ids begin with TRAINED_ON are the training set; it is empty where none are.
        test_size: how many of the others are asked, or a fraction of them; None: all.
        seed: decides which.
        version: of what makes a group.

    Raises:
        InputError: `test_size` is more than there are.
    """
    ordered = sorted(pairs, key=lambda pair: pair.id)
    training = [pair for pair in ordered if pair.id.startswith(TRAINED_ON)]
    others = [pair for pair in ordered if not pair.id.startswith(TRAINED_ON)]
    wanted = at_most(test_size, len(others), len(others))
    if wanted > len(others):
        raise InputError(f"the data hold {len(others):,} test questions; you asked for {wanted:,}.", field="test_size")
    test = _draw(others, wanted, seed, Counter(_stratum(pair) for pair in others))
    return _split((training, (), test), _named_groups(ordered, version), version)


def _named_groups(ordered: Sequence[QAPair], version: int) -> dict[str, list[QAPair]]:
    """The connected components, each under the smallest of its pairs' ids."""
    by_component: dict[int, list[QAPair]] = defaultdict(list)
    for pair, component in zip(ordered, components(ordered, version), strict=True):
        by_component[component].append(pair)
    return {min(pair.id for pair in members): members for members in by_component.values()}


def _split(parts: Sequence[Sequence[QAPair]], named: dict[str, list[QAPair]], version: int) -> Split:
    group_of = {pair.id: name for name, members in named.items() for pair in members}
    chosen = {pair.id: group_of[pair.id] for part in parts for pair in part}
    return Split(tuple(parts[0]), tuple(parts[1]), tuple(parts[2]), chosen, version)


def _rank(seed: int, key: str) -> str:
    return hashlib.sha256(f"{seed}\t{key}".encode()).hexdigest()


def _dealing_order(named: dict[str, list[QAPair]], seed: int) -> Iterable[list[QAPair]]:
    """The largest components first (they are the hardest to place), equals in the seed's order."""
    return (named[key] for key in sorted(named, key=lambda key: (-len(named[key]), _rank(seed, key))))


def _draw(pool: Sequence[QAPair], size: int, seed: int, population: Counter[Stratum]) -> list[QAPair]:
    """`size` pairs of `pool`, each stratum as near to its share of the whole data set as the pool allows."""
    strata: dict[Stratum, list[QAPair]] = defaultdict(list)
    for pair in sorted(pool, key=lambda pair: _rank(seed, pair.id)):
        strata[_stratum(pair)].append(pair)
    total = sum(population[key] for key in strata)
    target = {key: size * population[key] / total for key in strata}
    take = {key: min(int(target[key]), len(members)) for key, members in strata.items()}
    while (short := size - sum(take.values())) > 0:
        open_keys = [key for key in strata if take[key] < len(strata[key])]
        for key in sorted(open_keys, key=lambda key: (take[key] - target[key], key))[:short]:
            take[key] += 1
    drawn = [pair for key in sorted(strata) for pair in strata[key][: take[key]]]
    return sorted(drawn, key=lambda pair: _rank(seed, pair.id))


def _stratum(pair: QAPair) -> Stratum:
    return pair.source, pair.question_type
