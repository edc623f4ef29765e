"""How a value is written: digits, signs, units, dates. The same everywhere, and the same on every machine."""

import math
import unicodedata
from datetime import UTC, datetime
from pathlib import PurePosixPath, PureWindowsPath

from medqa_core.foundation.errors import shorten
from medqa_core.foundation.visible import plain

MINUS = "−"
NOT_STATED = "not stated"
NOT_A_NUMBER = "not a number"

SMALLEST_P = 0.001
"""A p-value below this one is only said to be below it."""
HUGE = 1e12
"""From here on a value is written with an exponent."""


def number(value: float | int | None, digits: int = 4) -> str:
    """A measured value with `digits` decimals; a count (an int) with thousands separators."""
    if value is None:
        return NOT_STATED
    if isinstance(value, int):
        return count(value)
    if not math.isfinite(value):
        return NOT_A_NUMBER
    return _sign(f"{value:,.{digits}f}" if abs(value) < HUGE else f"{value:.3g}")


def count(value: int | None) -> str:
    """A whole number with thousands separators."""
    return NOT_STATED if value is None else f"{value:,}".replace("-", MINUS)


def general(value: float | int) -> str:
    """A setting as a person types it: 8, 0.01, 1e-05."""
    if isinstance(value, int):
        return str(value).replace("-", MINUS, 1)
    if not math.isfinite(value):
        return NOT_A_NUMBER
    text = f"{value:.6g}"
    return MINUS + text[1:] if text.startswith("-") else text


def percent(share: float | None, digits: int = 1) -> str:
    """A share of one as a percentage."""
    if share is None:
        return NOT_STATED
    return f"{number(float(share) * 100, digits)}%" if math.isfinite(share) else NOT_A_NUMBER


def share(value: float | None, ci: tuple[float, float], digits: int = 1) -> str:
    """A share with its interval: `58.3% [25.1%, 86.0%]`."""
    return f"{percent(value, digits)} [{percent(ci[0], digits)}, {percent(ci[1], digits)}]"


def signed(value: float | None, digits: int = 3) -> str:
    """A difference: always with its sign, and a real minus."""
    if value is None:
        return NOT_STATED
    text = number(float(value), digits)
    return text if text.startswith(MINUS) or not math.isfinite(value) or _is_zero(text) else f"+{text}"


def interval(difference: float | None, ci: tuple[float, float] | None, digits: int = 3, scale: float = 1.0) -> str:
    """A difference with its confidence interval, or as much of it as is known."""
    if difference is None:
        return NOT_STATED
    values = [difference * scale, *(bound * scale for bound in ci or ())]
    digits = _enough(values, digits)
    text = signed(values[0], digits)
    return text if ci is None else f"{text} [{number(values[1], digits)}, {number(values[2], digits)}]"


def p_value(p: float) -> str:
    """A p-value as people write it."""
    return f"p {p_number(p)}" if p < SMALLEST_P else f"p = {p_number(p)}"


def p_number(p: float) -> str:
    """The same without its name, for a column that bears it."""
    return f"< {SMALLEST_P}" if p < SMALLEST_P else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def bytes_size(number: int) -> str:
    """Bytes as people read them: `1.1 GB`, `20 GB`, `3 MB`, `40 kB`."""
    if number >= 10**9:
        return f"{number / 10**9:.{1 if number < 10**10 else 0}f} GB"
    return f"{number / 10**6:.0f} MB" if number >= 10**6 // 2 else f"{number / 1000:.0f} kB"


def duration(seconds: float | None) -> str:
    """A span of time in its two largest units."""
    if seconds is None:
        return NOT_STATED
    if not math.isfinite(seconds):
        return NOT_A_NUMBER
    if abs(seconds) >= HUGE:
        return f"{number(seconds)} s"
    if 0 < seconds < 1:
        return "under 1 s"
    # Rounded in the smaller unit that is shown, so that 81.8 minutes are 1 h 22 min and not 1 h 21 min.
    step = next((step for limit, step in ((86_400, 3600), (3600, 60)) if abs(seconds) >= limit - step / 2), 1)
    whole = round(abs(seconds) / step) * step
    days, rest = divmod(whole, 86_400)
    hours, rest = divmod(rest, 3600)
    minutes, left = divmod(rest, 60)
    units = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    first = next((i for i, (size, _) in enumerate(units) if size), 3)
    text = " ".join(f"{size:,} {unit}" for size, unit in units[first : first + 2] if size) or "0 s"
    return MINUS + text if seconds < 0 and whole else text


def timestamp(moment: datetime | None) -> str:
    """A moment in UTC, to the minute, with its zone."""
    return NOT_STATED if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def date(moment: datetime) -> str:
    """A moment's day in UTC."""
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def words(text: object, limit: int = 300) -> str:
    """Any text from a run folder on one line, without invisible characters, and not endless."""
    return shorten(plain(str(text)), limit)


def place(name: str) -> str:
    """A model or source as its name; of a path on someone's disk only the last part."""
    text = words(name, 120)
    for path in (PurePosixPath(text), PureWindowsPath(text)):
        if path.is_absolute() or text.startswith(("~", ".")):
            return f"local: {path.name or text}"
    return text


def without_emoji(text: str) -> str:
    """`text` without pictographs and the bullets in front of it."""
    kept = "".join(c for c in text if not _is_pictograph(c))
    return " ".join(kept.split()).lstrip("•*-– ").strip()


def listing(items: list[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}" if items else ""


def plural(n: int, one: str, many: str | None = None) -> str:
    """A count with its noun."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def capital(text: str) -> str:
    """`text` with its first letter as a capital, the rest as it is."""
    return text[:1].upper() + text[1:]


def _is_pictograph(c: str) -> bool:
    code = ord(c)
    return code in (0xFE0F, 0x20E3) or (code >= 0x2600 and unicodedata.category(c) in ("So", "Sk"))


def _is_zero(text: str) -> bool:
    return not text.strip("0.,")


def _sign(text: str) -> str:
    if not text.startswith("-"):
        return text
    return text[1:] if _is_zero(text[1:]) else MINUS + text[1:]


def _enough(values: list[float], digits: int) -> int:
    """Digits with which no value but zero is written as zero, so that an interval never seems to touch it."""
    smallest = min((abs(v) for v in values if v and math.isfinite(v)), default=1.0)
    while digits < 6 and round(smallest, digits) == 0:
        digits += 1
    return digits
