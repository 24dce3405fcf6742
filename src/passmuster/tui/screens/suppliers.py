"""The suppliers: who they are, until when, what of theirs gets in, and how to take it away.

All are held in memory: there are few suppliers where there are many identities. Reading them is
one query over the listing, in a thread.
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
from passmuster.campaigns import UNREGISTERED, Held, Vendor
from passmuster.store import Database
from passmuster.text import rfc3339
from passmuster.tui import identity_rows, supplier_lines, words
from passmuster.tui.lines import Line
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.sections import View
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

SOON_DAYS = 60
"""Days before its end from which a contract is said to end soon."""
WHAT = "the list of suppliers"
_IN: dict[str, Callable[[Vendor], bool]] = {
    "": lambda _: True,
    "ending": lambda one: one.state.startswith("contract "),
    "over": lambda one: one.state in ("contract is over", "no longer a supplier"),
    "not registered": lambda one: one.state == UNREGISTERED,
    "with access": lambda one: one.identities + one.trusts > 0,
}
_BY: dict[str, Callable[[Vendor], object]] = {
    "name": lambda one: one.name.lower(), "state": lambda one: one.state,
    "ends": lambda one: one.contract_ends_at or "9", "identities": lambda one: -one.identities,
    "trusts": lambda one: -one.trusts, "findings": lambda one: -one.findings,
    "contact": lambda one: one.contact or "",
}  # fmt: skip


class SuppliersScreen(ListScreen):
    """Third parties; an id is given to each for as long as the screen is open."""

    DEFAULT_CSS = "SuppliersScreen.-side #queue { width: 13fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "owned", "what they hold", id="owned",
                tooltip="their identities in the inventory"),
    ]  # fmt: skip
    NOUN = "supplier"
    FILTER_HINT = "a part of a name, an account or a domain"
    SORTS: ClassVar[Mapping[str, str]] = {
        "risk": "worst risk", "name": "name", "state": "state", "ends": "contract end",
        "identities": "identities", "trusts": "trusts", "findings": "findings",
        "contact": "contact",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._ids: dict[str, int] = {}
        self._one: dict[int, Vendor] = {}
        self._order: list[int] | None = None
        self._reading = threading.Lock()
        self._held: tuple[str, Held] | None = None
        self._held_db: Database | None = None

    def on_mount(self) -> None:
        """The sections."""
        self.sections = [Section(name or "all", name) for name in _IN]

    def changed_outside(self) -> None:
        """Read all again."""
        self._order, self._held = None, None
        if self.is_current:
            self.show_look(self.look)
            self.count_sections()

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":  # noqa: ARG002
        """Those that are called, or have a tenant, as the words say."""
        wanted = [(word.lower(), no) for word, no in filters.plain_words(look.expression, WHAT)]
        found = []
        for i in self._all(db):
            one = self._one[i]
            said = " ".join((one.name, *one.tenants)).lower()
            if _IN[look.section](one) and all((word in said) is not no for word, no in wanted):
                found.append(i)
        if look.ids is not None:
            found = [i for i in found if i in look.ids]
        if (by := _BY.get(look.order)) is not None:
            found.sort(key=lambda i: by(self._one[i]))  # type: ignore[arg-type,return-value]
        return array("I", reversed(found) if look.backwards else found)

    def _all(self, db: Database) -> list[int]:
        with self._reading:  # the list and its sections are read by two threads at a time
            if self._order is None:
                now = self.desk.clock()
                soon = rfc3339(words.when(now) + timedelta(days=SOON_DAYS))
                found = campaigns.suppliers(db, now, soon)
                for one in found:
                    self._one[self._ids.setdefault(one.key, len(self._ids))] = one
                self._order = [self._ids[one.key] for one in found]
            return self._order

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many each section has."""
        everybody = [self._one[i] for i in self._all(db)]
        return {s.name: sum(map(_IN[s.expression], everybody)) for s in self.sections}

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """From memory."""
        return {i: supplier_lines.table_row(self._one[i]) for i in ids}

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return supplier_lines.columns(width)

    def check_filter(self, typed: str) -> None:
        """Words alone: a qualifier is about identities."""
        filters.plain_words(typed, WHAT)

    def nothing(self, *, filtered: bool) -> list[Line]:  # noqa: ARG002 - the section is no filter
        """Why there is no row."""
        what = {
            "ending": "no contract is over or ends within two months",
            "over": "no contract is over, as far as is known",
            "not registered": "every supplier that a platform names is in the register",
            "with access": "no supplier has access, as far as is known",
        }.get(self.look.section)  # fmt: skip
        if what is None and not self.look.expression:
            return supplier_lines.NOBODY
        return identity_rows.nothing(what or "", filtered=bool(self.look.expression), imported=True)

    def headline(self, width: int) -> Line:
        """How many, and how many nobody here knows."""
        count, unknown = self.counts.get("all"), self.counts.get("not registered")
        parts = [] if count is None else [f"{count:,} known"]
        if unknown:
            parts.append(f"{unknown:,} not in the register")
        return identity_rows.heading("Suppliers", parts, width)

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        return [*([Key("enter", "what they hold", "owned")] if self.table.rank else []),
                *super().hints()]  # fmt: skip

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """What is in memory at once; what they hold when the thread has it."""
        one, now = self._one[row_id], self.desk.clock()
        if self._held is None or self._held[0] != one.key:
            if self._held_db is not None:
                with contextlib.suppress(store.SqliteError):
                    self._held_db.interrupt()
            self._read_held(one)
        known = self._held[1] if self._held and self._held[0] == one.key else None
        return lambda width: supplier_lines.lines(one, known, View(width, now))

    @work(thread=True, exclusive=True, group="held")
    def _read_held(self, one: Vendor) -> None:
        worker = get_current_worker()
        with self.muster.reading() as db:
            self._held_db = db
            try:
                known = campaigns.held(db, one)
            except store.OperationalError as error:
                if "interrupted" not in str(error):
                    raise
                return
            finally:
                self._held_db = None
        if not worker.is_cancelled:
            self.app.call_from_thread(self._held_read, one.key, known)

    def _held_read(self, key: str, known: Held) -> None:
        at = self.table.cursor_id
        if at is not None and self._one[at].key == key:
            self._held = (key, known)
            self.show_evidence(keep_place=True)

    def action_owned(self) -> None:
        """Their identities in the inventory."""
        from passmuster.tui.screens.inventory import InventoryScreen

        if (at := self.table.cursor_id) is None:
            return
        one = self._one[at]
        if not one.identities:
            self.say(f"{one.name} holds no identity here")
            return
        self.app.push_screen(InventoryScreen(filters.whole("supplier", one.name)))


SCREEN = SuppliersScreen
