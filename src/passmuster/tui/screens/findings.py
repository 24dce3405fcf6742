"""The findings: every rule with what it found, or why it could not be asked; enter opens its hits.

A filter chooses identities, and the rules are counted for those alone.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import policy
from passmuster.filters import compile_filter
from passmuster.policy import SEVERITY_ORDER, Hits, Rule, RuleRun, Supply
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tui import identity_rows, rule_lines, words
from passmuster.tui.lines import Line
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._list import ListScreen
from passmuster.tui.sections import View
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

SECTIONS = [
    Section("all", ""), Section("found", "found"), Section("grave", "grave"),
    Section("new", "new"), Section("not evaluated", "not evaluated"),
]  # fmt: skip
"""Of rules; what stands for the filter is a word of this module's own."""


class FindingsScreen(ListScreen):
    """The rules; an id is a rule's place among them."""

    DEFAULT_CSS = "FindingsScreen.-side #queue { width: 13fr; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter,right", "hits", "hits", id="hits",
                tooltip="the identities that this rule found"),
    ]  # fmt: skip
    NOUN = "rule"
    SORTS: ClassVar[Mapping[str, str]] = {
        "severity": "severity", "title": "title", "hits": "hits", "new": "new", "rule": "id",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self._rules: list[Rule] = list(policy.load_rules().values())
        self._runs: dict[str, RuleRun] = {}
        self._hits: dict[str, dict[str, Hits]] = {}
        """By filter: what was counted."""
        self._supplies: dict[str, Supply] = {}
        self._as_of: tuple[int, str] | None = None
        self._last_import: str | None = None

    def on_mount(self) -> None:
        """The rules as they ran last."""
        self.sections = list(SECTIONS)
        self._read_runs()

    def _read_runs(self) -> None:
        db = self.muster.db
        self._as_of, self._last_import = policy.listed_as_of(db), policy.last_import(db)
        self._runs, self._hits = policy.rule_runs(db), {}

    def changed_outside(self) -> None:
        """Count again after an import or an evaluation."""
        if policy.listed_as_of(self.muster.db) != self._as_of:
            self._read_runs()
            self.show_look(self.look)
            self.count_sections()

    # the rules, and what was counted

    def count(self, db: Database, expression: str) -> dict[str, Hits]:
        """Open findings of each rule on what *expression* matches; for a thread."""
        kept = self._hits
        if expression not in kept:
            where = None
            if expression:
                where = compile_filter(expression, self.desk.clock(), defaults=False)
            kept[expression] = policy.hits_by_rule(db, self._last_import or "", where)
        return kept[expression]

    def hits_of(self, rule: Rule) -> Hits | None:
        """What was counted for *rule* in the look that is open; None before it was."""
        counted = self._hits.get(self.look.expression)
        return None if counted is None else counted.get(rule.id, Hits(0, 0))

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":  # noqa: ARG002
        """Places of rules."""
        needed = look.expression or look.section in ("new", "found") or look.order == "new"
        counted = self.count(db, look.expression) if needed else {}

        def hits(rule: Rule) -> Hits:
            run = self._runs.get(rule.id)
            return counted.get(rule.id, Hits(0 if needed or not run else run.hits or 0, 0))

        def key(place: int) -> tuple[object, ...]:
            rule = self._rules[place]
            worst = (SEVERITY_ORDER[rule.severity], self._unanswered(rule), -hits(rule).all, place)
            first = {
                "title": rule.title.lower(), "hits": -hits(rule).all, "new": -hits(rule).new,
                "rule": rule.id,
            }  # fmt: skip
            return (first[look.order], *worst) if look.order in first else worst

        shown = {
            "": lambda _: True, "found": lambda r: hits(r).all > 0,
            "new": lambda r: hits(r).new > 0,
            "grave": lambda r: SEVERITY_ORDER[r.severity] < 2, "not evaluated": self._unanswered,
        }[look.section]  # fmt: skip
        places = [
            n for n, rule in enumerate(self._rules)
            if shown(rule) and (not look.expression or hits(rule).all)
        ]  # fmt: skip
        return array("I", sorted(places, key=key, reverse=look.backwards))

    def _unanswered(self, rule: Rule) -> bool:
        run = self._runs.get(rule.id)
        return run is None or run.not_evaluated is not None

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many rules each section has; and what each found, and who supplies its facts."""
        self.count(db, "")
        self._supplies = policy.supplies(db)
        return {s.name: len(self.read_ids(db, Look(s.expression, order="severity"), None))
                for s in self.sections}  # fmt: skip

    def view_shown(self, *, first: bool) -> None:  # noqa: ARG002
        """The rule under the cursor has other hits in another view."""
        self.show_evidence(keep_place=True)

    def counted(self) -> None:
        """Now the rows can say what is new."""
        self.table.forget()
        self.show_evidence(keep_place=True)

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """From memory: there are few rules."""
        rules = {i: self._rules[i] for i in ids}
        return {
            i: rule_lines.table_row(rule, self._runs.get(rule.id), self.hits_of(rule))
            for i, rule in rules.items()
        }

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return rule_lines.columns(width)

    def check_filter(self, typed: str) -> None:
        """A filter over identities, whether gone or not: their findings are counted too."""
        compile_filter(typed, self.desk.clock(), defaults=False)

    def nothing(self, *, filtered: bool) -> list[Line]:  # noqa: ARG002 - the section is no filter
        """Why there is no row."""
        what = {
            "new": "nothing new since the last import", "found": "no rule has found anything",
            "not evaluated": "every rule could be evaluated",
        }.get(self.look.section, "there is no rule here")  # fmt: skip
        return identity_rows.nothing(
            what, filtered=bool(self.look.expression), imported=self._last_import is not None
        )

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """All about the rule under the cursor."""
        rule, now = self._rules[row_id], self.desk.clock()
        set_to = self.desk.settings.rules.get(rule.id, {})

        def make(width: int) -> list[Line]:
            return rule_lines.rule_lines(
                rule, self._runs.get(rule.id), self.hits_of(rule), set_to=set_to,
                supplies=self._supplies, last_import=self._last_import, view=View(width, now),
                narrowed=self.look.expression,
            )  # fmt: skip

        return make

    def headline(self, width: int) -> Line:
        """How much was found, and when the rules ran."""
        hits = self._hits.get("")
        parts = [] if hits is None else [plural(sum(h.all for h in hits.values()), "open finding")]
        if self._as_of and self._as_of[1]:
            parts.append(f"rules ran {words.ago(self._as_of[1], self.desk.clock())}")
        elif self._last_import is None:
            parts.append("nothing has been imported yet: muster import FILE")
        return identity_rows.heading("Findings", parts, width)

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        return [*([Key("enter", "hits", "hits")] if self.table.rank else []), *super().hints()]

    def action_hits(self) -> None:
        """The hits of the rule under the cursor, narrowed as the rules are."""
        from passmuster.tui.screens.hits import HitsScreen

        if (place := self.table.cursor_id) is not None:
            self.app.push_screen(HitsScreen(self._rules[place], self.look.expression))


SCREEN = FindingsScreen
