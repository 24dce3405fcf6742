"""How long to wait after a sync that failed, where nobody asks for the next one."""

import random
from collections.abc import Callable

from passmuster.errors import Unreachable

FIRST_S, MOST_S = 1.0, 300.0
"""Drawn by lot from 0 to twice as much each time, so that a thousand laptops do not come back in
one second."""


def pause_s(
    failed: int, error: Unreachable, draw: Callable[[float, float], float] = random.uniform
) -> float:
    """Seconds until the next try after *failed* in a row; what the server asks goes before it."""
    if error.after_s is not None:
        return error.after_s
    return draw(0, min(MOST_S, FIRST_S * 2 ** min(failed, 20)))
