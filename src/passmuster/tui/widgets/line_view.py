"""The base of everything that is long: draws only the lines that are seen, from spans.

It overrides `render_lines`, has no child and no Textual scroll bar, and so costs the same for ten
lines and for a million.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.events import MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.geometry import Offset, Region
from textual.strip import Strip
from textual.widget import Widget

from passmuster.tui.lines import Line, Role

WHEEL = 3
"""Lines for one notch of the wheel."""
LINEAR = "-linear"
"""The class of an app whose screen is read aloud or on a braille line: no drawing, words only."""
_DRAWING = str.maketrans({"◀": "!", "─": " ", "│": " ", **dict.fromkeys("▕█░▏┃▾▴", " ")})
Styles = dict[Role, Style]


def styles_of(app: App[Any]) -> Styles:
    """What each role looks like in the theme of *app*."""
    if app.native_ansi_color:
        return _styles_of_terminal(app.get_css_variables())
    colors = app.get_css_variables()

    def style(color: str, back: str = "background", *, bold: bool = False) -> Style:
        return Style.parse(f"{'bold ' if bold else ''}{colors[color]} on {colors[back]}")

    return {
        "plain": style("foreground"),
        "dim": style("muster-dim"),
        "strong": style("foreground", bold=True),
        "accent": style("accent"),
        "error": style("error", bold=True),
        "cursor": style("muster-cursor-foreground", "muster-cursor-background"),
        "caret": style("background", "foreground"),
    }


def _styles_of_terminal(colors: Mapping[str, str]) -> Styles:
    """The roles in the terminal's own colours, or in none: weight and reverse carry the meaning.

    No background is ever set: the one of the terminal is the only one that its colours are for.
    """

    def style(name: str, *, bold: bool = False) -> Style:
        color = colors[name].removeprefix("ansi_")
        return Style(color=None if color == "default" else color, bold=bold or None)

    return {
        "plain": style("foreground"), "dim": style("muster-dim"),
        "strong": style("foreground", bold=True), "accent": style("accent", bold=True),
        "error": style("error", bold=True), "cursor": Style(reverse=True),
        "caret": Style(reverse=True),
    }  # fmt: skip


class LineView(Widget):
    """Lines under a fixed head, with a one-column position bar when there are more than fit."""

    DEFAULT_CSS = "LineView { height: 1fr; width: 1fr; }"
    ALLOW_SELECT = False
    BAR = 1
    """Cells for the position bar."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.top = 0
        self._styles_of_theme: Styles | None = None

    # what a subclass says of its lines

    def count(self) -> int:
        """How many lines there are under the head."""
        return 0

    def line(self, number: int) -> Line:
        """Line *number*; asked only for lines that are seen."""
        raise NotImplementedError

    def head(self) -> Sequence[Line]:
        """Lines that stay at the top."""
        return ()

    def prepare(self, first: int, last: int) -> None:
        """Called before lines *first* to *last* (exclusive) are drawn: read them in one go."""

    @property
    def caret(self) -> Offset:
        """Where the terminal's own cursor stands while this has the focus: a braille line
        follows it. The app asks at every frame, for what is above may come and go.
        """
        return self.region.offset

    # drawing

    @property
    def line_styles(self) -> Styles:
        """The styles of the theme, looked up once per theme."""
        if self._styles_of_theme is None:
            self._styles_of_theme = styles_of(self.app)
        return self._styles_of_theme

    @property
    def room(self) -> int:
        """Lines that fit under the head."""
        return max(1, self.size.height - len(self.head()))

    @property
    def inner_width(self) -> int:
        """Cells for a line, beside the position bar."""
        return max(1, self.size.width - self.BAR)

    def render_lines(self, crop: Region) -> list[Strip]:
        """Draw the lines of *crop*."""
        head = self.head()
        first = self.top + max(0, crop.y - len(head))
        self.prepare(first, min(self.count(), self.top + crop.bottom - len(head)))
        strips = [self._strip(y, head) for y in range(crop.y, crop.bottom)]
        if crop.x == 0 and crop.width == self.size.width:
            return strips
        return [strip.crop(crop.x, crop.right) for strip in strips]

    def _strip(self, y: int, head: Sequence[Line]) -> Strip:
        if y < len(head):
            return self.strip_of(head[y], "")
        number = self.top + y - len(head)
        line = self.line(number) if number < self.count() else []
        return self.strip_of(line, self._bar(y - len(head)))

    def strip_of(self, line: Line, bar: str) -> Strip:
        """*line* as a strip of exactly the widget's width; a cursor line is filled with it."""
        if self.app.has_class(LINEAR):
            line, bar = [span._replace(text=span.text.translate(_DRAWING)) for span in line], ""
        styles, width = self.line_styles, self.inner_width
        segments, used = [], 0
        for span in line:
            segments.append(Segment(span.text, styles[span.role]))
            used += cell_len(span.text)
        fill = styles["cursor" if line and line[0].role == "cursor" else "plain"]
        strip = Strip(segments, used).adjust_cell_length(width, fill)
        if not self.BAR:
            return strip
        return Strip.join([strip, Strip([Segment(bar or " ", styles["dim"])], 1)])

    def _bar(self, y: int) -> str:
        count, room = self.count(), self.room
        if count <= room:
            return ""
        size = max(1, room * room // count)
        start = (room - size) * self.top // max(1, count - room)
        return "┃" if start <= y < start + size else ""

    # moving

    def on_mouse_down(self, event: MouseDown) -> None:
        """The position bar is taken hold of."""
        if self.BAR and event.x >= self.inner_width and self.count() > self.room:
            event.stop()
            self.capture_mouse()
            self._to_bar(event.y)

    def on_mouse_move(self, event: MouseMove) -> None:
        """The position bar is dragged."""
        if self.app.mouse_captured is self:
            self._to_bar(event.y)

    def on_mouse_up(self, _event: MouseUp) -> None:
        """It is let go."""
        if self.app.mouse_captured is self:
            self.release_mouse()

    def _to_bar(self, y: int) -> None:
        """Show the lines that are as far down as *y* is on the position bar."""
        y = max(0, min(self.room - 1, y - len(self.head())))
        self.scroll_lines((self.count() - self.room) * y // max(1, self.room - 1) - self.top)

    def scroll_lines(self, by: int) -> None:
        """Move the window by *by* lines, as far as there are any."""
        top = max(0, min(self.count() - self.room, self.top + by))
        if top != self.top:
            self.top = top
            self.refresh()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """The wheel moves the window."""
        event.stop()
        self.scroll_lines(WHEEL)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """The wheel moves the window."""
        event.stop()
        self.scroll_lines(-WHEEL)

    def notify_style_update(self) -> None:
        """The theme changed: look the styles up again."""
        self._styles_of_theme = None
        super().notify_style_update()


class LineBar(LineView):
    """One line, or a few, that cannot be moved; parts of it may be clicked."""

    DEFAULT_CSS = "LineBar { height: 1; }"
    BAR = 0

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's own name
        super().__init__(id=id)
        self.lines: list[Line] = []

    def show(self, *lines: Line) -> None:
        """Draw *lines* instead of what is there."""
        if list(lines) != self.lines:
            self.lines = list(lines)
            self.refresh()

    def count(self) -> int:
        """All lines."""
        return len(self.lines)

    def line(self, number: int) -> Line:
        """One of them."""
        return self.lines[number]
