"""What a person types at the reason line, understood; pure.

The days are a small grammar of our own and no library: the ready-made parsers guess ("may" is a
month, "5/6" is a day somewhere), and a guessed day would be signed. What is not understood is
refused, and the day that was understood is shown back (`until_words`).
"""

import re
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import NamedTuple

from passmuster.errors import UsageError
from passmuster.model import Verdict
from passmuster.text import plural
from passmuster.tui.words import when

_UNTIL = re.compile(r"(?:^|(?<=\s))until(?:\s+|$)", re.IGNORECASE)
EXAMPLES = "2027-03-31, 90d, 6 months, friday, 31 march, q2 2027, end of quarter"
_MONTHS = (
    "", "january", "february", "march", "april", "may", "june", "july", "august", "september",
    "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PARTS = {"month": 1, "quarter": 3, "half": 6, "half-year": 6, "half year": 6, "year": 12}
"""Months of each part of the year that has an end."""


class Answer(NamedTuple):
    """A reason, and the day to which an approval holds."""

    code: str | None
    text: str
    until: str | None


FITS: dict[str, tuple[Verdict, ...]] = {
    "in use, owner confirmed": ("approve",),
    "needed, privilege is right": ("approve",),
    "no longer used": ("revoke", "disable"),
    "owner has left": ("revoke", "disable", "abstain"),
    "too much privilege": ("revoke", "disable"),
    "replaced by another identity": ("revoke", "disable"),
    "supplier contract ended": ("revoke", "disable"),
    "cannot judge: not mine": ("abstain",),
    "risk accepted for now": ("approve",),
}
"""Our own one-key reasons and what each is a reason for; a person's own words fit everything."""


def fitting(reasons: dict[str, str], verdict: Verdict, *, changes: bool) -> dict[str, str]:
    """The reasons that can be meant with *verdict*; each keeps its digit.

    With *changes* the parts go and the rest stays: any reason may be the one.
    """
    if changes:
        return reasons
    return {digit: words for digit, words in reasons.items()
            if verdict in FITS.get(words, (verdict,))}  # fmt: skip


def understand(typed: str, reasons: dict[str, str], now: str) -> Answer:
    """The reason in *typed*: a digit of *reasons*, or words, with an `until` at the end.

    All that stands behind the first `until` must be a day to come, else UsageError: an end that
    was meant and not understood would be an approval without one.
    """
    words, until = typed.strip(), None
    if found := _UNTIL.search(words):
        until = day(words[found.end() :], now)
        words = words[: found.start()].strip().removesuffix(",").rstrip()
    if words in reasons:
        return Answer(words, reasons[words], until)
    return Answer(None, words, until)


def day(value: str, now: str) -> str:
    """The day, after today, that *value* (`2027-03-31`, `6 months`, `end of quarter`) means."""
    words = " ".join(value.lower().split()).removesuffix(".").removeprefix("the ")
    today = when(now).date()
    for pattern, meaning in _GRAMMAR:
        if found := pattern.fullmatch(words):
            try:
                meant = meaning(found, today)
            except (ValueError, OverflowError):
                raise UsageError(f"until {value!r}: there is no such day; {_help()}") from None
            if meant <= today:
                what = "today" if meant == today else "in the past"
                raise UsageError(f"until {value!r}: {meant} is {what}; {_help()}")
            return meant.isoformat()
    raise UsageError(f"until {value!r}: no day that is understood; {_help()}")


def until_words(until: str, now: str) -> str:
    """`until 2026-12-31 (34 days)`: what was understood, so that a wrong day is seen."""
    days = (when(until).date() - when(now).date()).days
    return f"until {until[:10]} ({plural(days, 'day')})"


def _help() -> str:
    return f"put a day last, such as {EXAMPLES}"


def _last_day(year: int, month: int) -> int:
    return 31 if month == 12 else (date(year, month + 1, 1) - timedelta(days=1)).day


def _later(start: date, months: int) -> date:
    """The same day *months* on, or the last of a shorter month."""
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    return date(year, month + 1, min(start.day, _last_day(year, month + 1)))


def _last(year: int, month: int) -> date:
    return date(year, month, _last_day(year, month))


def _iso(found: re.Match[str], _today: date) -> date:
    return date(int(found[1]), int(found[2]), int(found[3]))


def _length(found: re.Match[str], today: date) -> date:
    count, unit = (1 if found[1] in ("a", "an", "one") else int(found[1])), found[2][0]
    if unit in "dw":
        return today + timedelta(days=count * (7 if unit == "w" else 1))
    return _later(today, count * (12 if unit == "y" else 1))


def _tomorrow(_found: re.Match[str], today: date) -> date:
    return today + timedelta(days=1)


def _weekday(found: re.Match[str], today: date) -> date:
    """The next one to come, with `next` too: of two readings the shorter approval."""
    number = next(n for n, name in enumerate(_WEEKDAYS) if name.startswith(found[1][:3]))
    return today + timedelta(days=(number - today.weekday() - 1) % 7 + 1)


def _end_of(found: re.Match[str], today: date) -> date:
    size = _PARTS[found[2]]
    month = (today.month - 1) // size * size + size
    return _end(today.year, month, size if found[1] else 0)


def _end(year: int, month: int, further: int) -> date:
    first = _later(date(year, month, 1), further)
    return _last(first.year, first.month)


def _end_of_month(found: re.Match[str], today: date) -> date:
    return _soonest(found[2], today, lambda year: _last(year, _month(found[1])))


def _day_of_month(found: re.Match[str], today: date) -> date:
    return _soonest(found[3], today, lambda year: date(year, _month(found[2]), int(found[1])))


def _month_and_day(found: re.Match[str], today: date) -> date:
    return _soonest(found[3], today, lambda year: date(year, _month(found[1]), int(found[2])))


def _quarter(found: re.Match[str], today: date) -> date:
    month = int(found[2]) * (3 if found[1] == "q" else 6)
    return _soonest(found[3], today, lambda year: _last(year, month))


def _month(name: str) -> int:
    return next(n for n, full in enumerate(_MONTHS) if n and full.startswith(name[:3]))


def _soonest(year: str | None, today: date, meant: Callable[[int], date]) -> date:
    """In *year*, or without one the first to come; 29 February may be eight years away."""
    if year is not None:
        return meant(int(year))
    for ahead in range(9):
        try:
            found = meant(today.year + ahead)
        except ValueError:
            continue
        if found > today:
            return found
    raise ValueError


def _names(names: Sequence[str]) -> str:
    return "|".join(f"{name[:3]}|{name}" for name in names if name)


_MONTH = f"({_names(_MONTHS)}|sept)"
_YEAR = r"(?:,? (\d{4}))?"
_GRAMMAR = [
    (re.compile(pattern, re.ASCII), meaning)
    for pattern, meaning in (
        (r"(\d{4})-(\d\d)-(\d\d)", _iso),
        (r"(\d{1,4}|an?|one) ?([dwmy]|days?|weeks?|months?|years?)", _length),
        (r"tomorrow", _tomorrow),
        (rf"(?:next |this )?({_names(_WEEKDAYS)})", _weekday),
        (rf"(?:the )?end of (?:the |this )?(next )?({'|'.join(_PARTS)})", _end_of),
        (rf"end of {_MONTH}{_YEAR}", _end_of_month),
        (rf"(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? {_MONTH}{_YEAR}", _day_of_month),
        (rf"{_MONTH} (\d{{1,2}})(?:st|nd|rd|th)?{_YEAR}", _month_and_day),
        (rf"(?:end of )?(q)([1-4]){_YEAR}", _quarter),
        (rf"(?:end of )?(h)([12]){_YEAR}", _quarter),
    )
]
