"""The base of everything that is long: draws only the lines that are seen, from spans.

It overrides `render_lines`, has no child and no Textual scroll bar, and so costs the same for ten
lines and for a million.
"""

import functools
from collections.abc import Collection, Sequence
from typing import Any, Self

from rich.segment import Segment
from rich.style import Style
from textual.app import App
from textual.events import MouseDown, MouseMove, MouseScrollDown, MouseScrollUp, MouseUp
from textual.geometry import Offset, Region, Size
from textual.strip import Strip
from textual.widget import Widget

from passmuster.tui.lines import Line, Role, Span, width_of

WHEEL = 3
"""Lines for one notch of the wheel."""
LINEAR = "-linear"
"""The class of an app whose screen is read aloud or on a braille line: no drawing, words only."""
_DRAWING = str.maketrans({"◀": "!", "─": " ", "│": " ", **dict.fromkeys("▕█░▏┃▾▴", " ")})
MOST_STRIPS = 1_000
"""Lines that are kept as they were drawn."""
Styles = dict[Role, Style]


def styles_of(app: App[Any]) -> Styles:
    """What each role looks like in the theme of *app*."""
    colors = app.get_css_variables()
    named = tuple((name, colors[name]) for name in _NAMED)
    return _styles_of_terminal(named) if app.native_ansi_color else _styles_of_colors(named)


_NAMED = ("foreground", "background", "accent", "error", "muster-dim", "muster-cursor-foreground",
          "muster-cursor-background")  # fmt: skip


@functools.lru_cache(maxsize=2)  # each view asks for the styles of the same theme
def _styles_of_colors(named: tuple[tuple[str, str], ...]) -> Styles:
    colors = dict(named)

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


def _styles_of_terminal(named: tuple[tuple[str, str], ...]) -> Styles:
    """The roles in the terminal's own colours, or in none: weight and reverse carry the meaning.

    No background is ever set: the one of the terminal is the only one that its colours are for.
    """
    colors = dict(named)

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
        self._painted: list[Strip] | None = None
        """The lines as they were last drawn."""
        self._painted_size = Size(0, 0)
        self._stale = False
        self._width, self._linear = 0, False
        self._strips: dict[tuple[object, ...], Strip] = {}

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
        """The lines of *crop*: those on the screen already, if nothing has changed since."""
        if self._stale or self._painted is None or self._painted_size != self.size:
            self._painted, self._painted_size = self._compose_lines(), self.size
            self._stale = False
        strips = self._painted[crop.y : crop.bottom]
        if crop.x == 0 and crop.width == self.size.width:
            return strips
        return [strip.crop(crop.x, crop.right) for strip in strips]

    def redraw(self) -> None:
        """Something changed: at the next frame send those lines that differ from what stands."""
        self._stale = True
        super().refresh()

    def refresh(
        self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False
    ) -> Self:
        """Without regions, draw everything anew and send all of it."""
        if not regions:
            self._painted = None
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _exchange_repaint_regions(self) -> Collection[Region]:
        """What is to be sent: Textual asks once for each frame, and would send the whole."""
        regions = super()._exchange_repaint_regions()
        old = self._painted
        if not self._stale or old is None or self._painted_size != self.size:
            return regions
        self._stale = False
        self._painted = new = self._compose_lines()
        # a line that is drawn as before is the same object; one region for lines that follow on
        regions, start = [], None
        for y, (before, strip) in enumerate(zip(old, new, strict=True)):
            if strip is before:
                if start is not None:
                    regions.append(Region(0, start, self._width, y - start))
                start = None
            elif start is None:
                start = y
        if start is not None:
            regions.append(Region(0, start, self._width, len(new) - start))
        return regions

    def _compose_lines(self) -> list[Strip]:
        """Every line that is seen, as strips of exactly the widget's width."""
        self._width, height = self.size  # asked once: Textual looks the screen up each time
        self._linear = self.app.has_class(LINEAR)
        head = self.head()[:height]
        room, count = max(1, height - len(head)), self.count()
        bottom = min(count, self.top + height - len(head))
        self.prepare(self.top, bottom)
        strips = [self._strip(line, "") for line in head]
        start = size = 0
        if self.BAR and count > room:
            size = max(1, room * room // count)
            start = (room - size) * self.top // (count - room)
        for y in range(height - len(head)):
            number = self.top + y
            bar = "┃" if start <= y < start + size else ""
            strips.append(self._strip(self.line(number) if number < bottom else [], bar))
        return strips

    def draw_ahead(self, lines: Sequence[Line]) -> None:
        """Make the strips of *lines* as they will be if they are shown from the top."""
        if self._painted is None or self._painted_size != self.size or not self._strips:
            return  # nothing has been drawn yet, so it is not known how it will be
        room = self._painted_size.height
        size = max(1, room * room // len(lines)) if self.BAR and len(lines) > room else 0
        for y, line in enumerate(lines[:room]):
            self._strip(line, "┃" if y < size else "")

    def _strip(self, line: Line, bar: str) -> Strip:
        """*line* as a strip; the same strip for the same line, so that its bytes are kept too."""
        key = (bar, self._width, self._linear, *line)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) >= MOST_STRIPS:
                self._strips.clear()
            strip = self._strips[key] = self.strip_of(line, bar)
        return strip

    def strip_of(self, line: Line, bar: str) -> Strip:
        """*line* as a strip of exactly the widget's width; a cursor line is filled with it."""
        if self._linear:
            line, bar = [span._replace(text=span.text.translate(_DRAWING)) for span in line], ""
        styles, width = self.line_styles, self._width
        runs: list[Span] = []
        for span in line:
            if runs and runs[-1].role == span.role:  # one change of style less to send
                runs[-1] = Span(runs[-1].text + span.text, span.role)
            else:
                runs.append(span)
        role: Role = "cursor" if line and line[0].role == "cursor" else "plain"
        room = width - self.BAR if bar or role == "cursor" else width
        used = width_of(runs)
        if used < room:
            if runs and runs[-1].role == role:
                runs[-1] = Span(runs[-1].text + " " * (room - used), role)
            else:
                runs.append(Span(" " * (room - used), role))
        strip = Strip([Segment(text, styles[role]) for text, role in runs], max(used, room))
        if used > width - self.BAR:
            strip = strip.crop(0, width - self.BAR)
        if strip.cell_length < width:
            end = Segment(bar or " ", styles["dim" if bar else "plain"])
            strip = Strip([*strip, end], width)
        return strip

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
            self.redraw()

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
        self._strips.clear()
        self._painted = None
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
            self.redraw()

    def count(self) -> int:
        """All lines."""
        return len(self.lines)

    def line(self, number: int) -> Line:
        """One of them."""
        return self.lines[number]
