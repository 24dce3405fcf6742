"""What decisions ask to be stopped, and how far that is: plan it, stop it, see it refused.

Nothing is decided here and nothing is new: each key is a step of `muster remediate`. What stops
access, and what lets it in again, is asked first; a secret is never destroyed from here.
"""

import threading
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import filters, remediation
from passmuster.remediation import Remedy, Status
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tui import identity_rows, remedy_lines
from passmuster.tui.lines import Line
from passmuster.tui.look import Look, Section
from passmuster.tui.remedy_lines import Known
from passmuster.tui.screens._stepping import NOBODY, Stepping
from passmuster.tui.sections import View
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

WHAT = "the list of stops"
_IN: dict[str, Callable[[Status], bool]] = {
    "": lambda _: True,
    "open": lambda one: one.is_open,
    "tasks": lambda one: one.remedy.verb in remediation.TASKS,
    "alive again": lambda one: one.alive is not None,
    "done": lambda one: not one.is_open,
}
_BY: dict[str, Callable[[Status], object]] = {
    "open": lambda one: (not one.is_open, one.alive is None, not one.overdue,
                         one.remedy.due or "9", one.remedy.uri),
    "state": lambda one: one.words, "name": lambda one: one.remedy.what,
    "due": lambda one: one.remedy.due or "9", "identity": lambda one: one.identity.lower(),
    "undo": lambda one: one.remedy.undo_class or "R9", "source": lambda one: one.remedy.source,
    "since": lambda one: one.remedy.state_at,
}  # fmt: skip


class StopsScreen(Stepping):
    """Remediations; an id is given to each for as long as the screen is open."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "copy", "copy the lines", id="stops.copy",
                tooltip="copy the vendor's lines that stop it"),
    ]  # fmt: skip
    NOUN = "stop"
    FILTER_HINT = "a part of a name, a source, a state"
    SORTS: ClassVar[Mapping[str, str]] = {
        "open": "what is open", "state": "how far", "name": "what", "due": "due",
        "identity": "identity", "undo": "undo", "source": "source", "since": "since",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._ids: dict[str, int] = {}
        self._one: dict[int, Status] = {}
        self._order: list[int] | None = None
        self._unplanned = self._unsigned = 0
        self._reading = threading.Lock()

    def on_mount(self) -> None:
        """The sections."""
        self.sections = [Section(name or "all", name) for name in _IN]

    def changed_outside(self) -> None:
        """Read all again."""
        self._order = None
        if self.is_current:
            self.show_look(self.look)
            self.count_sections()

    def was_carried_out(self) -> None:
        """The same: what came of it is in the database."""
        self.changed_outside()

    def view_shown(self, *, first: bool) -> None:
        """What was known of the rows may be of before a step."""
        if not first:
            self.refresh_rows()

    # the rows

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":  # noqa: ARG002
        """Those of the section that the words are in."""
        wanted = [(word.lower(), no) for word, no in filters.plain_words(look.expression, WHAT)]
        found = []
        for i in self._all(db):
            one = self._one[i]
            remedy = one.remedy
            parts = (one.identity, remedy.what, remedy.source, one.words, remedy.name)
            said = " ".join(parts).lower()
            if _IN[look.section](one) and all((word in said) is not no for word, no in wanted):
                found.append(i)
        found.sort(key=lambda i: _BY[look.order](self._one[i]))  # type: ignore[arg-type,return-value]
        return look.among(array("I", reversed(found) if look.backwards else found))

    def _all(self, db: Database) -> list[int]:
        with self._reading:  # the list and its sections are read by two threads at a time
            order = self._order
            if order is None:
                found = list(remediation.status(db, self.desk.clock()))
                for one in found:
                    name = one.remedy.name
                    self._one[self._ids.setdefault(name, len(self._ids))] = one
                order = self._order = [self._ids[one.remedy.name] for one in found]
                self._unplanned = len(remediation.unplanned(db, self.desk.clock()))
                self._unsigned = remediation.unsigned(db)
            return order

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many each section has."""
        all_ = [self._one[i] for i in self._all(db)]
        return {s.name: sum(map(_IN[s.expression], all_)) for s in self.sections}

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """From memory."""
        now = self.desk.clock()
        return {i: remedy_lines.table_row(self._one[i], now) for i in ids}

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return remedy_lines.columns(width)

    def check_filter(self, typed: str) -> None:
        """Words alone: a qualifier is about identities."""
        filters.plain_words(typed, WHAT)

    def nothing(self, *, filtered: bool) -> list[Line]:  # noqa: ARG002 - the section is no filter
        """What to do to have something here."""
        if not self.look.expression and self._unplanned and not self._order:
            return remedy_lines.waits(self._unplanned)
        what = {
            "open": "nothing is open: all that was planned is done or put back",
            "tasks": "no decision asks for a rotation or a smaller permission",
            "alive again": "nothing that was stopped is active again, as far as is known",
            "done": "nothing is done yet",
        }.get(self.look.section)  # fmt: skip
        if what is None and not self.look.expression:
            return remedy_lines.NOTHING
        return identity_rows.nothing(what or "", filtered=bool(self.look.expression), imported=True)

    def headline(self, width: int) -> Line:
        """How many are open, and how many nobody planned."""
        parts = [f"{self.counts['open']:,} open"] if "open" in self.counts else []
        if self._unplanned:
            parts.append(f"{self._unplanned:,} asked for and not planned: p")
        if self._unsigned:
            parts.append(f"{plural(self._unsigned, 'result')} not signed: the next step signs them")
        return identity_rows.heading("Stops", parts, width)

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        one = self.here
        if one is None or self.for_marked or self.table.marks:
            found = self.marked_hints()
        else:
            found = [*self.step_hints(one.remedy), Key("space", "mark", "mark", True)]
            if remedy_lines.vendor_lines(one):
                found.append(Key("y", "copy the lines", "copy"))
        plan = Key("p", "plan", "plan", not self._unplanned)
        return found if self.for_marked else [*found, plan, *super().hints()]

    # one of them

    @property
    def here(self) -> Status | None:
        """What is under the cursor."""
        at = self.table.cursor_id
        return None if at is None else self._one.get(at)

    def show_run(self, run: Sequence[Remedy]) -> None:
        """Only those, each with what came of it; esc shows all again."""
        self.table.marks.clear()
        self.section = 0
        self.look = self.look._replace(section="", expression="",
                                       ids=tuple(self._ids[one.name] for one in run))  # fmt: skip

    def among(self, ids: Sequence[int]) -> list[Remedy]:
        """The remediations of these rows."""
        return [self._one[i].remedy for i in ids if i in self._one]

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """What it is, whose decision, the lines, and what came of it."""
        one, db, now = self._one[row_id], self.muster.db, self.desk.clock()
        name = one.remedy.name
        known = Known(one, remediation.because(db, one.remedy), remediation.history(db, name))
        return lambda width: remedy_lines.lines(known, View(width, now))

    def action_copy(self) -> None:
        """The vendor's lines, and the undo as comments."""
        one = self.here
        text = remedy_lines.vendor_lines(one) if one else ""
        if not text:
            self.say("there is no line to copy" if one else NOBODY)
            return
        done = self.copied(text)
        self.say(f"the vendor's lines: {done.words}", "plain" if done.how else "error")


SCREEN = StopsScreen
