"""What a person types at the reason line, understood; pure."""

import re
from datetime import timedelta
from typing import NamedTuple

from passmuster.errors import UsageError
from passmuster.text import rfc3339, utc
from passmuster.tui.words import when

_UNTIL = re.compile(r"(?:^|(?<=\s))until\s+(\S+)\s*$", re.IGNORECASE)
_PERIOD = re.compile(r"(\d{1,4})([dwmy])", re.IGNORECASE)
_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}


class Answer(NamedTuple):
    """A reason, and the day to which an approval holds."""

    code: str | None
    text: str
    until: str | None


def understand(typed: str, reasons: dict[str, str], now: str) -> Answer:
    """The reason in *typed*: a digit of *reasons*, or words, with an `until` at the end.

    `until 2027-03-31` and `until 90d` are understood; raises UsageError for another end.
    """
    words, until = typed.strip(), None
    if found := _UNTIL.search(words):
        until = day(found[1], now)
        words = words[: found.start()].strip()
    if words in reasons:
        return Answer(words, reasons[words], until)
    return Answer(None, words, until)


def day(value: str, now: str) -> str:
    """The day that *value* (`2027-03-31`, `90d`, `6m`) is, seen from *now*."""
    if found := _PERIOD.fullmatch(value):
        return rfc3339(when(now) + timedelta(days=int(found[1]) * _DAYS[found[2].lower()]))[:10]
    if len(value) == 10 and utc(value):
        return value
    raise UsageError(f"until {value!r}: write a day (2027-03-31) or a length of time (90d, 6m)")
