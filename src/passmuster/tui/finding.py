"""Words found in lines that were folded to a width, also where a line was broken. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from passmuster.tui.lines import Line, Span, plain


class Index:
    """The characters of many lines without their spaces, so that a fold hides nothing."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self.starts: list[int] = []
        squeezed, at = [], 0
        for line in lines:
            self.starts.append(at)
            squeezed.append(_squeezed(plain(line)))
            at += len(squeezed[-1])
        self.text = "".join(squeezed)

    def find(self, words: str) -> list["Hit"]:
        """Everything that reads like *words*, whatever its case."""
        wanted = _squeezed(words)
        if not wanted:
            return []
        found, at = [], self.text.find(wanted)
        while at >= 0:
            found.append(Hit(at, at + len(wanted), bisect_right(self.starts, at) - 1))
            at = self.text.find(wanted, at + len(wanted))
        return found

    def marked(self, number: int, line: Line, hits: Sequence["Hit"]) -> Line:
        """*line*, which is line *number*, with what *hits* found in it shown in reverse."""
        start = self.starts[number]
        end = self.starts[number + 1] if number + 1 < len(self.starts) else len(self.text)
        # hits are in order and apart: those of this line stand together
        first = bisect_right(hits, start, key=lambda hit: hit.end)
        ranges = []
        for hit in hits[first:]:
            if hit.start >= end:
                break
            ranges.append(range(hit.start, hit.end))
        return _shown(line, start, ranges) if ranges else line


class Hit(NamedTuple):
    """One place: from and to in the index, and the line where it begins."""

    start: int
    end: int
    line: int


def _squeezed(text: str) -> str:
    """*text* in lower case without spaces, one character for each that is left."""
    dense = "".join(text.split())
    lower = dense.lower()
    if len(lower) == len(dense):
        return lower
    return "".join(c.lower() if len(c.lower()) == 1 else c for c in dense)


def _shown(line: Line, start: int, ranges: list[range]) -> Line:
    out: Line = []
    at = start
    for span in line:
        piece, was = "", False
        for char in span.text:
            # a space between two letters that were found belongs to what was found
            gap = char.isspace()
            here = any(at in r and not (gap and at <= max(start, r.start)) for r in ranges)
            if here != was and piece:
                out.append(Span(piece, "caret" if was else span.role))
                piece = ""
            piece, was = piece + char, here
            at += not gap
        if piece:
            out.append(Span(piece, "caret" if was else span.role))
    return out
