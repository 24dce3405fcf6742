"""Saved filters as tabs with counts, on one line; each can be clicked."""

from collections.abc import Sequence
from typing import NamedTuple

from textual.events import Click
from textual.message import Message

from passmuster.tui.lines import Line, Span, say, width_of
from passmuster.tui.widgets.line_view import LineBar


class Tab(NamedTuple):
    """One tab."""

    name: str
    rows: int | None
    """None while they are being counted."""

    def line(self, *, open_: bool) -> Line:
        """The tab as it is drawn; the open one is in brackets, so that it needs no colour."""
        count = "" if self.rows is None else f" {self.rows:,}"
        if open_:
            return [say(f"[{self.name}{count}]", "strong")]
        return [say(f" {self.name}", "plain" if self.rows else "dim"), Span(f"{count} ", "dim")]


class TabsBar(LineBar):
    """One line of tabs; without any it takes no line."""

    DEFAULT_CSS = """
    TabsBar { height: 1; display: none; }
    TabsBar.-any { display: block; }
    """

    class Chosen(Message):
        """A tab was clicked."""

        def __init__(self, place: int) -> None:
            super().__init__()
            self.place = place

    def __init__(self, *, id: str | None = None, shown: bool = False) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.set_class(shown, "-any")
        self._spots: list[tuple[int, int, int]] = []

    def show_tabs(self, tabs: Sequence[Tab], at: int, width: int) -> None:
        """Show the tabs; empty ones give way first, the open one never does."""
        self.set_class(bool(tabs), "-any")
        drawn = {place: tab.line(open_=place == at) for place, tab in enumerate(tabs)}
        give_way = [p for p in reversed(drawn) if p != at and not tabs[p].rows]
        give_way += [p for p in reversed(drawn) if p != at and tabs[p].rows]
        room = width - 1
        while give_way and sum(map(width_of, drawn.values())) > room:
            del drawn[give_way.pop(0)]
        hidden = len(tabs) - len(drawn)
        line: Line = []
        self._spots, used = [], 0
        for place, spans in drawn.items():
            size = width_of(spans)
            self._spots.append((used, used + size, place))
            line += spans
            used += size
        if hidden and used < width:
            line.append(Span("…", "dim"))
        self.show(line)

    def on_click(self, event: Click) -> None:
        """Open the tab."""
        for start, end, place in self._spots:
            if start <= event.x < end:
                self.post_message(self.Chosen(place))
