"""Lines of spans: text with a role instead of a colour, folded to a width. Pure.

A span's text has always been through `text.visible`; only `widgets.line_view` turns roles into
terminal styles. So nothing from outside can reach the terminal as anything but text.
"""

import functools
import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from rich.cells import cell_len, chop_cells, set_cell_size

from passmuster.text import visible

Role = Literal["plain", "dim", "strong", "accent", "error", "cursor", "caret"]


class Span(NamedTuple):
    """A piece of one line."""

    text: str
    role: Role = "plain"


Line = list[Span]
MOST_NAME = 60
"""Cells of a name that nobody meant to be so long; the record as signed has the whole."""
_WORDS = re.compile(r"\s+|\S+")


def say(value: object, role: Role = "plain") -> Span:
    """A span of *value*, harmless whatever it is: the only way that data becomes a span."""
    return Span(visible(str(value)), role)


def width_of(line: Iterable[Span]) -> int:
    """Cells that *line* takes."""
    return sum(len(t) if t.isascii() else cell_len(t) for t, _ in line)


def plain(line: Iterable[Span]) -> str:
    """The characters of *line*."""
    return "".join(span.text for span in line)


def short(name: str) -> str:
    """*name* as it is told in a sentence: what is beyond `MOST_NAME` cells shows as `…`."""
    return name if cell_len(visible(name)) <= MOST_NAME else fit(name, MOST_NAME)


def fit(value: str, width: int, *, right: bool = False) -> str:
    """*value* in exactly *width* cells; what is cut off shows as `…`."""
    value = visible(value)
    size = len(value) if value.isascii() else cell_len(value)
    if size > width:
        return set_cell_size(value, max(0, width - 1)) + "…" if width > 0 else ""
    return " " * (width - size) + value if right else value + " " * (width - size)


def fold(line: Sequence[Span], width: int) -> list[Line]:
    """*line* broken at spaces into lines of at most *width* cells; a longer word is chopped."""
    width = max(width, 8)
    if width_of(line) <= width:
        return [list(line)]
    return [list(folded) for folded in _folded(tuple(line), width)]


@functools.lru_cache(maxsize=2_000)  # what a rule says stands on every item that it hit
def _folded(line: tuple[Span, ...], width: int) -> tuple[tuple[Span, ...], ...]:
    out: list[Line] = [[]]
    used = 0
    for span in line:
        for word in _WORDS.findall(span.text):
            size = cell_len(word)
            if used and used + size > width and not word.isspace():
                out.append([])
                used = 0
            if word.isspace() and (used + size > width or (used == 0 and len(out) > 1)):
                continue
            for piece in chop_cells(word, width) if size > width else [word]:
                if used + cell_len(piece) > width:
                    out.append([])
                    used = 0
                last = out[-1]
                if last and last[-1].role == span.role:
                    last[-1] = Span(last[-1].text + piece, span.role)
                else:
                    last.append(Span(piece, span.role))
                used += cell_len(piece)
    return tuple(map(tuple, out))
