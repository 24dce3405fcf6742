"""How well text stands out from what is behind it: the ratio of WCAG 2. Pure, loads nothing."""

import re

ENOUGH = 4.5
"""WCAG 2.2, 1.4.3 (AA): the least for text of ordinary size."""
BEST = 7.0
"""WCAG 2.2, 1.4.6 (AAA): what the high-contrast theme keeps to."""

_HEX = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")


def channels(color: str) -> tuple[float, float, float] | None:
    """Red, green and blue of `#rrggbb` or `#rgb`, each from 0 to 1; None for any other text."""
    found = _HEX.fullmatch(color)
    if found is None:
        return None
    digits = found[1] if len(found[1]) == 6 else "".join(digit * 2 for digit in found[1])
    red, green, blue = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    return red, green, blue


def linear(channel: float) -> float:
    """The light of a channel of sRGB."""
    return channel / 12.92 if channel <= 0.03928 else float(((channel + 0.055) / 1.055) ** 2.4)


def ratio(one: str, other: str) -> float | None:
    """From 1 (the same) to 21 (black on white); None where a colour is the terminal's own."""
    lights = []
    for color in (one, other):
        found = channels(color)
        if found is None:
            return None
        red, green, blue = (linear(channel) for channel in found)
        lights.append(0.2126 * red + 0.7152 * green + 0.0722 * blue)
    return (max(lights) + 0.05) / (min(lights) + 0.05)
