"""The evidence pane: lines made once for an item and a width, drawn as far as they are seen."""

from collections.abc import Callable
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster.tui.lines import Line
from passmuster.tui.widgets.line_view import LineView


class DossierView(LineView, can_focus=True):
    """Lines that depend on the width, and can be scrolled."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "scroll(1)", "down", id="pane.down"),
        Binding("up,k", "scroll(-1)", "up", id="pane.up"),
        Binding("pagedown,ctrl+f,space", "page(1)", "page down", id="pane.pagedown"),
        Binding("pageup,ctrl+b", "page(-1)", "page up", id="pane.pageup"),
        Binding("home", "scroll(-1000000000)", "top", id="pane.home"),
        Binding("end", "scroll(1000000000)", "bottom", id="pane.end"),
    ]

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self._make: Callable[[int], list[Line]] = lambda _: []
        self.lines: list[Line] = []

    def show(self, make: Callable[[int], list[Line]], *, keep_place: bool = False) -> None:
        """Draw what *make* returns for the width, from the top unless *keep_place*."""
        self._make = make
        self.top = self.top if keep_place else 0
        self._remake()

    def count(self) -> int:
        """All lines."""
        return len(self.lines)

    def line(self, number: int) -> Line:
        """One of them."""
        return self.lines[number]

    def on_resize(self) -> None:
        """Fold the lines to the new width."""
        self._remake()

    def _remake(self) -> None:
        self.lines = self._make(self.inner_width) if self.size.width else []
        self.top = max(0, min(self.top, len(self.lines) - self.room))
        self.redraw()

    def action_scroll(self, by: int) -> None:
        """Move by so many lines."""
        self.scroll_lines(by)

    def action_page(self, pages: int) -> None:
        """Move by what is seen at a time, less one line to keep the place."""
        self.scroll_lines(pages * max(1, self.room - 1))
