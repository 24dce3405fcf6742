"""Which rows a verb on many goes for: marked by hand, by range, by likeness, by pattern.

Marks are ids and outlive filters; a verb after `;` is for all of them and asks for their number.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.errors import FilterError
from passmuster.filters import compile_filter
from passmuster.store import Database
from passmuster.tui.lines import Span, say
from passmuster.tui.screens._acting import Acting

GROUP_WORDS = {"owner": "owner", "source": "source", "kind": "kind", "supplier": "supplier",
               "env": "environment"}  # fmt: skip


class Marking(Acting):
    """Marks, and the views that come of them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "mark", "mark", id="mark", tooltip="mark for a verb on many"),
        Binding("v", "mark_range", "mark range", id="mark.range",
                tooltip="mark from the row marked last to this one"),
        Binding("m", "mark_like", "mark like this", id="mark.like",
                tooltip="mark all that have the same owner, source, kind … as this one"),
        Binding("asterisk", "mark_pattern", "mark by pattern", id="mark.pattern",
                key_display="*", tooltip="mark all in this view that a filter matches"),
        Binding("quotation_mark", "open_marked", "open the marked", id="mark.open",
                key_display='"', tooltip="show only what is marked"),
    ]  # fmt: skip

    OPEN = "undecided"
    """What those rows are that `m` marks."""

    # what the whole screen gives

    def like(self, db: Database, by: str, value: str | None) -> Iterable[int]:
        """Those that are open and have *value* in the column *by* of `GROUP_WORDS`."""
        raise NotImplementedError

    # by hand

    def action_mark_range(self) -> None:
        """Mark from the row that was marked last to this one."""
        start = self.table.marked_last
        if start is None or start not in self.table.marks:
            self.say("mark one end with space first, then v on the other")
            return
        ends = sorted((self.table.rank.index(start), self.table.cursor))
        self.mark_ids(self.table.rank[ends[0] : ends[1] + 1], "in between")

    def mark_ids(self, ids: Iterable[int], what: str) -> None:
        """Mark *ids* too, and say how many that makes."""
        self.table.mark(ids)
        self.said = [say(f"{what}: ; then a verb is for all of them")]
        self.redraw_bars()

    # like this one

    def action_mark_like(self) -> None:
        """Ask what should be the same, then mark all such."""
        self.load_item()
        if self.dossier is None or self.table.cursor_id is None:
            self.say(f"there is no {self.NOUN} here")
            return
        [row] = campaigns.rows(self.muster.db, [self.table.cursor_id])
        values = {"owner": row.owner, "source": row.source, "kind": row.kind,
                  "supplier": row.supplier, "env": row.environment}  # fmt: skip
        offered = list(GROUP_WORDS)
        options = [
            (str(n), f"{GROUP_WORDS[by]} {values[by] or 'none'}") for n, by in enumerate(offered, 1)
        ]
        options += [("6", "everything in this view"), ("7", "nothing")]

        def answer(typed: str) -> str | None:
            if typed not in dict(options):
                return "press the digit of what should be the same, or esc"
            place = int(typed) - 1
            if place < len(offered):
                self._mark_like(offered[place], values[offered[place]])
            elif typed == "6":
                self.mark_ids(self.table.rank, "all of this view")
            else:
                self.table.marks.clear()
                self.table.forget()
                self.say("nothing is marked")
            return None

        self.ask.ask(
            [Span("mark all", "strong"), say(f"  like {self._called()}")],
            options, answer, hint="a digit",
        )  # fmt: skip
        self.redraw_bars()

    def _mark_like(self, by: str, value: str | None) -> None:
        words = f"same {GROUP_WORDS[by]} ({value or 'none'}), {self.OPEN}"
        self._mark_found(lambda db: self.like(db, by, value), words)

    @work(thread=True, exclusive=True, group="mark")
    def _mark_found(self, find: Callable[[Database], Iterable[int]], words: str) -> None:
        with self.muster.reading() as db:
            found = find(db)
        self.app.call_from_thread(self._mark_here, found, words)

    def _mark_here(self, found: Iterable[int], words: str) -> None:
        here = set(self.table.rank)
        self.mark_ids([i for i in found if i in here], words)

    # by pattern

    def action_mark_pattern(self) -> None:
        """Ask for a filter, and mark what it matches in this view."""

        def answer(typed: str) -> str | None:
            try:
                if not typed.strip():
                    return "type words of a name, or a filter such as owner:none"
                compile_filter(typed, self.desk.clock(), items=True)
            except FilterError as error:
                return str(error)
            asked = self.look._replace(expression=typed, ids=None)
            self._mark_found(lambda db: self.read_ids(db, asked, None), f"what matches {typed}")
            return None

        self.ask.ask([Span("mark what matches", "strong")], (), answer,
                     hint="words, kind:service, owner:none …")  # fmt: skip
        self.redraw_bars()

    def action_open_marked(self) -> None:
        """Show only what is marked."""
        if not self.table.marks:
            self.say("nothing is marked: space marks one")
            return
        self.show_look(self.look._replace(ids=tuple(sorted(self.table.marks))))
        self.say("only what is marked; esc twice: everything again")

    def marked_words(self) -> str:
        """How the marked items came together, for the record."""
        if self.marked_how:
            return self.marked_how
        filtered = self.filter_words()
        return f"marked by hand, {f'filter {filtered}' if filtered else 'no filter'}"

    def filter_words(self) -> str:
        """The filter that the rows were marked in."""
        return self.look.filter
