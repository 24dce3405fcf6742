"""A list with everything known of the row under the cursor beside it: the shape of most screens.

What a subclass says: its rows, its columns, the evidence of a row, what stands above, and the
keys. What it gets: a view read in a thread with the first rows at once, the filter line with
completion, sections, sorting, the message line, and a layout for 80 columns and for 200.
"""

from collections.abc import Callable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Click
from textual.geometry import Size

from passmuster.errors import FilterError
from passmuster.text import plural
from passmuster.tui import sync_lines
from passmuster.tui.lines import Line, Role, Span, fold, say, width_of
from passmuster.tui.screens._syncs import Syncs
from passmuster.tui.screens._typing import Command
from passmuster.tui.sections import cut
from passmuster.tui.widgets.ask_bar import AskBar
from passmuster.tui.widgets.dossier_view import DossierView
from passmuster.tui.widgets.keys_bar import Key, KeysBar
from passmuster.tui.widgets.line_table import LineTable
from passmuster.tui.widgets.line_view import LineBar
from passmuster.tui.widgets.tabs_bar import Tab, TabsBar
from passmuster.tui.widgets.text_line import TextLine

SIDE_BY_SIDE = 110
"""Columns from which the evidence stands beside the list."""
MOST_SAID = 3
"""Lines of a message."""
TALL = 34
"""Lines from which a list above its evidence gets more than six."""


class ListScreen(Syncs):
    """A list, the evidence of one row, keys."""

    DEFAULT_CSS = """
    ListScreen #body { height: 1fr; layout: vertical; }
    ListScreen #queue { height: 6; }
    ListScreen #rule { height: 1; width: 1fr; border: none; color: $muster-dim; }
    ListScreen #status { display: none; }
    ListScreen.-side #status { display: block; }
    ListScreen.-filtering #status { display: none; }
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
        Binding("J", "pane(1)", "evidence down", id="pane.on", tooltip="scroll the evidence"),
        Binding("K", "pane(-1)", "evidence up", id="pane.back", tooltip="scroll the evidence"),
        Binding("escape", "back", "back", id="back", show=False),
        Binding("q", "leave", "back", id="leave", tooltip="back; drafts are kept"),
    ]  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.said: Line = []
        self._drawn: int | None = None
        """The id that the evidence on the screen is of."""
        self._said_lines: dict[str, int | None] = {}
        """Lines that the message takes where it stands, so that a layout is only asked for when
        that changes."""

    # what a subclass says

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """From a width to the lines about this row."""
        raise NotImplementedError

    def headline(self, width: int) -> Line:
        """The first line of the screen."""
        raise NotImplementedError

    def hints(self) -> list[Key]:
        """The keys that make sense now, without the question and filter lines'."""
        return [Key("s", "sort", "sort", True), Key("/", "filter", "filter"),
                Key("q", "back", "leave"), Key("?", "more", "help")]  # fmt: skip

    # the parts

    def compose(self) -> ComposeResult:
        """From top to bottom as on the screen."""
        self._lay_out(self.app.size)  # now, so that nothing is styled twice
        yield LineBar(id="header")
        yield TabsBar(id="sections", shown=bool(self.sections))
        yield LineBar(id="status")
        yield from self.compose_typing()
        with Container(id="body"):
            yield LineTable(self.read_rows, self.columns, id="queue")
            yield LineBar(id="rule")
            yield DossierView(id="pane")
        yield AskBar(id="ask")
        yield KeysBar(id="keys")

    @property
    def pane(self) -> DossierView:
        """The evidence."""
        return self.query_one("#pane", DossierView)

    @property
    def typing(self) -> TextLine | None:
        """A question goes before the filter."""
        return self.ask.text if self.ask.is_open else self.typed_line

    def on_mount(self) -> None:
        """Show the first rows and look for changes from outside from time to time."""
        self.ask.closed = self.question_closed
        self.table.moved = lambda _: self.show_evidence()
        self.table.focus()
        self.watch_changes()

    def on_resize(self) -> None:
        """Another layout, perhaps, and the lines around to the new width."""
        self._lay_out(self.size)
        self.redraw_bars()

    def _lay_out(self, size: Size) -> None:
        """Evidence beside the list where there is room, below it where there is not."""
        beside = size.width >= SIDE_BY_SIDE and not self.desk.settings.screen_reader
        self.set_class(beside, "-side")
        self.set_class(size.height >= TALL and not beside, "-tall")

    # the evidence

    def on_line_table_moved(self, message: LineTable.Moved) -> None:
        """Another row is under the cursor; its evidence may have been drawn already."""
        if message.row_id != self._drawn or self.table.cursor_id != self._drawn:
            self.show_evidence()

    def show_evidence(self, *, keep_place: bool = False) -> None:
        """Draw what is known of the row under the cursor."""
        row_id = self._drawn = self.table.cursor_id
        if row_id is None:
            self.pane.show(lambda _: [])
        else:
            self.pane.show(self.evidence(row_id), keep_place=keep_place)
        self._redraw_beside()

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
            count = f"  {shown:,} shown" if self.whole else "  …"
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
        count = plural(shown, self.NOUN) if self.whole else "reading …"
        return f"{count}, by {by}{turned}" if by else count

    def redraw_bars(self) -> None:
        """Header, sections, message, rule and keys, as things stand."""
        if not self.is_mounted or not self.size.width:
            return
        width = self.size.width
        self._redraw_header(width)
        self.query_one("#sections", TabsBar).show_tabs(
            [Tab(s.name, self.counts.get(s.name)) for s in self.sections], self.section, width
        )
        self._redraw_beside()

    def _redraw_header(self, width: int) -> None:
        """What the screen says, and at the end of it where the sync stands, if there is one."""
        right = sync_lines.standing(self.muster.syncing.standing, self.desk.clock(), width)
        room = width - width_of(right) - 3 if right else width
        line = self.headline(room)
        if right:
            line = sync_lines.beside(cut(line, room), right, width)
        self.query_one("#header", LineBar).show(line)

    def on_click(self, event: Click) -> None:
        """A click on where the sync stands shows what needs a person."""
        standing = self.muster.syncing.standing
        right = sync_lines.standing(standing, self.desk.clock(), self.size.width)
        on_it = event.screen_x >= self.size.width - width_of(right) - 1
        if right and on_it and event.widget is self.query_one("#header"):
            self.muster.go("attention")

    def _redraw_beside(self) -> None:
        """Those of the lines that depend on the row under the cursor and on the marks."""
        if not self.is_mounted or not self.size.width:
            return
        width = self.size.width
        self._redraw_status(width)
        self.query_one("#keys", KeysBar).show_keys(self.muster.own_keys(self.keys()), width)

    def _redraw_status(self, width: int) -> None:
        """The message: on a line of its own, or in the rule; a long one takes two or three."""
        status, rule = self.status(), self.query_one("#rule", LineBar)
        beside = self.has_class("-side")
        folded = fold(status, width - (2 if beside else 6))[:MOST_SAID]
        bar = self.query_one("#status", LineBar)
        bar.show(*folded)
        if beside:
            rule.show(*[[Span("│", "dim")]] * self.size.height)
        else:
            rest = max(0, width - width_of(folded[0]) - 5)
            first = [Span("───", "dim"), *folded[0], Span(f" {'─' * rest}", "dim")]
            rule.show(first, *([Span("    "), *line] for line in folded[1:]))
        for part, grows in ((bar, beside), (rule, not beside)):
            wanted = len(folded) if grows else None
            if self._said_lines.get(part.id or "") != wanted:
                self._said_lines[part.id or ""] = wanted
                part.styles.height = wanted

    def keys(self) -> list[Key]:
        """The keys that make sense now; the bar shows nine at most."""
        if self.ask.is_open:
            choose = [Key(self.ask.choices, "choose", "")] if self.ask.choices else []
            return [*choose, Key("enter", "as typed", ""), Key("esc", "go back", "back")]
        return self.typing_keys() or self.hints()

    def question_closed(self, answered: bool) -> None:
        """The list has the keys again."""
        self.key_question_closed(answered)
        self.table.focus()
        if not answered:
            self.say("left as it was")
        self.redraw_bars()

    def commands(self) -> dict[str, Command]:
        """The first steps have no key; one goes there by name."""
        first = Command("the first steps: import, key, campaign", lambda _: self.muster.go("guide"))
        return {**super().commands(), "guide": first}

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
        try:
            if typed.strip():
                self.check_filter(typed)
        except FilterError as error:
            return error
        return None

    def check_filter(self, typed: str) -> None:
        """Raise FilterError for a filter that this list does not know."""
        from passmuster.filters import compile_filter

        compile_filter(typed, self.desk.clock())

    def filter_now(self) -> str:
        """What was typed after `/`."""
        return self.look.expression

    def use_filter(self, typed: str) -> None:
        """Show what matches."""
        self.show_look(self.look._replace(expression=typed.strip(), ids=None))
