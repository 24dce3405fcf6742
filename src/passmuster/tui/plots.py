"""Small plots drawn with block characters: a share, a burn-down, a histogram. Pure.

No colour carries a meaning: what is done, drafted and left have characters of their own.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime
from itertools import accumulate
from typing import NamedTuple

from passmuster.tui.lines import Line, Span, width_of

EIGHTHS = " ▁▂▃▄▅▆▇█"
ON_TIME = "•"
DONE, BEGUN, LEFT = "█", "▒", "░"


def share(parts: Sequence[int], width: int) -> str:
    """A bar of *width* cells cut by *parts* (done, begun, left).

    What is not nothing is seen, as one cell at least; and nothing is full that is not.
    """
    total = sum(parts)
    if not total or width < len(parts):
        return LEFT * width
    cells = [part * width // total or (1 if part else 0) for part in parts]
    # the last of the parts that are there takes what rounding has left, the biggest gives it
    cells[max(n for n, part in enumerate(parts) if part)] += max(0, width - sum(cells))
    while sum(cells) > width:
        cells[cells.index(max(cells))] -= 1
    return "".join(char * n for char, n in zip((DONE, BEGUN, LEFT), cells, strict=True))


class Burn(NamedTuple):
    """What a burn-down is drawn from."""

    total: int
    """Items at the beginning."""
    steps: Sequence[tuple[str, int]]
    """(when, how many were decided then), in the order of time."""
    begin: str
    due: str
    now: str
    """Or when it ended."""
    now_word: str = "now"


def burn_down(burn: Burn, width: int, height: int) -> list[Line]:
    """What was left to decide over time, and as dots the line that would be on time.

    The time goes from the beginning to the due date, or to now where that is past.
    """
    label = len(f"{burn.total:,}") + 1
    room = max(8, width - label - 1)
    begin, due, now = (_seconds(t) for t in (burn.begin, burn.due, burn.now))
    end = max(due, now, begin + 1)
    each = (end - begin) / room
    times = [_seconds(when) for when, _ in burn.steps]
    left = [burn.total, *(burn.total - n for n in accumulate(i for _, i in burn.steps))]
    levels = [left[bisect_right(times, begin + (n + 1) * each)] if begin + n * each <= now else None
              for n in range(room)]  # fmt: skip
    ideal = [_row(burn.total * max(0.0, 1 - (n + 0.5) * each / max(1.0, due - begin)),
                  burn.total, height) if begin + n * each <= due else None
             for n in range(room)]  # fmt: skip
    out: list[Line] = []
    for row in range(height - 1, -1, -1):
        mark = f"{burn.total:,}" if row == height - 1 else "0" if row == 0 else ""
        line: Line = [Span(f"{mark:>{label - 1}} "), Span("│", "dim")]
        out.append(line + _cells(row, levels, ideal, burn.total, height))
    today = min(room - 1, int((now - begin) / each))
    return [*out, *_axis(burn, label, room, today, min(room - 1, int((due - begin) / each)))]


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def _row(left: float, total: int, height: int) -> int:
    """The row that the dot for *left* stands in, from below."""
    return min(height - 1, int(left * height / max(1, total)))


def _cells(
    row: int, levels: Sequence[int | None], ideal: Sequence[int | None], total: int, height: int
) -> Line:
    """One row: blocks in the accent, dots plain."""
    line: Line = []
    for level, dot in zip(levels, ideal, strict=True):
        eighths = 0 if level is None else -(-level * height * 8 // max(1, total)) - row * 8
        block = EIGHTHS[max(0, min(8, eighths))]
        # where it lies inside the blocks the dot is a hole in them: the review is behind there
        span = Span(ON_TIME, "strong") if dot == row else Span(block, "accent")
        if line and line[-1].role == span.role:
            line[-1] = Span(line[-1].text + span.text, span.role)
        else:
            line.append(span)
    return line


def _axis(burn: Burn, label: int, room: int, today: int, due: int) -> list[Line]:
    """The line below, with a tick where now is and one where the due date is, and the days."""
    line = ["─"] * room
    line[due] = line[today] = "┴"
    words = [" "] * room
    for place, text in (
        (0, burn.begin[5:10]),
        (due, f"due {burn.due[5:10]}"),
        (today, burn.now_word),
    ):
        start = max(0, min(place - (len(text) // 2 if place else 0), room - len(text)))
        free = all(c == " " for c in words[max(0, start - 1) : start + len(text) + 1])
        if free or place == today:
            _clear(words, start, len(text))
            words[start : start + len(text)] = text
    return [[Span(" " * label), Span("└", "dim"), Span("".join(line), "dim")],
            [Span(" " * (label + 1)), Span("".join(words), "dim")]]  # fmt: skip


def _clear(words: list[str], start: int, length: int) -> None:
    """Take away the words that would run into the ones to be put at *start*."""
    for step, first in ((-1, start - 1), (1, start + length)):
        at = first
        while 0 <= at < len(words) and words[at] != " ":
            words[at] = " "
            at += step


class Bin(NamedTuple):
    """One row of a histogram."""

    name: str
    done: int
    left: int
    note: str = ""


def histogram(bins: Sequence[Bin], width: int) -> list[Line]:
    """A bar for each bin, on one scale: what is left first, for that is what is asked about."""
    most = max((b.done + b.left for b in bins), default=0)
    names = max((len(b.name) for b in bins), default=0)
    tails = [f"{b.left:,} of {b.done + b.left:,}" for b in bins]
    wide = max((len(t) for t in tails), default=0)
    room = max(6, width - names - wide - 3)
    out: list[Line] = []
    for bin_, tail in zip(bins, tails, strict=True):
        total = bin_.done + bin_.left
        size = (room * total // most or bool(total)) if most else 0
        full = (size * bin_.left // total or bool(bin_.left)) if total else 0
        line: Line = [Span(f"{bin_.name:<{names}} "), Span(DONE * full, "accent"),
                      Span(LEFT * (size - full), "dim")]  # fmt: skip
        line += [Span(" " * (names + 1 + room - width_of(line)))]
        line += [Span(f" {tail:>{wide}}", "plain" if bin_.left else "dim")]
        if bin_.note:
            line.append(Span(bin_.note, "accent"))
        out.append(line)
    return out
