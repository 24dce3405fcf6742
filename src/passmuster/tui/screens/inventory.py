"""The inventory: every identity that was ever imported, whatever campaign it is in.

The first rows come from an index at once, the whole order from a thread, a row's evidence from
keyed look-ups: as quick with a million as with ten.
"""

from array import array
from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns, policy
from passmuster.config import Settings
from passmuster.errors import FilterError, MusterError, UsageError
from passmuster.filters import compile_filter
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tui import identity_rows, words
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._identity import OfIdentities
from passmuster.tui.screens._opening import WithOpening
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow
from passmuster.tui.writer import Job


def sections(settings: Settings, now: str) -> list[Section]:
    """The saved filters: ours, then those of the person's own that are not about a queue."""
    unused = settings.rules.get("unused", {}).get("max_days", 90)
    ours = {
        "all": "", "unowned": "owner:none", "privileged": "privileged:yes",
        "unused": f"unused:>{unused}d", "expiring": "expires:<30d", "supplier": "-supplier:none",
        "new": "new:yes", "intake": "intake:any", "gone": "absent:yes", "groups": "kind:group",
    }  # fmt: skip
    own = {}
    for name, expression in settings.sections.items():
        try:
            compile_filter(expression, now)
        except FilterError:
            continue
        own[name] = expression
    return [Section(name, expression) for name, expression in {**ours, **own}.items()]


class InventoryScreen(OfIdentities, WithOpening):
    """Every identity."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("P", "purpose", "purpose", id="purpose",
                tooltip="say what it is for; kept with your name and the day"),
        Binding("N", "new", "ask about what is new", id="campaign.new",
                tooltip="open a campaign over every new identity that nobody is asked about"),
    ]  # fmt: skip
    NOUN = "identity"
    SORTS: ClassVar[Mapping[str, str]] = {
        "risk": "risk", "name": "name", "owner": "owner", "used": "last use", "kind": "kind",
        "source": "source", "findings": "findings", "env": "environment", "supplier": "supplier",
        "status": "status",
    }  # fmt: skip

    def __init__(self, expression: str = "") -> None:
        super().__init__()
        self.look = self.look._replace(expression=expression)
        self.opened_with = expression
        """The filter that another place opened it with; a step back leads there."""
        self._facts: list[str] = []

    def on_mount(self) -> None:
        """The saved filters, and where all this is from."""
        self.sections = sections(self.desk.settings, self.desk.clock())
        self._read_facts()

    def changed_outside(self) -> None:
        """There may be another source."""
        self._read_facts()
        super().changed_outside()

    def _read_facts(self) -> None:
        db = self.muster.db
        sources = db.value("SELECT count(*) FROM source WHERE platform <> 'register'")
        at = policy.last_import(db)
        self._facts = [plural(sources, "source")]
        if at:
            self._facts.append(f"last import {words.ago(at, self.desk.clock())}")

    # the rows

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":
        """Identity ids."""
        found = policy.rank_identities(
            db, look.filter, self.desk.clock(), order=look.order, backwards=look.backwards,
            limit=None if look.ids else limit,
        )  # fmt: skip
        if look.ids is None:
            return found
        wanted = set(look.ids)
        return array("I", (i for i in found if i in wanted))

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """One keyed query over the listing."""
        now, me = self.desk.clock(), self.desk.me
        rows = policy.identity_rows(self.muster.db, ids)
        return {row.id: identity_rows.table_row(row, now, me) for row in rows}

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many identities each section has."""
        now = self.desk.clock()
        return {s.name: policy.count_identities(db, s.expression, now) for s in self.sections}

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return identity_rows.columns(width)

    def nothing(self, *, filtered: bool) -> list[Line]:  # noqa: ARG002 - the section is no filter
        """Why there is no row."""
        name = self.sections[self.section].name if self.sections else "all"
        what = {
            "all": "there is no identity",
            "intake": "nothing waits: all that came since the first export of its source is "
                      "answered for",
        }.get(name, f"no identity is here: {name}")  # fmt: skip
        return identity_rows.nothing(
            what, filtered=bool(self.look.expression),
            imported=policy.last_import(self.muster.db) is not None,
        )  # fmt: skip

    def headline(self, width: int) -> Line:
        """How much there is, and of when."""
        count = self.counts.get("all")
        parts = [] if count is None else [plural(count, "identity")]
        return identity_rows.heading("Inventory", [*parts, *self._facts], width)

    def hints(self) -> list[Key]:
        """In the intake, also how to have it asked about, and to say what something is for."""
        name = self.sections[self.section].name if self.sections else ""
        if name != "intake" or not self.table.rank:
            return super().hints()
        return [Key("N", "ask about these", "new"), Key("P", "purpose", "purpose"),
                *super().hints()]  # fmt: skip

    # what is new

    def action_new(self) -> None:
        """Open a review over what is new, of that over what was filtered."""
        self.open_intake(self.look.expression)

    # what it is for

    def action_purpose(self) -> None:
        """Say what the identity under the cursor is for; it stands in evidence from then on."""
        if (identity_id := self.table.cursor_id) is None:
            return
        if self.muster.read_only:
            self.say("read only: nothing is kept", "error")
            return
        (row,) = policy.identity_rows(self.muster.db, [identity_id])
        me, now = self.desk.me, self.desk.clock()

        def answer(typed: str) -> str | None:
            try:
                campaigns.check_purpose(typed)
            except UsageError as error:
                return str(error)
            self.muster.writer.put(
                Job((), lambda db: campaigns.keep_purpose(db, identity_id, typed, me, now))
            )
            return None

        self.ask.ask([Span("purpose", "strong"), say(f"  {row.name}   what is it for?")], (),
                     answer, hint="a sentence; owner and approval: N opens a review")  # fmt: skip
        self.redraw_bars()

    def written(self, ids: Sequence[int], error: MusterError | None) -> None:
        """A purpose is on the disk, or is not: the evidence shows it."""
        if not ids and self._held is not None:
            self.say(str(error) if error else "purpose kept", "error" if error else "plain")
            self._held = None
            self.show_evidence(keep_place=True)

    # back

    def step_back(self) -> bool:
        """From the filter that another place opened it with, to that place."""
        as_opened = self.opened_with and self.look.expression == self.opened_with
        busy = self.ask.is_open or self.typed_line is not None or self.table.marks
        if as_opened and not busy and self.look.ids is None:
            return False
        return super().step_back()


SCREEN = InventoryScreen
