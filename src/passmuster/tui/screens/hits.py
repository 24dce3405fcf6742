"""What one rule found: every open finding, each with the dossier of its identity."""

from array import array
from collections.abc import Mapping, Sequence
from typing import ClassVar

from passmuster import policy
from passmuster.filters import compile_filter
from passmuster.policy import Rule
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tui import identity_rows, rule_lines
from passmuster.tui.lines import Line
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._identity import OfIdentities
from passmuster.tui.widgets.line_table import Column, TableRow

SECTIONS = [
    Section("all", ""), Section("unowned", "owner:none"), Section("privileged", "privileged:yes"),
    Section("supplier", "-supplier:none"), Section("new", "new:yes"),
]  # fmt: skip


class HitsScreen(OfIdentities):
    """The hits of a rule; an id is a finding's."""

    NOUN = "finding"
    SORTS: ClassVar[Mapping[str, str]] = {
        "risk": "risk", "name": "name", "seen": "first seen", "detail": "what was found",
        "owner": "owner", "source": "source", "kind": "kind",
    }  # fmt: skip

    def __init__(self, rule: Rule, expression: str) -> None:
        super().__init__()
        self.rule = rule
        self.look = self.look._replace(expression=expression)

    def on_mount(self) -> None:
        """The saved filters that make sense of hits."""
        self.sections = list(SECTIONS)

    def identity_of(self, row_id: int) -> int | None:
        """Of whose the finding is."""
        rows = policy.hit_rows(self.muster.db, [row_id])
        return rows[0].identity_id if rows else None

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":
        """Ids of findings."""
        found = policy.rank_hits(
            db, self.rule.id, look.filter, self.desk.clock(), order=look.order,
            backwards=look.backwards, limit=None if look.ids else limit,
        )  # fmt: skip
        if look.ids is None:
            return found
        wanted = set(look.ids)
        return array("I", (i for i in found if i in wanted))

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """One keyed query."""
        rows = policy.hit_rows(self.muster.db, ids)
        return {row.id: identity_rows.hit_row(row, self.desk.me) for row in rows}

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many hits each section has."""
        now = self.desk.clock()
        return {s.name: policy.count_hits(db, self.rule.id, s.expression, now)
                for s in self.sections}  # fmt: skip

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return identity_rows.hit_columns(width)

    def check_filter(self, typed: str) -> None:
        """A filter over identities, whether gone or not."""
        compile_filter(typed, self.desk.clock(), defaults=False)

    def nothing(self, *, filtered: bool) -> list[Line]:
        """Why there is no row: a rule that could not be asked has not found that all is well."""
        run = policy.rule_runs(self.muster.db).get(self.rule.id)
        why = run.not_evaluated if run else rule_lines.NEVER
        what = f"not evaluated: {why}" if why else "this rule finds nothing today"
        return identity_rows.nothing(
            "nothing in this section" if filtered and not self.look.expression else what,
            filtered=bool(self.look.expression), imported=True,
        )  # fmt: skip

    def headline(self, width: int) -> Line:
        """The rule, and how much it found."""
        count = self.counts.get("all")
        parts = [] if count is None else [plural(count, "open finding")]
        return identity_rows.heading(self.rule.title, [self.rule.severity, *parts], width)
