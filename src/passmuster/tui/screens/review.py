"""The main screen: the queue, the evidence of the item under the cursor, and what to press."""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from passmuster import campaigns
from passmuster.campaigns import Campaign, Progress
from passmuster.config import Settings
from passmuster.errors import MusterError
from passmuster.filters import compile_filter
from passmuster.store import Database
from passmuster.text import Json, nearest
from passmuster.tui import keymap, own, queue_rows, second_lines, travelled
from passmuster.tui.dossier import Own, dossier_lines
from passmuster.tui.lines import Line, Span
from passmuster.tui.look import Look, Section
from passmuster.tui.screens import _bars
from passmuster.tui.screens._ahead import Ahead, Known
from passmuster.tui.screens._marking import GROUP_WORDS
from passmuster.tui.screens._stopping import Stopping
from passmuster.tui.screens._typing import Command
from passmuster.tui.sections import SHORT_BELOW, View
from passmuster.tui.sitting import Sitting
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow


def built_in_sections(settings: Settings) -> dict[str, str]:
    """The saved filters that every queue begins with."""
    unused = settings.rules.get("unused", {}).get("max_days", 90)
    return {
        "all": "", "mine": "state:open", "due": "due:<7d", "unowned": "unowned:yes",
        "privileged": "privileged:yes", "unused": f"unused:>{unused}d",
        "expiring": "expires:<30d", "supplier": "-supplier:none", "new": "new:yes",
        "contested": "contested:yes",
    }  # fmt: skip


class ReviewScreen(Stopping, Ahead):
    """Queue, evidence, keys."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "copy the handle", id="copy",
                tooltip="put the platform's handle of this item on the clipboard"),
        Binding("c", "columns", "columns", id="columns", tooltip="choose what the list shows"),
    ]  # fmt: skip
    NOUN = "item"
    AT_ONCE = True
    SORTS: ClassVar[Mapping[str, str]] = {
        "risk": "risk", "name": "name", "owner": "owner", "used": "last use", "kind": "kind",
        "source": "source", "decision": "decision", "env": "environment", "supplier": "supplier",
    }  # fmt: skip

    def __init__(self, campaign: Campaign) -> None:
        super().__init__(campaign)
        self.progress: Progress | None = None
        self.second_waits = 0
        """Other people's decisions that wait for me as the second person."""
        self.here: Known | None = None
        """What is known of the item under the cursor."""
        self.chosen_columns: list[str] = []
        self._wrong: list[str] = []
        """Sections of the settings that cannot be used."""

    def compose(self) -> ComposeResult:
        """The list, with the tabs and columns of the settings."""
        self.chosen_columns = list(self.desk.settings.columns)
        theirs, self._wrong = own.sections(self.desk.settings.sections, self.desk.clock())
        merged = built_in_sections(self.desk.settings) | dict(theirs)
        self.sections = [Section(name, expression) for name, expression in merged.items()]
        yield from super().compose()

    def on_mount(self) -> None:
        """Show what is wrong with the settings."""
        self._tell_troubles([])

    def _tell_troubles(self, first: list[str]) -> None:
        if troubles := first + self.muster.troubles() + self._wrong:
            self.say(troubles[0] + f"  (and {len(troubles) - 1} more)" * (len(troubles) > 1),
                     "error")  # fmt: skip

    @work(thread=True, exclusive=True, group="alarm")
    def look_for_strange_keys(self) -> None:
        """Tell, before all else that is wrong, of a key under my name that is not mine."""
        from passmuster import roster

        with self.muster.reading() as db:
            alarm = roster.alarm(db, self.desk.me)
        if alarm:
            self.app.call_from_thread(self._tell_troubles, [alarm])

    # what the queue shows

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":
        """Item ids of my queue."""
        return look.among(campaigns.rank(
            db, self.campaign.id, self.desk.me, expression=look.filter, now=self.desk.clock(),
            order=look.order, backwards=look.backwards, limit=limit,
        ))  # fmt: skip

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """What the table shows of these items."""
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

    def columns(self, width: int) -> Sequence[Column]:
        """Those that were chosen, else as many as there is room for."""
        return queue_rows.columns(width, self.chosen_columns)

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many items of mine each section has."""
        now = self.desk.clock()
        return {
            s.name: campaigns.count(db, self.campaign.id, self.desk.me, s.expression, now)
            for s in self.sections
        }

    def check_filter(self, typed: str) -> None:
        """A queue knows more qualifiers than an inventory."""
        compile_filter(typed, self.desk.clock(), items=True)

    def nothing(self, *, filtered: bool) -> list[Line]:
        """Why there is no row."""
        policy = campaigns.policy_of(self.muster.db, self.campaign.definition)
        return queue_rows.empty_queue(
            self.desk.me, self.campaign.population, filtered=filtered,
            second=policy is not None and self.desk.me in policy.by,
            came=self.campaign.travels == travelled.FROM,
        )  # fmt: skip

    def headline(self, width: int) -> Line:
        """The campaign, and how far I am."""
        return queue_rows.header(
            self.campaign, self.progress, self.desk.clock(), width,
            read_only=self.muster.read_only,
        )  # fmt: skip

    def status(self) -> Line:
        """What was said, else what is to be done when all is decided."""
        return _bars.status(self, super().status())

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        return _bars.keys(self)

    def view_shown(self, *, first: bool) -> None:
        """At the beginning the cursor goes to the first undecided item."""
        if first and self.table.rank:
            said = self.said  # what is wrong with the settings is not talked over
            self.go_on(0, "")
            self.said = said

    def read_on(self) -> None:
        """Besides: how far I am, and whether there is a key that is not mine."""
        super().read_on()
        self.look_for_strange_keys()
        self.count_again()

    @work(thread=True, exclusive=True, group="count")
    def count_again(self) -> None:
        """Count in a thread how far I am."""
        worker = get_current_worker()
        with self.muster.reading() as db:
            found = campaigns.progress(db, self.campaign.id, self.desk.me)
            waits = len(campaigns.second_rank(db, self.campaign.id, self.desk.me))
        if not worker.is_cancelled:
            self.app.call_from_thread(self._counted, found, waits)

    def _counted(self, found: Progress, waits: int) -> None:
        self.second_waits = waits
        # an item that was handed over, or came to me, is another queue
        if self.progress is not None and found.total != self.progress.total:
            self.show_look(self.look)
        self.progress = found
        self.redraw_bars()

    def changed_outside(self) -> None:
        """Perhaps I am further."""
        self.count_again()

    # which items, for the verbs

    @property
    def staging(self) -> Sitting:
        """My decisions."""
        return self.muster.sitting

    def open_among(self, ids: Sequence[int]) -> list[int]:
        """Those of *ids* without a draft and without a signed decision of mine."""
        staged = self.muster.sitting.staged
        marks = ",".join(map(str, ids))
        open_ = {
            row[0]
            for row in self.muster.db.execute(
                f"SELECT id FROM item WHERE id IN ({marks}) AND state = 'open'"
            )
        }
        out = []
        for item_id in ids:
            ahead = staged(item_id)
            if item_id in open_ if ahead is None else ahead.draft is None:
                out.append(item_id)
        return out

    def like(self, db: Database, by: str, value: str | None) -> Iterable[int]:
        """Those of my queue that I have not decided."""
        return campaigns.in_group(db, self.campaign.id, self.desk.me, by, value, "open")

    def to_stop(self) -> Json | None:
        """The item under the cursor, on today's evidence; on what travelled here, where it is that
        of another workspace.
        """
        self.load_item()
        if self.dossier is None or self.campaign.travels == travelled.FROM:
            return self.dossier
        if self.dossier["of"] not in ("identity", "credential"):
            return self.dossier
        identity_id = self.muster.db.value(
            "SELECT identity_id FROM item WHERE id = ?", (self.dossier_of,)
        )
        try:
            return campaigns.shown(self.muster.db, identity_id, self.dossier["subject"])
        except MusterError as error:
            self.say(str(error), "error")
            return None

    # the evidence

    def show_evidence(self, *, keep_place: bool = False) -> None:
        """Besides: make ready for the next one."""
        super().show_evidence(keep_place=keep_place)
        self.look_ahead_soon()

    def read_item(self, item_id: int | None) -> Json | None:
        """What is known of an item, perhaps already."""
        self.here = None
        if item_id is not None:
            self.here = self.known(item_id)
        return self.here.dossier if self.here else None

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """The frozen dossier and what is drafted on it."""
        return self.drawn(row_id, self.here) if self.here else lambda _: []

    def drawn(
        self, item_id: int, known: Known, *, full: bool = False
    ) -> Callable[[int], list[Line]]:
        """A function from a width to the lines of the item."""
        now, old_days = self.desk.clock(), self.desk.old_days
        state = self.muster.sitting.state(item_id)
        own = Own(state.own.owner, state.own.reassign) if state.own else None

        def make(width: int) -> list[Line]:
            short = not full and self.pane.size.height < SHORT_BELOW
            view = View(width, now, full, old_days, short)
            return self.kept(
                (item_id, view._replace(now=now[:16]), state.draft, own),  # to the minute
                lambda: (
                    travelled.snapshot(self.campaign, view)
                    + second_lines.said(known.seconds, view)
                    + dossier_lines(known.dossier, view, state.draft, own, known.around)
                ),
            )

        return make

    # what the list shows

    def action_columns(self) -> None:
        """Choose the columns: each digit puts one in or takes it out."""
        offered = [key for key in queue_rows.COLUMNS if key not in ("risk", "name")]
        shown = {c.key for c in self.table.columns}
        options = [(str(n), f"{'✓' if key in shown else ' '} {queue_rows.COLUMNS[key]}")
                   for n, key in enumerate(offered, 1)]  # fmt: skip

        def answer(typed: str) -> str | None:
            if not typed:
                return None
            if typed not in dict(options):
                return "a digit puts a column in or takes it out; enter when it is right"
            key = offered[int(typed) - 1]
            wanted = [k for k in offered if (k in shown) != (k == key)]
            self.chosen_columns = wanted or ["owner"]
            self.table.choose_columns()
            self.action_columns()
            return None

        self.ask.ask([Span("columns", "strong"), Span("  those that fit are shown", "dim")],
                     options, answer, hint="a digit; enter: it is right")  # fmt: skip
        self.redraw_bars()

    def commands(self) -> dict[str, Command]:
        """Besides the keys: where to go, and how to look at the queue."""
        names = [s.name for s in self.sections]
        return {
            "jump": Command("to a key id, ARN, e-mail or fingerprint", self.jump),
            "section": Command("a saved filter", self._section_named, names),
            "group": Command("by owner, source …", self.show_groups, list(GROUP_WORDS)),
            **super().commands(),
            "sort": Command("by a column; again: the other way", self._sort_named,
                            list(self.SORTS)),
        }  # fmt: skip

    def _section_named(self, name: str) -> None:
        names = [s.name for s in self.sections]
        if name in names:
            self.open_section(names.index(name))
        else:
            self.say(f"no section {name!r}{nearest(name, names)}", "error")

    def _sort_named(self, key: str) -> None:
        if key:
            self.sort_by(key)
        else:
            self.action_sort()

    # other screens

    def action_details(self) -> None:
        """The whole evidence on a screen of its own."""
        from passmuster.tui.screens.details import HANDED, DetailsScreen

        self.load_item()
        item_id = self.dossier_of
        if item_id is not None and self.here is not None:
            self.muster.sitting.details_opened.add(item_id)
            refusal = self._refusal()
            verbs = ("stop",) if refusal else HANDED.values()
            self.app.push_screen(
                DetailsScreen(self.drawn(item_id, self.here, full=True), self.here.dossier, verbs,
                              self.campaign.due_at, refusal or ""),
                lambda verb: self._handed(verb, item_id),
            )  # fmt: skip

    def _handed(self, verb: str | None, item_id: int) -> None:
        """Carry out what was pressed in the details, on the item that was read there."""
        if verb is None:
            return
        if self.table.cursor_id != item_id:  # the queue was read anew, and it is no longer in it
            self.say("it is no longer in this view: nothing was done", "error")
        else:
            self.call_later(self.run_action, keymap.known()[verb].action)

    def action_copy(self) -> None:
        """Put the handle of the item under the cursor on the clipboard."""
        self.load_item()
        if self.dossier is None:
            self.say("there is nothing here to copy")
            return
        from passmuster.tui.screens.details import handle

        copied = self.copied(handle(self.dossier))
        self.say(copied.words, "plain" if copied.how else "error")

    def signed(self, *, done: bool) -> None:
        """Begin again at the first that is left."""
        self.refresh_rows()
        self.count_again()
        if done and self.table.rank:
            self.go_on(0, "")
