"""The rows of a list: read in a thread, the first at once; sections, sorting, and what changed."""

import contextlib
import time
from array import array
from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from passmuster import store
from passmuster.store import Database
from passmuster.tui.lines import Line, Span
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._places import Placed
from passmuster.tui.screens._typing import Typing
from passmuster.tui.widgets.ask_bar import AskBar
from passmuster.tui.widgets.line_table import Column, LineTable, TableRow
from passmuster.tui.widgets.tabs_bar import TabsBar

POLL_S = 1.0
"""How often another program's changes to the workspace are looked for, in seconds."""
COUNT_EVERY_S = 5.0
"""The sections are counted again at most so often, in seconds: each is a query over all rows."""
COUNT_SHARE = 10
"""And at most this share (one in so many) of the time goes into it."""


class Looking(Typing, Placed):
    """A list that can be looked at in many ways."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("tab", "section(1)", "next section", id="section.next",
                tooltip="the next saved filter"),
        Binding("shift+tab", "section(-1)", "section before", id="section.before",
                tooltip="the saved filter before"),
        Binding("s", "sort", "sort", id="sort", tooltip="by any column; again: the other way"),
    ]  # fmt: skip
    NOUN = "row"
    AT_ONCE = False
    """Whether the first rows of the first look are so cheap to read, whatever the size, that the
    first frame waits for them."""
    FIRST = 200
    """Rows that are shown before the whole order is known: if there are fewer, these are all."""
    SORTS: ClassVar[Mapping[str, str]] = {}
    """Column → its name in the question that `s` asks; the first is the order to begin with."""

    def __init__(self) -> None:
        super().__init__()
        self.look = Look(order=next(iter(self.SORTS), ""))
        self.sections: list[Section] = []
        self.section = 0
        """The place of the open section."""
        self.counts: dict[str, int] = {}
        self.whole = False
        """Whether all rows of the look are there, not only the first."""
        self._loaded = False
        self._version = 0
        self._view_db: Database | None = None
        self._stale_counts = False
        self._count_not_before = 0.0

    # what a subclass says

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":
        """The ids of a look in its order; called in a thread, SQL only."""
        raise NotImplementedError

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """What the table shows of these ids: one keyed query."""
        raise NotImplementedError

    def columns(self, width: int) -> Sequence[Column]:
        """The columns that *width* has room for."""
        raise NotImplementedError

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many rows each section has; called in a thread."""
        return {s.name: len(self.read_ids(db, Look(section=s.expression), None))
                for s in self.sections}  # fmt: skip

    def nothing(self, *, filtered: bool) -> list[Line]:
        """Why there is no row, and what to do about it."""
        raise NotImplementedError

    def view_shown(self, *, first: bool) -> None:
        """The rows of a look are there; *first* when the screen has just been opened."""

    def counted(self) -> None:
        """`read_counts` has run: what else it found can be shown."""

    def changed_outside(self) -> None:
        """Somebody, perhaps another muster, has written to the workspace."""

    # by hand, on the lists whose rows can be marked

    def action_mark(self) -> None:
        """Mark the row, or take its mark away."""
        before = self.table.cursor
        self.table.toggle_mark()
        if self.table.cursor == before:  # else what moved the cursor has drawn the lines around
            self.redraw_bars()

    # what the whole screen gives

    @property
    def table(self) -> LineTable:
        """The list."""
        return self.query_one("#queue", LineTable)

    @property
    def ask(self) -> AskBar:
        """The question at the bottom."""
        return self.query_one("#ask", AskBar)

    def show_evidence(self, *, keep_place: bool = False) -> None:
        """Draw what is known of the row under the cursor."""
        raise NotImplementedError

    def watch_changes(self) -> None:
        """Show the first rows, and look for changes from outside from time to time."""
        self._version = self._data_version()
        if self.AT_ONCE:
            self.table.sorted_by = (self.look.order, self.look.backwards)
            ids = self.read_ids(self.muster.db, self.look, self.FIRST)
            self._show(self.look, ids, len(ids) < self.FIRST)
            if self.muster.has_begun:  # else the app says when the first frame is drawn
                self.call_after_refresh(self.read_on)
        else:
            self.show_look(self.look)
            self.count_sections()
        self.set_interval(POLL_S, self.look_for_changes)
        self.set_interval(COUNT_EVERY_S, self._count_if_changed)

    # the rows

    def read_on(self) -> None:
        """What the first frame does not wait for where it has the first rows `AT_ONCE`."""
        if not self.whole:
            self._read(self.look)
        self.count_sections()

    def show_look(self, look: Look) -> None:
        """Read the rows of *look* in a thread and show them: the first at once, then all."""
        self.stop_reading()
        self.look, self.whole = look, False
        self.table.sorted_by = (look.order, look.backwards)
        self._read(look)

    def stop_reading(self) -> None:
        """End the query of a view that nobody waits for any more."""
        if self._view_db is not None:
            with contextlib.suppress(store.SqliteError):
                self._view_db.interrupt()

    @work(thread=True, exclusive=True, group="view")
    def _read(self, look: Look) -> None:
        worker = get_current_worker()
        with self.muster.reading() as db:
            self._view_db = db
            try:
                limits = (None,) if self._loaded else (self.FIRST, None)
                for limit in limits:
                    ids = self.read_ids(db, look, limit)
                    if worker.is_cancelled:
                        return
                    whole = limit is None or len(ids) < limit
                    self.app.call_from_thread(self._show, look, ids, whole)
                    if whole:
                        return
            except store.OperationalError as error:
                if "interrupted" not in str(error):
                    raise
            finally:
                self._view_db = None

    def _show(self, look: Look, ids: "array[int]", whole: bool) -> None:
        if look != self.look:
            return
        first, self._loaded, self.whole = not self._loaded, True, whole
        if not ids:
            self.table.empty = self.nothing(filtered=bool(look.filter))
        self.table.set_rank(ids)
        self.view_shown(first=first)
        self.redraw_bars()

    def refresh_rows(self) -> None:
        """The rows may be out of date: read what is seen again."""
        self.table.forget()
        self.show_evidence(keep_place=True)

    def look_for_changes(self) -> None:
        """Read everything again if somebody, perhaps another muster, has written."""
        version = self._data_version()
        if version != self._version:
            self._version = version
            self._stale_counts = True
            self.muster.syncing.look()
            self.refresh_rows()
            self.changed_outside()

    def _data_version(self) -> int:
        """Another number after another connection, our own writer's too, has written."""
        return int(self.muster.db.value("PRAGMA data_version"))

    # sections

    def _count_if_changed(self) -> None:
        due = time.monotonic() >= self._count_not_before
        if self._stale_counts and due and self.is_current:
            self.count_sections()

    @work(thread=True, exclusive=True, group="sections")
    def count_sections(self) -> None:
        """Count in a thread how many rows each section has."""
        self._stale_counts = False
        if not self.sections:
            return
        worker, began = get_current_worker(), time.monotonic()
        with self.muster.reading() as db:
            found = self.read_counts(db)
        ended = time.monotonic()
        self._count_not_before = ended + COUNT_SHARE * (ended - began)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._counted_sections, found)

    def _counted_sections(self, found: dict[str, int]) -> None:
        self.counts = found
        self.counted()
        self.redraw_bars()

    def action_section(self, by: int) -> None:
        """Open the section so many places on."""
        if not self.sections:
            self.say("there are no sections here")
            return
        self.open_section((self.section + by) % len(self.sections))

    def open_section(self, place: int) -> None:
        """Show the rows of the section at *place*."""
        self.section = place
        self.say("")
        self.show_look(self.look._replace(section=self.sections[place].expression, ids=None))

    def on_tabs_bar_chosen(self, message: TabsBar.Chosen) -> None:
        """A tab was clicked."""
        self.open_section(message.place)

    # sorting

    def action_sort(self) -> None:
        """Ask for the column to sort by."""
        keys = list(self.SORTS)
        options = [(str(n), self.SORTS[key]) for n, key in enumerate(keys[:9], 1)]

        def answer(typed: str) -> str | None:
            if typed not in dict(options):
                return "press the digit of a column, or esc"
            self.sort_by(keys[int(typed) - 1])
            return None

        self.ask.ask([Span("sort by", "strong"), Span("  the same again: the other way", "dim")],
                     options, answer, hint="a digit")  # fmt: skip
        self.redraw_bars()

    def sort_by(self, key: str) -> None:
        """Sort by a column; the same again turns the order round."""
        if key not in self.SORTS:
            self.say(f"nothing can be sorted by {key}; s shows the columns", "error")
            return
        again = key == self.look.order
        self.show_look(self.look._replace(order=key, backwards=again and not self.look.backwards))

    def on_line_table_head_clicked(self, message: LineTable.HeadClicked) -> None:
        """The head of a column was clicked."""
        self.sort_by(message.key)
