"""The main screen: the queue, the evidence of the item under the cursor, and what to press."""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.worker import get_current_worker

from passmuster import campaigns
from passmuster.campaigns import Progress
from passmuster.errors import FilterError, MusterError
from passmuster.filters import compile_filter
from passmuster.text import Json
from passmuster.tui import queue_rows
from passmuster.tui.dossier import Own, dossier_lines
from passmuster.tui.lines import Line, Role, Span, say
from passmuster.tui.screens import _bars
from passmuster.tui.screens._deciding import Deciding
from passmuster.tui.sections import View
from passmuster.tui.widgets.ask_bar import AskBar
from passmuster.tui.widgets.dossier_view import DossierView
from passmuster.tui.widgets.keys_bar import KeysBar
from passmuster.tui.widgets.line_table import LineTable, TableRow
from passmuster.tui.widgets.line_view import LineBar
from passmuster.tui.widgets.text_line import TextLine
from passmuster.tui.writer import SLOW_S

SIDE_BY_SIDE = 110
"""Columns from which the evidence stands beside the queue."""
PROMPT = " / "
POLL_S = 1.0
"""How often another program's changes to the workspace are looked for, in seconds."""


class ReviewScreen(Deciding):
    """Queue, evidence, keys."""

    CSS = """
    #filter { display: none; }
    #filter-error { display: none; }
    ReviewScreen.-filtering #filter { display: block; }
    ReviewScreen.-filtering #status { display: none; }
    ReviewScreen.-bad-filter #filter-error { display: block; }
    #body { height: 1fr; layout: vertical; }
    #queue { height: 6; }
    #rule { height: 1; width: 1fr; border: none; color: $muster-dim; }
    ReviewScreen.-side #body { layout: horizontal; }
    ReviewScreen.-side #queue { height: 1fr; width: 9fr; }
    ReviewScreen.-side #rule { height: 1fr; width: 2; }
    ReviewScreen.-side #pane { width: 11fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "filter", id="filter", key_display="/",
                tooltip="show only what matches: words, kind:service, unused:>90d"),
        Binding("enter,right", "details", "details", id="details",
                tooltip="the whole evidence of this item"),
        Binding("J", "pane(1)", "evidence down", id="pane.on", tooltip="scroll the evidence"),
        Binding("K", "pane(-1)", "evidence up", id="pane.back", tooltip="scroll the evidence"),
        Binding("dollar_sign", "sign", "review and sign", id="sign", key_display="$",
                tooltip="see all that is drafted, then sign it"),
        Binding("question_mark", "help", "help", id="help", key_display="?",
                tooltip="every key and what it does"),
        Binding("escape", "back", "back", id="back", show=False),
        Binding("q", "leave", "quit", id="leave", tooltip="leave; drafts are kept"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.progress: Progress | None = None
        self.expression = ""
        self.dossier: Json | None = None
        self.dossier_of: int | None = None
        self._loaded = False
        self.said: Line = []
        self._version = 0

    def compose(self) -> ComposeResult:
        """From top to bottom as on the screen."""
        yield LineBar(id="header")
        yield LineBar(id="status")
        yield TextLine(id="filter")
        yield LineBar(id="filter-error")
        with Container(id="body"):
            yield LineTable(self._rows, queue_rows.columns, id="queue")
            yield LineBar(id="rule")
            yield DossierView(id="pane")
        yield AskBar(id="ask")
        yield KeysBar(id="keys")

    # the parts, by their types

    @property
    def table(self) -> LineTable:
        """The queue."""
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
        if self.ask.is_open:
            return self.ask.text
        return self.query_one("#filter", TextLine) if self.has_class("-filtering") else None

    def on_mount(self) -> None:
        """Show the first rows and look for changes from outside from time to time."""
        self._version = self._data_version()
        self.ask.closed = self.question_closed
        self.table.focus()
        self.load_view("")
        self.count_again()
        self.set_interval(POLL_S, self.look_for_changes)
        if troubles := self.muster.theme_troubles:
            self.say(f"theme: {troubles[0]}", "error")

    def on_resize(self) -> None:
        """Evidence beside the queue where there is room, below it where there is not."""
        self.set_class(self.size.width >= SIDE_BY_SIDE, "-side")
        self.call_after_refresh(self.redraw_bars)

    # what the queue shows

    def _rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        app, now = self.muster, self.desk.clock()
        return {
            row.id: queue_rows.table_row(
                row,
                app.sitting.staged(row.id),
                now,
                self.desk.me,
                waiting=app.writer.slow(row.id),
            )
            for row in campaigns.rows(app.db, ids)
        }

    @work(thread=True, exclusive=True, group="view", exit_on_error=True)
    def load_view(self, expression: str) -> None:
        """Read the ids of a view in a thread and show them in one go."""
        worker = get_current_worker()
        desk = self.desk
        with self.muster.reading() as db:
            rank = campaigns.rank(
                db, desk.campaign.id, desk.me, expression=expression, now=desk.clock()
            )
        if not worker.is_cancelled:
            self.app.call_from_thread(self.show_view, expression, rank)

    def show_view(self, expression: str, rank: "array[int]") -> None:
        """Show these ids; the cursor stays on its item if it is among them."""
        first, self._loaded, self.expression = not self._loaded, True, expression
        if not rank:
            total = self.desk.campaign.population
            self.table.empty = queue_rows.empty_queue(
                self.desk.me, total, filtered=bool(expression)
            )
        self.table.set_rank(rank)
        if first and rank:
            self.go_on(0, "")
        self.redraw_bars()

    @work(thread=True, exclusive=True, group="count")
    def count_again(self) -> None:
        """Count in a thread how far I am."""
        worker = get_current_worker()
        with self.muster.reading() as db:
            found = campaigns.progress(db, self.desk.campaign.id, self.desk.me)
        if not worker.is_cancelled:
            self.app.call_from_thread(self._counted, found)

    def _counted(self, found: Progress) -> None:
        # an item that was handed over, or came to me, is another queue
        if self.progress is not None and found.total != self.progress.total:
            self.load_view(self.expression)
        self.progress = found
        self.redraw_bars()

    def written(self, ids: Sequence[int], error: MusterError | None) -> None:
        """The disk has a job, or has refused it: then the rows show again what was before."""
        if error is not None:
            self.say(f"not kept: {error}", "error")
        self.refresh_items(ids)
        self.look_for_changes()

    def refresh_items(self, ids: Sequence[int]) -> None:
        """Draw these rows anew, and the evidence if it is of one of them."""
        self.table.forget(ids)
        if self.table.cursor_id in ids:
            self.show_item(keep_place=True)

    def look_for_changes(self) -> None:
        """Read everything again if somebody, perhaps another muster, has written."""
        version = self._data_version()
        if version != self._version:
            self._version = version
            self.table.forget()
            self.show_item(keep_place=True)
            self.count_again()

    def _data_version(self) -> int:
        """Another number after another connection, our own writer's too, has written."""
        return int(self.muster.db.value("PRAGMA data_version"))

    def staged_soon(self, ids: Sequence[int]) -> None:
        """After an act: draw it now, and the `…` of rows that the disk does not have in time."""
        self.refresh_items(ids)
        self.set_timer(SLOW_S + 0.02, lambda: self._mark_slow(ids))

    def _mark_slow(self, ids: Sequence[int]) -> None:
        slow = [i for i in ids if self.muster.writer.pending(i)]
        if slow:
            self.table.forget(slow)

    # the evidence

    def on_line_table_moved(self) -> None:
        """Another item is under the cursor; a question about the one before is put away."""
        self.load_item()
        self.show_item()

    def load_item(self) -> None:
        """Read the evidence of the item under the cursor, unless it is the one that is held."""
        item_id = self.table.cursor_id
        if item_id == self.dossier_of and self.dossier is not None:
            return
        if item_id != self.dossier_of and not self.for_marked:
            self.ask.close(answered=False)
        self.dossier, self.dossier_of = None, item_id
        if item_id is not None:
            try:
                self.dossier = campaigns.item_dossier(self.muster.db, item_id)
            except MusterError as error:
                self.say(f"its evidence cannot be read: {error}", "error")
            else:
                self.muster.sitting.shown(item_id)

    def show_item(self, *, keep_place: bool = False) -> None:
        """Draw the evidence of the item under the cursor and what is drafted on it."""
        item_id, dossier = self.dossier_of, self.dossier
        if item_id is None or dossier is None:
            self.pane.show(lambda _: [])
        else:
            self.pane.show(self.drawn(item_id, dossier), keep_place=keep_place)
        self.redraw_bars()

    # the lines around it

    def say(self, words: str, role: Role = "plain") -> None:
        """Tell the person something on the second line, until something else is told."""
        self.said = [say(words, role)] if words else []
        self.redraw_bars()

    def redraw_bars(self) -> None:
        """Header, second line, rule and keys, as things stand."""
        if not self.is_mounted or not self.size.width:
            return
        width, desk = self.size.width, self.desk
        self.query_one("#header", LineBar).show(
            queue_rows.header(desk.campaign, self.progress, desk.clock(), width)
        )
        self.query_one("#status", LineBar).show(_bars.status(self))
        rule = self.query_one("#rule", LineBar)
        if self.has_class("-side"):
            rule.show(*[[Span("│", "dim")]] * self.size.height)
        else:
            rule.show([Span("─" * width, "dim")])
        self.query_one("#keys", KeysBar).show_keys(_bars.keys(self), width)

    # the filter

    def action_filter(self) -> None:
        """Open the filter line."""
        self.add_class("-filtering")
        box = self.query_one("#filter", TextLine)
        box.changed, box.left = self._filter_typed, self.drop_filter
        box.entered = lambda _: self.action_keep_filter()
        box.start(self.expression, "words, kind:service, owner:none, unused:>90d …",
                  prompt=PROMPT)  # fmt: skip
        self.redraw_bars()

    def _filter_typed(self, typed: str) -> None:
        """Filter while one types; a word that is not known is pointed at."""
        try:
            if typed.strip():
                compile_filter(typed, self.desk.clock())
        except FilterError as error:
            self.add_class("-bad-filter")
            pointed = " " * min(error.position + len(PROMPT), self.size.width // 2)
            self.query_one("#filter-error", LineBar).show(
                [Span(f"{pointed}^ "), say(error, "error")]
            )
            return
        self.remove_class("-bad-filter")
        self.load_view(typed.strip())

    def action_keep_filter(self) -> None:
        """Go back to the queue with the filter as it is, unless it is a wrong one."""
        if not self.has_class("-bad-filter"):
            self._close_filter()

    def _close_filter(self) -> None:
        self.remove_class("-filtering", "-bad-filter")
        self.table.focus()
        self.redraw_bars()

    def drop_filter(self) -> None:
        """Show the whole queue again."""
        self._close_filter()
        self.load_view("")

    # other screens

    def action_pane(self, pages: int) -> None:
        """Scroll the evidence by half of what is seen."""
        self.pane.scroll_lines(pages * max(1, self.pane.room // 2))

    def action_details(self) -> None:
        """The whole evidence on a screen of its own."""
        from passmuster.tui.screens.details import DetailsScreen

        self.load_item()
        item_id = self.dossier_of
        if item_id is not None and self.dossier is not None:
            self.muster.sitting.details_opened.add(item_id)
            self.app.push_screen(DetailsScreen(self.drawn(item_id, self.dossier, full=True)))

    def drawn(
        self, item_id: int, dossier: Json, *, full: bool = False
    ) -> Callable[[int], list[Line]]:
        """A function from a width to the lines of *dossier*."""
        now, old_days = self.desk.clock(), self.desk.old_days
        state = self.muster.sitting.state(item_id)
        own = Own(state.own.owner, state.own.reassign) if state.own else None

        def make(width: int) -> list[Line]:
            return dossier_lines(dossier, View(width, now, full, old_days), state.draft, own)

        return make

    def action_help(self) -> None:
        """Every key."""
        from passmuster.tui.screens.help import HelpScreen

        self.app.push_screen(HelpScreen())

    def action_sign(self) -> None:
        """Wait for the disk, freeze what is drafted, and show it."""
        self.say("putting together what is to be signed …")
        self._freeze()

    @work(thread=True, exclusive=True, group="freeze")
    def _freeze(self) -> None:
        from passmuster.tui.screens.sign_off import SignOffScreen

        self.muster.writer.flush()
        try:
            with self.muster.reading() as db:
                batch = campaigns.prepare(db, self.desk.campaign.id, self.desk.me)
        except MusterError as error:
            self.app.call_from_thread(self.say, str(error), "error")
            return
        self.app.call_from_thread(self.say, "")
        self.app.call_from_thread(self.app.push_screen, SignOffScreen(batch), self._signed)

    def _signed(self, signed: bool | None) -> None:
        if signed:
            self.muster.sitting.forget()
        self.table.forget()
        self.show_item(keep_place=True)
        self.count_again()
        if signed and self.table.rank:
            self.go_on(0, "")

    def action_leave(self) -> None:
        """Leave; what is drafted is kept."""
        self.app.exit()
