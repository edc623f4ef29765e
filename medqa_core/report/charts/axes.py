"""Where an SVG figure's axis has its labels."""

import math


def round_values(low: float, high: float, *, edge: float = 0.0) -> list[float]:
    """Round values between the ends, about four of them; none closer to an end than `edge` of the whole."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough)
    margin = edge * (high - low)
    places = range(math.ceil((low + margin) / step), math.floor((high - margin) / step) + 1)
    return [round(place * step, 9) for place in places]
