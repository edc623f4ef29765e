"""The fast reader of curves says what the slow one says, or nothing."""

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from medqa_core.runs.metrics_log import rows as series_rows
from medqa_core.runs.metrics_log.log import encode_row
from medqa_core.runs.metrics_log.rows import PLAIN_LINE, ParsedLines, parse, parse_at_once, parse_line_wise

PLAIN = '{"split": "train", "step": 1, "loss": 2.5}'


def same(one: ParsedLines, other: ParsedLines) -> bool:
    return one.odd == other.odd and all(np.array_equal(one[n], other[n], equal_nan=True) for n in (0, 1))


def lines(*middle: str) -> bytes:
    return "".join(f"{line}\n" for line in (PLAIN, *middle, PLAIN)).encode("utf-8", "surrogatepass")


def with_field(text: str) -> str:
    return f'{{"split": "train", "step": 1, {text}}}'


AT_ONCE = [
    *map(
        with_field, ('"loss": null', '"loss": 1E5', '"loss": 1e-999', '"loss": 12345678901234567890123', '"x": "}\\n{"')
    ),
    *map(with_field, ('"non_finite": ["loss"]', '"non_finite": [null, "loss", "epoch", "loss"]', '"non_finite": []')),
    *map(with_field, ('"x": {"y": [1, {"z": 2}]}', '"x": 1, "x": "a"', '"x": 123456789012345678901234567890')),
    *('{"split": "validation", "step": 0}', '{"split": null, "step": 1}', '{"split": "train", "step": null}', "{}"),
    *('{"split": "tr\\u0061in", "step": -0}', '{"split": "other", "step": 1}', '{"split": "train", "step": -1}'),
    *('{"split": "train", "step": 9007199254740991}', '{"split": "train", "step": 9007199254740992}'),
]
"""Lines that Arrow reads as Python does."""
LINE_WISE = [
    *map(with_field, ('"loss": NaN', '"loss": -Infinity', '"x": Inf', '"x": NaN', '"loss": 1e999', '"loss": "2"')),
    *map(
        with_field, ('"loss": true', '"loss": [2]', f'"loss": 1{"0" * 400}', '"step": 2', '"x": "\\ud800"', '"x": "\t"')
    ),
    *map(
        with_field,
        ('"non_finite": 5', '"non_finite": {"loss": 1}', '"loss": .5', '"loss": 01', '"loss": 1.', '"x": "é"'),
    ),
    *map(with_field, (f'"x": {"[" * 500}{"]" * 500}', f'"x": {"1" * 5000}', f'"x": "{"y" * PLAIN_LINE}"')),
    *("", "  ", "null", "[1]", "{", "{}{}", f"{PLAIN} ", f" {PLAIN}", f"{PLAIN}\r", PLAIN + PLAIN, f"{PLAIN}, {PLAIN}"),
    *(
        '{"split": "train",\n"step": 1}',
        '{"x": {}\n{}}',
        '{"split": "train", "step": 1.0}',
        '{"split": "train", "step": true}',
    ),
    *('{"split": "train", "step": "1"}', '{"split": ["train"], "step": 1}', "\ufeff" + PLAIN, PLAIN[:-5]),
]
"""Lines that are left to the slow reader."""


@pytest.mark.parametrize("line", AT_ONCE)
def test_plain_lines_are_read_at_once_and_mean_the_same(line: str) -> None:
    found = parse_at_once(lines(line))
    assert found is not None
    assert same(found, parse_line_wise(lines(line)))


@pytest.mark.parametrize("line", LINE_WISE)
def test_other_lines_are_not(line: str) -> None:
    assert parse_at_once(lines(line)) is None


values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3), st.lists(st.text(max_size=4), max_size=2)
)
rows = st.fixed_dictionaries(
    {},
    optional={
        "split": st.sampled_from(["train", "validation", "other", None]),
        "step": st.one_of(st.integers(-2, 5), st.integers(), st.floats(), st.none()),
        "loss": st.one_of(st.floats(), st.integers(), values),
        "epoch": st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(0, 9)),
        "tokens": st.integers(0, 2**70),
        "non_finite": st.one_of(st.lists(st.sampled_from(["loss", "epoch", None]), max_size=3), values),
        "x": values,
    },
)
written = st.builds(
    lambda split, step, loss: encode_row(split, step=step, loss=loss).strip(),
    st.sampled_from(["train", "validation"]),
    st.integers(0, 9),
    st.floats(),
)
anything = st.one_of(
    written, written, rows.map(json.dumps), rows.map(json.dumps), st.text('{}[],":1eE+-.NI \r\n', max_size=12)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(anything, max_size=6))
def test_both_readers_agree(many: list[str]) -> None:
    content = "".join(f"{line}\n" for line in many).encode("utf-8", "surrogatepass")
    found = parse_at_once(content)
    assert found is None or same(found, parse_line_wise(content))


@settings(max_examples=100, deadline=None)
@given(st.lists(written, min_size=1, max_size=6))
def test_what_the_writer_writes_is_read_at_once(many: list[str]) -> None:
    content = "".join(f"{line}\n" for line in many).encode()
    assert (found := parse_at_once(content)) is not None and same(found, parse_line_wise(content))


def test_an_odd_line_among_many_slows_its_neighbours_only(monkeypatch: pytest.MonkeyPatch) -> None:
    slow: list[int] = []
    real: Callable[[bytes], ParsedLines] = series_rows.parse_line_wise

    def counting(content: bytes) -> ParsedLines:
        slow.append(len(content))
        return real(content)

    monkeypatch.setattr(series_rows, "parse_line_wise", counting)
    many = [encode_row("train", step=step, loss=step / 7) for step in range(20_000)]
    many[12_345] = '{"split": "tra\n'
    content = "".join(many).encode()
    found = parse(content)
    assert same(found, real(content)) and found.odd == 1
    assert 0 < sum(slow) <= 2 * series_rows.LINE_WISE
