"""A table over any number of rows: four bytes a row, and only what is seen is read.

It knows ids, columns and a callback that gives the rows of some ids. The cursor is an *id*, not a
place: after a filter or a new order it is where that id is, so that a verb never lands on another
row than the one that was painted.
"""

import contextlib
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

from textual.binding import Binding, BindingType
from textual.events import Click
from textual.geometry import Offset
from textual.message import Message

from passmuster.tui.lines import Line, Role, Span, fit, fold
from passmuster.tui.widgets.line_view import LineView

GUTTER = 5
"""Cells before the first column: cursor, mark, two signs, and one that is free."""
HANGING = "    "
"""Before what is folded of a line that says why there is no row."""
MAX_CACHED_ROWS = 4_096


class Column(NamedTuple):
    """One column; the one of width 0 takes what the others leave."""

    key: str
    title: str
    width: int
    right: bool = False


def fitting(
    columns: Sequence[Column], first_in: Sequence[str], width: int, least: int = 16
) -> list[Column]:
    """Those of *columns* that *width* has room for, in their order.

    They come in as *first_in* names them, until one does not fit; the one of width 0, which keeps
    *least* cells, and the first named are always there.
    """
    by_key = {c.key: c for c in columns}
    chosen = {c.key for c in columns if not c.width} | {first_in[0]}
    taken = least + sum(by_key[key].width + 1 for key in chosen)
    for key in first_in:
        if key in chosen:
            continue
        if taken + by_key[key].width + 1 > width:
            break
        chosen.add(key)
        taken += by_key[key].width + 1
    return [c for c in columns if c.key in chosen]


class TableRow(NamedTuple):
    """What a row shows."""

    cells: Mapping[str, str]
    signs: str = ""
    """At most two characters in the gutter."""
    role: Role = "plain"


class LineTable(LineView, can_focus=True):
    """Rows by id under a head, with a cursor and marks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "down", id="table.down", tooltip="next row"),
        Binding("up,k", "move(-1)", "up", id="table.up", tooltip="row before"),
        Binding("pagedown,ctrl+f", "page(1)", "page down", id="table.pagedown"),
        Binding("pageup,ctrl+b", "page(-1)", "page up", id="table.pageup"),
        Binding("home", "end(0)", "first row", id="table.home"),
        Binding("end", "end(1)", "last row", id="table.end"),
    ]

    class Moved(Message):
        """The cursor is on another id."""

        def __init__(self, row_id: int | None) -> None:
            super().__init__()
            self.row_id = row_id

    class HeadClicked(Message):
        """Somebody wants the rows by this column."""

        def __init__(self, key: str) -> None:
            super().__init__()
            self.key = key

    def __init__(
        self,
        rows: Callable[[Sequence[int]], Mapping[int, TableRow]],
        columns: Callable[[int], Sequence[Column]],
        *,
        id: str | None = None,  # noqa: A002 - Textual's own name
    ) -> None:
        super().__init__(id=id)
        self.rank: array[int] = array("I")
        self.cursor = 0
        self.marks: set[int] = set()
        self.marked_last: int | None = None
        """The id that was marked by hand last: one end of a range."""
        self.empty: list[Line] = []
        self.sorted_by: tuple[str, bool] = ("", False)
        """The column that the rows are in the order of, and whether the other way round."""
        self._rows, self._columns_for = rows, columns
        self._columns: Sequence[Column] = ()
        self._cache: dict[int, TableRow] = {}
        self._texts: dict[int, str] = {}
        """What of a row is known: its signs and cells as they are drawn."""
        self._wanted: int | None = None
        self._announced: int | None = None
        self.moved: Callable[[int | None], None] = self.post_moved
        """Called, when a key or the mouse has moved the cursor, with the id that it has come to;
        posts `Moved` by default. What is drawn in the call is in the frame of the cursor."""

    @property
    def cursor_id(self) -> int | None:
        """The id under the cursor; None when there is no row."""
        return self.rank[self.cursor] if self.rank else None

    def set_rank(self, rank: "array[int]") -> None:
        """Show these ids in this order; the cursor stays on its id if that is among them."""
        wanted = self.cursor_id if self._wanted is None else self._wanted
        self.rank = rank
        self._forget_all()
        try:
            self.cursor = rank.index(wanted) if wanted is not None else 0
        except ValueError:
            # not in this view: begin at its top, but go back when a later view has it again
            self.cursor = 0
            self._wanted = wanted
        self._follow()
        self.redraw()
        self._announce()

    def go_to(self, place: int, *, by_hand: bool = False) -> None:
        """Put the cursor on the row at *place*."""
        if not self.rank:
            return
        self.cursor = max(0, min(len(self.rank) - 1, place))
        self._wanted = self.cursor_id
        self._follow()
        self.redraw()
        self._announce(by_hand=by_hand)

    def go_to_id(self, row_id: int) -> None:
        """Put the cursor on the row with this id, if it is in the view."""
        with contextlib.suppress(ValueError):
            self.go_to(self.rank.index(row_id))

    def want(self, row_id: int) -> None:
        """Go to this id now, or as soon as a view has it."""
        self._wanted = row_id
        self.go_to_id(row_id)

    def forget(self, ids: Sequence[int] | None = None) -> None:
        """What is known of these rows (of all) may be out of date: read them again when seen."""
        if ids is None:
            self._forget_all()
        else:
            for row_id in ids:
                self._cache.pop(row_id, None)
                self._texts.pop(row_id, None)
        self.redraw()

    def _forget_all(self) -> None:
        self._cache.clear()
        self._texts.clear()

    def toggle_mark(self) -> None:
        """Mark the row under the cursor or take the mark away, and go on."""
        if (row_id := self.cursor_id) is not None:
            self.marks ^= {row_id}
            self.marked_last = row_id
            self.redraw()
            self.go_to(self.cursor + 1, by_hand=True)

    def mark(self, ids: Iterable[int]) -> None:
        """Mark these too."""
        self.marks.update(ids)
        self.redraw()

    # drawing

    def count(self) -> int:
        """Rows, or the lines that say why there are none."""
        return len(self.rank) or len(self._nothing())

    def _nothing(self) -> list[Line]:
        """`empty` in the width that there is: half of the screen may be the evidence's."""
        room = max(20, self.inner_width - len(HANGING))
        folded = [fold(line, room) for line in self.empty]
        return [[Span(HANGING), *part] if n else part
                for parts in folded for n, part in enumerate(parts)]  # fmt: skip

    def head(self) -> Sequence[Line]:
        """The titles of the columns."""
        if not self.rank:
            return ()
        titles = " ".join(fit(self._title(c), c.width, right=c.right) for c in self._columns)
        return ([Span(" " * GUTTER + titles, "dim")],)

    def _title(self, column: Column) -> str:
        key, backwards = self.sorted_by
        if column.key != key:
            return column.title
        return f"{column.title.strip()}{'▴' if backwards else '▾'}"

    @property
    def columns(self) -> Sequence[Column]:
        """The columns as they are shown, each with its width."""
        return self._columns

    def prepare(self, first: int, last: int) -> None:
        """Read the rows that are not known yet, in one call."""
        missing = [i for i in self.rank[first:last] if i not in self._cache]
        if missing:
            if len(self._cache) + len(missing) > MAX_CACHED_ROWS:
                self._forget_all()
                missing = list(self.rank[first:last])
            self._cache.update(self._rows(missing))

    def line(self, number: int) -> Line:
        """One row; the cursor is a sign and a reversed line, so it needs no colour."""
        if not self.rank:
            return self._nothing()[number]
        row_id = self.rank[number]
        row = self._cache.get(row_id) or TableRow({})
        text = self._texts.get(row_id)
        if text is None:
            cells = (fit(row.cells.get(c.key, ""), c.width, right=c.right) for c in self._columns)
            text = f"{fit(row.signs, 2)} {' '.join(cells)}"
            if row_id in self._cache:
                self._texts[row_id] = text
        at_cursor = number == self.cursor
        gutter = f"{'>' if at_cursor else ' '}{'*' if row_id in self.marks else ' '}"
        return [Span(gutter + text, "cursor" if at_cursor else row.role)]

    def on_resize(self) -> None:
        """Choose the columns that the width has room for."""
        self.choose_columns()

    def choose_columns(self) -> None:
        """Ask again for the columns, and draw everything."""
        columns = list(self._columns_for(self.inner_width - GUTTER))
        taken = sum(c.width for c in columns) + len(columns) - 1
        rest = max(4, self.inner_width - GUTTER - taken)
        self._columns = [c if c.width else c._replace(width=rest) for c in columns]
        self._texts.clear()
        self._follow()
        self.redraw()

    # moving

    def action_move(self, by: int) -> None:
        """Move the cursor by so many rows."""
        self.go_to(self.cursor + by, by_hand=True)

    def action_page(self, pages: int) -> None:
        """Move the cursor by what is seen at a time."""
        self.scroll_lines(pages * self.room)
        self.go_to(self.cursor + pages * self.room, by_hand=True)

    def action_end(self, last: int) -> None:
        """Go to the first or the last row."""
        self.go_to(len(self.rank) - 1 if last else 0, by_hand=True)

    def on_click(self, event: Click) -> None:
        """Put the cursor where the mouse is."""
        if event.x >= self.inner_width:
            return
        place = self.top + event.y - len(self.head())
        if event.y < len(self.head()):
            self._head_clicked(event.x - GUTTER)
        elif place < len(self.rank):
            self.go_to(place, by_hand=True)

    def _head_clicked(self, x: int) -> None:
        for column in self._columns:
            if 0 <= x <= column.width:
                self.post_message(self.HeadClicked(column.key))
                return
            x -= column.width + 1

    def _follow(self) -> None:
        room = self.room
        top = min(max(self.top, self.cursor - room + 1), self.cursor)
        self.top = max(0, min(top, len(self.rank) - room))

    @property
    def caret(self) -> Offset:
        """The beginning of the cursor's row."""
        return self.region.offset + Offset(0, len(self.head()) + self.cursor - self.top)

    def _announce(self, *, by_hand: bool = False) -> None:
        if self.cursor_id != self._announced or not self.rank:
            self._announced = self.cursor_id
            (self.moved if by_hand else self.post_moved)(self.cursor_id)

    def post_moved(self, row_id: int | None) -> None:
        """Tell of the cursor's row by a message: the screen may be in the middle of something."""
        self.post_message(self.Moved(row_id))
