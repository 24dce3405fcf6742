"""A queue in groups: by owner, source, kind, supplier or environment; a verb goes for one group.

Nothing is decided here: the verb and the ids go back to the review screen, which asks for their
number and a reason, and records one row for each.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import ClassVar, NamedTuple

from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.campaigns import Campaign, Group
from passmuster.errors import FilterError
from passmuster.store import Database
from passmuster.text import plural, rfc3339
from passmuster.tui import words
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.look import Look
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

SHOWN = 200
"""Items of a group that the pane names."""
_COLUMNS = (
    Column("risk", " RISK", 5, True), Column("open", "OPEN", 7, True),
    Column("name", "GROUP", 0), Column("items", "ITEMS", 7, True),
    Column("privileged", "PRIVILEGED", 10, True), Column("unused", "UNUSED", 7, True),
)  # fmt: skip


class Chosen(NamedTuple):
    """What is to be done with a group."""

    ids: Sequence[int]
    what: str
    """The group in words, as it is recorded."""
    verb: str | None
    """The action of the review screen; None to look at the items."""


class GroupsScreen(ListScreen):
    """Groups, and the items of the one under the cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "choose", "show its items", id="groups.open"),
        Binding("a", "choose(\"verb('approve')\")", "approve", id="groups.approve"),
        Binding("r", "choose(\"verb('revoke')\")", "revoke", id="groups.revoke"),
        Binding("d", "choose(\"verb('disable')\")", "disable", id="groups.disable"),
        Binding("x", "choose(\"verb('abstain')\")", "abstain", id="groups.abstain"),
    ]
    NOUN = "group"
    SORTS: ClassVar[Mapping[str, str]] = {
        "risk": "risk", "items": "items", "open": "undecided", "name": "name",
        "privileged": "privileged", "unused": "unused",
    }  # fmt: skip

    def __init__(self, campaign: Campaign, by: str) -> None:
        super().__init__()
        self.campaign, self.by = campaign, by
        self._groups: list[Group] = []
        self._newer: list[Group] = []
        """What the thread has read for rows that are not shown yet."""

    # the groups: few enough to be held in memory, read anew for each look

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":  # noqa: ARG002
        """Places in the list of groups."""
        unused = self.desk.settings.rules.get("unused", {}).get("max_days", 90)
        before = rfc3339(words.when(self.desk.clock()) - timedelta(days=unused))
        found = campaigns.groups(db, self.campaign.id, self.desk.me, self.by, before)
        wanted = look.expression.lower()
        places = [n for n, g in enumerate(found) if wanted in (g.value or "none").lower()]
        if look.order == "name":
            places.sort(key=lambda n: (found[n].value or "").lower())
        elif look.order != "risk":
            places.sort(key=lambda n: -int(getattr(found[n], look.order)))
        if look.backwards:
            places.reverse()
        self._newer = found
        return array("I", places)

    def view_shown(self, *, first: bool) -> None:  # noqa: ARG002 - always the same
        """The rows are of the groups that were read with them."""
        self._groups = self._newer

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """What the table shows of these groups."""
        return {n: self._row(self._groups[n]) for n in ids}

    def _row(self, group: Group) -> TableRow:
        cells = {key: f"{getattr(group, key):,}" for key in
                 ("open", "items", "privileged", "unused", "risk")}  # fmt: skip
        role = "plain" if group.open else "dim"
        return TableRow({**cells, "name": group.value or "none"}, role=role)  # type: ignore[arg-type]

    def columns(self, width: int) -> Sequence[Column]:
        """All, or those that a narrow screen has room for."""
        keep = len(_COLUMNS) if width >= 60 else 4
        return _COLUMNS[:keep]

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """The riskiest items of the group."""
        group, db = self._groups[row_id], self.muster.db
        ids = self._ids(db, group, None)
        rows = campaigns.rows(db, ids[:SHOWN])

        def make(_width: int) -> list[Line]:
            out: list[Line] = [
                [say(f"{self.by} {group.value or 'none'}", "strong"),
                 say(f"  {plural(group.items, 'item')}, {group.open:,} undecided")], [],
            ]  # fmt: skip
            for row in rows:
                used = words.last_use_short(
                    row.last_used_at, row.last_used_state, self.desk.clock()
                )
                out.append([
                    say(f"{words.risk(row.risk, row.severity)} ", "plain"),
                    say(row.display_name, "plain" if row.state == "open" else "dim"),
                    say(f"  {row.kind}, used {used}  {row.verdict or ''}", "dim"),
                ])  # fmt: skip
            if len(ids) > SHOWN:
                out.append([Span(f"… {len(ids) - SHOWN:,} more", "dim")])
            return out

        return make

    def _ids(self, db: Database, group: Group, state: str | None) -> "array[int]":
        return campaigns.in_group(db, self.campaign.id, self.desk.me, self.by, group.value, state)

    # the lines around

    def headline(self, width: int) -> Line:  # noqa: ARG002 - short at any width
        """What is grouped by what."""
        return [Span(" "), say(self.campaign.name, "strong"), say(f"   by {self.by}")]

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        if not self.table.rank:
            return [Key("/", "filter", "filter"), Key("esc", "back", "back")]
        return [Key("a", "approve all open", "choose(\"verb('approve')\")"),
                Key("r", "revoke", "choose(\"verb('revoke')\")"),
                Key("d", "disable", "choose(\"verb('disable')\")"),
                Key("enter", "items", "choose"), Key("s", "sort", "sort", True),
                Key("/", "find", "filter", True), Key("esc", "back", "back")]  # fmt: skip

    def nothing(self, *, filtered: bool) -> list[Line]:
        """Why there is no group."""
        said = "no group has this in its name" if filtered else "the queue is empty"
        return [[Span(f"  {said}")]]

    def try_filter(self, typed: str) -> FilterError | None:  # noqa: ARG002 - any text is a part
        """Any text is a part of a group's name."""
        return None

    def action_choose(self, verb: str | None = None) -> None:
        """Back to the queue: with a verb for the undecided of the group, or to look at it."""
        if self.table.cursor_id is None:
            self.say("there is no group here")
            return
        group = self._groups[self.table.cursor_id]
        ids = self._ids(self.muster.db, group, "open" if verb else None)
        if not ids:
            self.say("nothing is undecided in this group")
            return
        self.dismiss(Chosen(ids, f"group {self.by} {group.value or 'none'}", verb))
