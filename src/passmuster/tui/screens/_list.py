"""A list with everything known of the row under the cursor beside it: the shape of most screens.

What a subclass says: its rows, its columns, the evidence of a row, what stands above, and the
keys. What it gets: a view read in a thread with the first rows at once, the filter line with
completion, sections, sorting, the message line, and a layout for 80 columns and for 200.
"""

import contextlib
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.worker import get_current_worker

from passmuster import store
from passmuster.errors import FilterError
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tui.lines import Line, Role, Span, say, width_of
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._places import Placed
from passmuster.tui.screens._typing import Typing
from passmuster.tui.widgets.ask_bar import AskBar
from passmuster.tui.widgets.dossier_view import DossierView
from passmuster.tui.widgets.keys_bar import Key, KeysBar
from passmuster.tui.widgets.line_table import Column, LineTable, TableRow
from passmuster.tui.widgets.line_view import LineBar
from passmuster.tui.widgets.tabs_bar import Tab, TabsBar
from passmuster.tui.widgets.text_line import TextLine

SIDE_BY_SIDE = 110
"""Columns from which the evidence stands beside the list."""
FIRST = 200
"""Rows that are shown before the whole order is known."""
POLL_S = 1.0
"""How often another program's changes to the workspace are looked for, in seconds."""
COUNT_EVERY_S = 5.0
"""The sections are counted again at most so often, in seconds: each is a query over all rows."""


class ListScreen(Typing, Placed):
    """A list, the evidence of one row, keys."""

    DEFAULT_CSS = """
    ListScreen #body { height: 1fr; layout: vertical; }
    ListScreen #queue { height: 6; }
    ListScreen #rule { height: 1; width: 1fr; border: none; color: $muster-dim; }
    ListScreen #status { display: none; }
    ListScreen.-side #status { display: block; }
    ListScreen.-tall #queue { height: 2fr; }
    ListScreen.-tall #pane { height: 3fr; }
    ListScreen.-side #body { layout: horizontal; }
    ListScreen.-side #queue { height: 1fr; width: 9fr; }
    ListScreen.-side #rule { height: 1fr; width: 2; }
    ListScreen.-side #pane { width: 11fr; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="filter", key_display="/",
                tooltip="show only what matches: words, kind:service, unused:>90d"),
        Binding("colon", "command", "command", id="command", key_display=":",
                tooltip="type what to do or where to go; tab completes"),
        Binding("tab", "section(1)", "next section", id="section.next",
                tooltip="the next saved filter"),
        Binding("shift+tab", "section(-1)", "section before", id="section.before",
                tooltip="the saved filter before"),
        Binding("s", "sort", "sort", id="sort", tooltip="by any column; again: the other way"),
        Binding("J", "pane(1)", "evidence down", id="pane.on", tooltip="scroll the evidence"),
        Binding("K", "pane(-1)", "evidence up", id="pane.back", tooltip="scroll the evidence"),
        Binding("escape", "back", "back", id="back", show=False),
        Binding("q", "leave", "back", id="leave", tooltip="back; drafts are kept"),
    ]  # fmt: skip

    NOUN = "row"
    SORTS: ClassVar[Mapping[str, str]] = {}
    """Column → its name in the question that `s` asks; the first is the order to begin with."""

    def __init__(self) -> None:
        super().__init__()
        self.look = Look(order=next(iter(self.SORTS), ""))
        self.said: Line = []
        self.sections: list[Section] = []
        self._section = 0
        self._counts: dict[str, int] = {}
        self._loaded = self._whole = False
        self._version = 0
        self._view_db: Database | None = None

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

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """From a width to the lines about this row."""
        raise NotImplementedError

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many rows each section has; called in a thread."""
        return {s.name: len(self.read_ids(db, Look(section=s.expression), None))
                for s in self.sections}  # fmt: skip

    def headline(self, width: int) -> Line:
        """The first line of the screen."""
        raise NotImplementedError

    def hints(self) -> list[Key]:
        """The keys that make sense now, without the question and filter lines'."""
        return [Key("s", "sort", "sort", True), Key("/", "filter", "filter"),
                Key("q", "back", "leave"), Key("?", "more", "help")]  # fmt: skip

    def nothing(self, *, filtered: bool) -> list[Line]:
        """Why there is no row, and what to do about it."""
        raise NotImplementedError

    def view_shown(self, *, first: bool) -> None:
        """The rows of a look are there; *first* when the screen has just been opened."""

    def changed_outside(self) -> None:
        """Somebody, perhaps another muster, has written to the workspace."""

    # the parts

    def compose(self) -> ComposeResult:
        """From top to bottom as on the screen."""
        yield LineBar(id="header")
        yield TabsBar(id="sections")
        yield LineBar(id="status")
        yield from self.compose_typing()
        with Container(id="body"):
            yield LineTable(self.read_rows, self.columns, id="queue")
            yield LineBar(id="rule")
            yield DossierView(id="pane")
        yield AskBar(id="ask")
        yield KeysBar(id="keys")

    @property
    def table(self) -> LineTable:
        """The list."""
        return self.query_one("#queue", LineTable)

    @property
    def pane(self) -> DossierView:
        """The evidence."""
        return self.query_one("#pane", DossierView)

    @property
    def ask(self) -> AskBar:
        """The question at the bottom."""
        return self.query_one("#ask", AskBar)

    @property
    def typing(self) -> TextLine | None:
        """A question goes before the filter."""
        return self.ask.text if self.ask.is_open else self.typed_line

    def on_mount(self) -> None:
        """Show the first rows and look for changes from outside from time to time."""
        self._version = self._data_version()
        self.ask.closed = self.question_closed
        self.table.focus()
        self.show_look(self.look)
        self.count_sections()
        self.set_interval(POLL_S, self.look_for_changes)
        self.set_interval(COUNT_EVERY_S, self._count_if_changed)

    def on_resize(self) -> None:
        """Evidence beside the list where there is room, below it where there is not."""
        self.set_class(self.size.width >= SIDE_BY_SIDE, "-side")
        self.set_class(self.size.height >= 34 and self.size.width < SIDE_BY_SIDE, "-tall")
        self.call_after_refresh(self.redraw_bars)

    # the rows

    def show_look(self, look: Look) -> None:
        """Read the rows of *look* in a thread and show them: the first at once, then all."""
        self.stop_reading()
        self.look = look
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
                limits = (None,) if self._loaded else (FIRST, None)
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
        first, self._loaded, self._whole = not self._loaded, True, whole
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
            self.refresh_rows()
            self.changed_outside()

    def _data_version(self) -> int:
        """Another number after another connection, our own writer's too, has written."""
        return int(self.muster.db.value("PRAGMA data_version"))

    # sections

    _stale_counts = False

    def _count_if_changed(self) -> None:
        if self._stale_counts and self.is_current:
            self.count_sections()

    @work(thread=True, exclusive=True, group="sections")
    def count_sections(self) -> None:
        """Count in a thread how many rows each section has."""
        self._stale_counts = False
        if not self.sections:
            return
        worker = get_current_worker()
        with self.muster.reading() as db:
            found = self.read_counts(db)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._counted_sections, found)

    def _counted_sections(self, found: dict[str, int]) -> None:
        self._counts = found
        self.redraw_bars()

    def action_section(self, by: int) -> None:
        """Open the section so many places on."""
        if not self.sections:
            self.say("there are no sections here")
            return
        self.open_section((self._section + by) % len(self.sections))

    def open_section(self, place: int) -> None:
        """Show the rows of the section at *place*."""
        self._section = place
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

    # the evidence

    def on_line_table_moved(self) -> None:
        """Another row is under the cursor."""
        self.show_evidence()

    def show_evidence(self, *, keep_place: bool = False) -> None:
        """Draw what is known of the row under the cursor."""
        row_id = self.table.cursor_id
        if row_id is None:
            self.pane.show(lambda _: [])
        else:
            self.pane.show(self.evidence(row_id), keep_place=keep_place)
        self.redraw_bars()

    def action_pane(self, pages: int) -> None:
        """Scroll the evidence by half of what is seen."""
        self.pane.scroll_lines(pages * max(1, self.pane.room // 2))

    # the lines around

    def say(self, words: str, role: Role = "plain") -> None:
        """Tell the person something, until something else is told."""
        self.said = [say(words, role)] if words else []
        self.redraw_bars()

    def status(self) -> Line:
        """The filter, the marks, and what was last said."""
        line: Line = [Span(" ")]
        shown = len(self.table.rank)
        if self.look.expression or self.look.ids is not None:
            what = "marked" if self.look.ids is not None else self.look.expression
            count = f"  {shown:,} shown" if self._whole else "  …"
            line += [Span("/ ", "accent"), say(what), Span(count, "dim")]
        elif not self.said:
            line.append(Span(self.resting(shown), "dim"))
        if self.table.marks:
            gap = "  " if len(line) > 1 else ""
            line.append(Span(f"{gap}{len(self.table.marks):,} marked", "strong"))
        if self.said:
            line += [Span("  " if len(line) > 1 else ""), *self.said]
        return line

    def resting(self, shown: int) -> str:
        """What the message line says when there is nothing to say."""
        by = self.SORTS.get(self.look.order, self.look.order)
        turned = ", the other way round" if self.look.backwards else ""
        count = plural(shown, self.NOUN) if self._whole else "reading …"
        return f"{count}, by {by}{turned}" if by else count

    def redraw_bars(self) -> None:
        """Header, sections, message, rule and keys, as things stand."""
        if not self.is_mounted or not self.size.width:
            return
        width = self.size.width
        self.query_one("#header", LineBar).show(self.headline(width))
        self.query_one("#sections", TabsBar).show_tabs(
            [Tab(s.name, self._counts.get(s.name)) for s in self.sections], self._section, width
        )
        status, rule = self.status(), self.query_one("#rule", LineBar)
        self.query_one("#status", LineBar).show(status)
        if self.has_class("-side"):
            rule.show(*[[Span("│", "dim")]] * self.size.height)
        else:
            rest = max(0, width - width_of(status) - 5)
            rule.show([Span("───", "dim"), *status, Span(f" {'─' * rest}", "dim")])
        self.query_one("#keys", KeysBar).show_keys(self.keys(), width)

    def keys(self) -> list[Key]:
        """The keys that make sense now; the bar shows nine at most."""
        if self.ask.is_open:
            return [*([Key("1–9", "choose", "")] if self.ask.has_options else []),
                    Key("enter", "as typed", ""), Key("esc", "go back", "back")]  # fmt: skip
        return self.typing_keys() or self.hints()

    def question_closed(self, answered: bool) -> None:
        """The list has the keys again."""
        self.table.focus()
        if not answered:
            self.say("left as it was")
        self.redraw_bars()

    # back

    def step_back(self) -> bool:
        """Take one step back: from the question, the filter, the marks; whether there was one."""
        if self.ask.is_open:
            self.ask.close(answered=False)
        elif self.typed_line is not None or (self.look.expression and not self.table.marks):
            self.drop_line()
        elif self.look.ids is not None and not self.table.marks:
            self.show_look(self.look._replace(ids=None))
        elif self.table.marks:
            self.table.marks.clear()
            self.table.forget()
            self.say("")
        else:
            return False
        return True

    def action_back(self) -> None:
        """Step back; from a list with nothing to step back from, to where one came from."""
        if not self.step_back():
            self.said = []
            if self.muster.is_home(self):
                self.redraw_bars()
            else:
                self.dismiss()

    def action_leave(self) -> None:
        """To where one came from."""
        if self.muster.is_home(self):
            self.app.exit()
        else:
            self.dismiss()

    # the filter, for `Typing`

    def try_filter(self, typed: str) -> FilterError | None:
        """What is wrong with a filter; nothing for one that can be used."""
        from passmuster.filters import compile_filter

        try:
            if typed.strip():
                compile_filter(typed, self.desk.clock())
        except FilterError as error:
            return error
        return None

    def use_filter(self, typed: str) -> None:
        """Show what matches."""
        self.show_look(self.look._replace(expression=typed.strip(), ids=None))
