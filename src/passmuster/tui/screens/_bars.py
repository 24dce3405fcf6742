"""The second line and the last of the main screen: what was said, and what to press now."""

from typing import TYPE_CHECKING

from passmuster.text import plural
from passmuster.tui.lines import Line, Span
from passmuster.tui.parts import rotatable
from passmuster.tui.widgets.keys_bar import Key

if TYPE_CHECKING:
    from passmuster.tui.screens.review import ReviewScreen


def status(screen: "ReviewScreen", line: Line) -> Line:
    """*line*, or what is to be done when nothing is left to decide."""
    finished = _finished(screen)
    if screen.said or screen.look.expression or screen.table.marks:
        return line
    out = [Span(" "), *finished] if finished else line
    if screen.second_waits and (finished or not screen.table.rank):
        waits = f"{plural(screen.second_waits, 'decision')} of others waiting on you: 2 shows them"
        out = [*out, Span("   " if finished else "  "), Span(waits, "strong")]
    return out


def _finished(screen: "ReviewScreen") -> Line:
    progress = screen.progress
    if progress is None or progress.open or not progress.total:
        return []
    if progress.drafts:
        drafts = plural(progress.drafts, "draft")
        return [Span(f"nothing left to decide: press $ to sign {drafts}", "strong")]
    return [Span("all is decided and signed", "strong")]


def keys(screen: "ReviewScreen") -> list[Key]:
    """The keys that make sense now; the bar shows nine at most."""
    tail = [Key("/", "filter", "filter", True), Key("$", "sign", "sign"),
            Key("?", "more", "help")]  # fmt: skip
    if not screen.table.rank:
        return [*tail, Key("q", "quit", "leave")]
    if screen.muster.read_only or screen.campaign.closed_at:
        return [Key("enter", "all evidence", "details"), Key("tab", "section", "section(1)"),
                Key("s", "sort", "sort"), Key("/", "filter", "filter"), Key("?", "more", "help"),
                Key("q", "quit", "leave")]  # fmt: skip
    return _verbs(screen, tail)


def _verbs(screen: "ReviewScreen", tail: list[Key]) -> list[Key]:
    verbs = [Key("a", "approve", "verb('approve')"), Key("r", "revoke", "verb('revoke')"),
             Key("d", "disable", "verb('disable')"), Key("t", "rotate", "rotate"),
             Key("x", "abstain", "verb('abstain')"), Key("o", "owner", "owner")]  # fmt: skip
    if screen.dossier is not None and not rotatable(screen.dossier):
        verbs = [v for v in verbs if v.key != "t"]
    if screen.for_marked:
        return [*(v for v in verbs if v.key in "ardx"), Key("u", "clear", "clear"),
                Key("esc", "not now", "back")]  # fmt: skip
    if screen.table.marks:
        return [Key(";", f"then a verb: all {len(screen.table.marks):,}", "marked"),
                Key("space", "mark", "mark"), Key("esc", "unmark", "back"), *tail]  # fmt: skip
    state = screen.muster.sitting.state(screen.table.cursor_id or 0)
    if state.draft or state.own:
        return [Key("u", "clear", "clear"), *(v for v in verbs if v.key not in "tx"),
                Key("z", "undo", "undo"), *tail]  # fmt: skip
    return [*verbs, *tail]
