"""The people: who answers for what, who has to decide what, and which names nobody here has.

All of them are held in memory, at most `campaigns.PEOPLE` (100,000): there are few people where
there are many identities. Reading them is one query over all owners, in a thread.
"""

import contextlib
import threading
from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.worker import get_current_worker

from passmuster import campaigns, filters, store
from passmuster.campaigns import ENDED, LEFT, NO_LEAD, NOT_KNOWN, Answering, Portrait
from passmuster.store import Database
from passmuster.text import plural, rfc3339
from passmuster.tui import identity_rows, people_lines, words
from passmuster.tui.lines import Line
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.sections import View
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

_IN: dict[str, Callable[[Answering], bool]] = {
    "": lambda _: True,
    "not known": lambda who: who.state == NOT_KNOWN,
    "gone": lambda who: who.state in (LEFT, ENDED, NO_LEAD),
    "to decide": lambda who: who.todo > 0,
    "people": lambda who: who.kind == "person",
    "teams": lambda who: who.kind == "team",
    "suppliers": lambda who: who.kind == "supplier",
}
"""Who is in each section; what stands for the filter is a word of this module's own."""
_BY: dict[str, Callable[[Answering], object]] = {
    "name": lambda who: who.name.lower(), "identities": lambda who: -who.identities,
    "privileged": lambda who: -who.privileged, "unused": lambda who: -who.unused,
    "todo": lambda who: -who.todo, "state": lambda who: who.state, "kind": lambda who: who.kind,
}  # fmt: skip


class PeopleScreen(ListScreen):
    """Those who answer for something; an id is given to each for as long as the screen is open."""

    DEFAULT_CSS = "PeopleScreen.-side #queue { width: 15fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "owned", "what they own", id="owned",
                tooltip="their identities in the inventory"),
    ]  # fmt: skip
    NOUN = "name"
    SORTS: ClassVar[Mapping[str, str]] = {
        "risk": "worst risk", "name": "name", "identities": "identities",
        "privileged": "privileged", "unused": "unused", "todo": "to decide", "state": "state",
        "kind": "kind",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._ids: dict[str, int] = {}
        self._who: dict[int, Answering] = {}
        self._found: dict[str, list[int]] = {}
        """By filter over identities: who answers for those, the riskiest first."""
        self._reading = threading.Lock()
        self._portrait: tuple[str, Portrait] | None = None
        self._portrait_db: Database | None = None

    def on_mount(self) -> None:
        """The sections."""
        self.sections = [Section(name or "all", name) for name in _IN]

    def on_screen_resume(self) -> None:
        """What was decided meanwhile is to be decided no more."""
        if not self._found and self.whole:
            self.show_look(self.look)
            self.count_sections()

    def changed_outside(self) -> None:
        """Read all again: now, or when somebody comes back to it."""
        self._found, self._portrait = {}, None
        if self.is_current:
            self.show_look(self.look)
            self.count_sections()

    # those who answer

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":  # noqa: ARG002
        """Those who answer for what the qualifiers match, and are called as the words say."""
        called, expression = filters.apart(look.expression)
        wanted = [word.lower() for word in called]
        found = [
            i for i in self._answering(db, expression)
            if _IN[look.section](who := self._who[i])
            and all(w in who.name.lower() or w in (who.email or "").lower() for w in wanted)
        ]  # fmt: skip
        if look.ids is not None:
            found = [i for i in found if i in look.ids]
        if (by := _BY.get(look.order)) is not None:
            found.sort(key=lambda i: by(self._who[i]))  # type: ignore[arg-type,return-value]
        return array("I", reversed(found) if look.backwards else found)

    def _answering(self, db: Database, expression: str) -> list[int]:
        with self._reading:  # the list and its sections are read by two threads at a time
            kept = self._found
            if expression not in kept:
                now = self.desk.clock()
                unused = self.desk.settings.rules.get("unused", {}).get("max_days", 90)
                before = rfc3339(words.when(now) - timedelta(days=unused))
                found = campaigns.people(db, expression, now, before)
                for who in found:
                    self._who[self._ids.setdefault(who.key, len(self._ids))] = who
                kept[expression] = [self._ids[who.key] for who in found]
            return kept[expression]

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many each section has."""
        everybody = [self._who[i] for i in self._answering(db, "")]
        return {s.name: sum(map(_IN[s.expression], everybody)) for s in self.sections}

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """From memory."""
        return {i: people_lines.table_row(self._who[i]) for i in ids}

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return people_lines.columns(width)

    def check_filter(self, typed: str) -> None:
        """Words are for names of people, qualifiers for what they own."""
        filters.compile_filter(filters.apart(typed)[1], self.desk.clock())

    def nothing(self, *, filtered: bool) -> list[Line]:  # noqa: ARG002 - the section is no filter
        """Why there is no row."""
        what = {
            "not known": "every name that sources give is known here",
            "gone": "nobody who answers for something has left",
            "to decide": "nobody has anything to decide: no campaign is open, or all is decided",
            "teams": "no team answers for anything",
            "suppliers": "no identity is a supplier's, as far as is known",
        }.get(self.look.section)  # fmt: skip
        if what is None and not self.look.expression:
            return people_lines.NOBODY
        return identity_rows.nothing(what or "", filtered=bool(self.look.expression), imported=True)

    def headline(self, width: int) -> Line:
        """How many, and how big the hole is."""
        count, unknown = self.counts.get("all"), self.counts.get("not known")
        parts = []
        if count is not None:
            cut = "the first " if count >= campaigns.PEOPLE else ""
            parts.append(f"{cut}{count:,} answer for something")
        if unknown:
            parts.append(f"{unknown:,} not in the registers")
        return identity_rows.heading("People", parts, width)

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        return [*([Key("enter", "what they own", "owned")] if self.table.rank else []),
                *super().hints()]  # fmt: skip

    # one of them

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """What is in memory at once; the rest when the thread has it."""
        who, now = self._who[row_id], self.desk.clock()
        if self._portrait is None or self._portrait[0] != who.key:
            if self._portrait_db is not None:
                with contextlib.suppress(store.SqliteError):
                    self._portrait_db.interrupt()
            self._read_portrait(who)
        known = self._portrait[1] if self._portrait and self._portrait[0] == who.key else None
        return lambda width: people_lines.people_lines(who, known, View(width, now))

    @work(thread=True, exclusive=True, group="portrait")
    def _read_portrait(self, who: Answering) -> None:
        worker = get_current_worker()
        with self.muster.reading() as db:
            self._portrait_db = db
            try:
                known = campaigns.portrait(db, who, self.desk.clock())
            except store.OperationalError as error:
                if "interrupted" not in str(error):
                    raise
                return
            finally:
                self._portrait_db = None
        if not worker.is_cancelled:
            self.app.call_from_thread(self._portrait_read, who.key, known)

    def _portrait_read(self, key: str, known: Portrait) -> None:
        at = self.table.cursor_id
        if at is not None and self._who[at].key == key:
            self._portrait = (key, known)
            self.show_evidence(keep_place=True)

    def action_owned(self) -> None:
        """Their identities in the inventory; the qualifiers that are in use go along."""
        from passmuster.tui.screens.inventory import InventoryScreen

        if (at := self.table.cursor_id) is None:
            return
        who = self._who[at]
        if not who.identities:
            self.say(f"answers for nothing now; {plural(who.todo, 'item')} to decide")
            return
        rest = filters.apart(self.look.expression)[1]
        self.app.push_screen(InventoryScreen(f"{who.filter} {rest}".strip()))


SCREEN = PeopleScreen
