"""Valid files made odd: bytes flipped, ends cut off, values of another type, nested deeply, repeated, or huge."""

import json
from contextlib import suppress
from copy import deepcopy
from random import Random
from typing import Any

JUNK: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, -(2**63), 10**400, 1e308, -1e308, 5e-324, 0.1, "", " ", "x", "0"),
    *([], {}, [[]], [None], {"": None}, ["x"] * 50, {"x": {"x": {"x": 1}}}, "NaN", "Infinity", "1e999"),
    *("\u0000", "\ufeff", "<b>", "../../x", "a" * 5000),
    *("2026-13-45T99:99:99Z", "9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00-23:59"),
)
BARE = (b"NaN", b"-Infinity", b"1e999", b"1" * 5000, b'"\\ud800"', b"[" * 3000, b"{" * 300, b"\xff\xfe", b"\x00")
WORDS = (*(bytes([n]) for n in b"\n\r,;\"'\\\t<>&%=-\x1b"), b"]]>", b"<!--")


def of_bytes(content: bytes, random: Random) -> bytes:
    """A few changes anywhere."""
    made = bytearray(content)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        at, kind = random.randrange(len(made) + 1), random.randrange(7)
        if kind == 0 and made:
            made[at % len(made)] ^= 1 << random.randrange(8)
        elif kind == 1:
            del made[at:]
        elif kind == 2:
            del made[at : at + random.choice((1, 2, 8, 100))]
        elif kind == 3:
            made[at:at] = random.choice(WORDS + BARE)
        elif kind == 4:
            other = random.randrange(len(made) + 1)
            made[at:at] = made[other : other + random.choice((1, 10, 200))]
        elif kind == 5:
            made[at : at + random.choice((1, 4, 8))] = bytes(
                random.randrange(256) for _ in range(random.choice((1, 4, 8)))
            )
        else:
            made[at:at] = random.choice(WORDS) * random.choice((1, 3, 100))
    return bytes(made)


def of_json(content: bytes, random: Random) -> bytes:
    """Values in the place of others, keys gone, doubled or renamed; now and then bytes as well."""
    value = json.loads(content)
    for _ in range(random.choice((1, 1, 2, 5))):
        value = _changed(value, random)
    made = json.dumps(value).encode()
    if random.random() < 0.1:
        made = made.replace(b"1", random.choice(BARE), 1)
    return of_bytes(made, random) if random.random() < 0.1 else made


def of_json_lines(content: bytes, random: Random) -> bytes:
    """The same in one line, lines in another order, or a line many times."""
    lines = content.splitlines(keepends=True)
    at = random.randrange(len(lines))
    kind = random.randrange(4)
    if kind == 0:
        lines[at] = of_bytes(lines[at], random)
    elif kind == 1:
        random.shuffle(lines)
    elif kind == 2:
        lines[at:at] = [lines[at]] * random.choice((1, 3, 50))
    else:
        lines[at] = of_json(lines[at], random) + b"\n"
    return b"".join(lines)


def _changed(value: Any, random: Random) -> Any:
    places = list(_places(value))
    if not places:
        return deepcopy(random.choice(JUNK))
    holder, key = random.choice(places)
    kind = random.randrange(6)
    if kind == 0 and isinstance(holder, dict):
        del holder[key]
    elif kind == 1 and isinstance(holder, dict):
        holder[random.choice(("", "x", "__proto__", "\u0000", "a" * 300, f"{key} ", key.upper()))] = holder[key]
    elif kind == 2:
        nested: Any = holder[key]
        for _ in range(random.choice((1, 3, 200))):
            nested = [nested] if random.random() < 0.5 else {"x": nested}
        holder[key] = nested
    elif kind == 3 and isinstance(holder[key], int | float):
        with suppress(OverflowError):  # a whole number too large for what it is multiplied with
            holder[key] = holder[key] * random.choice((-1, 0, 1e-300, 1e300, 10**18))
    else:
        holder[key] = deepcopy(random.choice(JUNK))
    return value


def _places(value: Any) -> Any:
    items = (
        list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list) else []
    )
    for key, inner in items:
        yield value, key
        yield from _places(inner)
