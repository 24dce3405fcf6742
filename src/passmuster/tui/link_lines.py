"""One identity of a chain, as lines: who may become the one that is shown, or what that may become.

A claim that the other end does not bear out is dim: it lets nobody in.
"""

from passmuster.campaigns import is_claim, link_words
from passmuster.text import Json
from passmuster.tui.lines import Line, Span, say


def link_lines(row: Json, alarm: Span) -> list[Line]:
    """The row, with *alarm* where what can be become is privileged."""
    name, facts = link_words(row)
    outward = row["direction"] == "out"
    grave = outward and bool(row["is_privileged"])
    line: Line = [
        Span("→ " if outward else "← "),
        say(name, "strong" if grave else "plain"),
        say(f"  {facts}", "dim" if is_claim(row) else "plain"),
    ]
    out = [[*line, alarm] if grave else line]
    if row["more"]:
        out.append([Span("… and more than the evidence holds", "dim")])
    return out
