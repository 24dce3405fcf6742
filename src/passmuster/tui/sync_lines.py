"""Where the workspace stands with the central log, in the words of the first line. Pure."""

from passmuster.tui import words
from passmuster.tui.lines import Line, Span, say, width_of
from passmuster.tui.sections import ALARM
from passmuster.tui.syncing import Standing

PLAIN = ("never", "offline", "waiting")
WIDE = 100
"""Columns from which the line says by which key it goes on."""


def clock(stamp: str, now: str) -> str:
    """A moment as short as it can be told: the time of today, else the day."""
    if not stamp:
        return "?"
    if stamp[:10] == now[:10]:
        return f"{stamp[11:16]} UTC"
    return stamp[:10]


def standing(at: Standing | None, now: str, width: int) -> Line:
    """A few words for the end of the first line; nothing where there is no central log."""
    if at is None or at.state.kind == "none":
        return []
    state = at.state
    if at.doing is not None:
        _, done, of = at.doing
        return [Span("syncing" if not of else f"syncing {done:,}/{of:,}")]
    told = state.told(lambda stamp: clock(stamp, now), "")
    key = ""
    if width >= WIDE and state.kind in ("halted", "attention"):
        key = "  h shows it"
    elif width >= WIDE and at.locked and state.kind in ("never", "waiting"):
        key = "  S sends" if state.waiting else "  S syncs"
    role = "error" if state.kind == "halted" else "strong" if state.kind == "attention" else (
        "plain" if state.kind in PLAIN else "dim"
    )  # fmt: skip
    line: Line = [say(told, role)]  # type: ignore[arg-type]
    if state.kind in ("halted", "attention"):
        line.append(ALARM)
    return [*line, Span(key, "dim")] if key else line


def beside(left: Line, right: Line, width: int) -> Line:
    """*right* at the end of a line that *left* begins."""
    gap = width - width_of(left) - width_of(right) - 1
    return [*left, Span(" " * max(1, gap)), *right]


def since(stamp: str | None, now: str) -> str:
    """`2026-11-23 08:00 UTC (2 hours ago)`."""
    if not stamp:
        return "a time that is not known"
    return f"{stamp[:16].replace('T', ' ')} UTC ({words.ago(stamp, now)})"
