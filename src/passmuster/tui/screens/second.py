"""The second person's place: other people's signed decisions, each with the very evidence that was
decided on, to concur with or object to, one by one or many at once. Only drafts: `$` signs them.
"""

from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.campaigns import SecondRow
from passmuster.errors import UsageError
from passmuster.filters import compile_filter
from passmuster.model import Attention, SecondDraft, SecondVerdict, Verdict
from passmuster.seconds import CALLED, Policy
from passmuster.store import Database
from passmuster.text import Json, plural
from passmuster.tui import answers, identity_rows, second_lines, travelled
from passmuster.tui.dossier import dossier_lines
from passmuster.tui.lines import Line, Span, say, short
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._acting import LOOK_AHEAD
from passmuster.tui.screens._marking import Marking
from passmuster.tui.seconding import Seconding
from passmuster.tui.sections import SHORT_BELOW, View
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow

SECTIONS = [
    Section("waiting", "waiting"), Section("drafts", "draft"), Section("signed", "signed"),
    Section("all", "all"),
]  # fmt: skip
OPPOSITE: dict[str, Verdict] = {"approve": "revoke", "revoke": "approve", "disable": "approve"}
"""Whose one-key reasons an objection is offered: those of the other verdict."""
SAID = {"concur": "concur with", "object": "object to"}
_UNSEEN = Attention(None, "", False)
"""Until it is staged: then the sitting says what heed was paid."""


class SecondScreen(Marking):
    """Items whose decision needs a second person, and may have me as one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus", "concur", "concur", id="concur", key_display="+",
                tooltip="as the second person: it is right; draft, needs your signature"),
        Binding("minus", "object", "object", id="object", key_display="-",
                tooltip="as the second person: it is wrong, and why; draft, needs your signature"),
    ]  # fmt: skip
    NOUN = "decision"
    DECIDED = "said"
    OPEN = "waiting"
    SORTS: ClassVar[Mapping[str, str]] = {
        "risk": "risk", "name": "name", "source": "source", "reviewer": "who decides",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__(None)
        self.row: SecondRow | None = None
        self.around: campaigns.Around | None = None
        self.policy: Policy | None = None

    def on_mount(self) -> None:
        """What waits on me."""
        self.campaign = self.muster.campaign
        if self.muster.campaign is not None:
            self.policy = campaigns.policy_of(self.muster.db, self.muster.campaign.definition)
        self.sections = list(SECTIONS)
        self.look = self.look._replace(section="waiting")

    @property
    def _asked(self) -> bool:
        """Whether the campaign has me as a second person."""
        return self.policy is not None and self.desk.me in self.policy.by

    # the rows

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":
        """Items of a section."""
        at = self.muster.campaign
        if at is None or not self._asked:
            return array("I")
        return look.among(campaigns.second_rank(
            db, at.id, self.desk.me, look.section or "waiting",
            expression=look.expression, now=self.desk.clock(), order=look.order,
            backwards=look.backwards, limit=limit,
        ))  # fmt: skip

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many rows each section has."""
        return {s.name: len(self.read_ids(db, Look(s.expression), None)) for s in self.sections}

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """What the table shows of these items."""
        app, me = self.muster, self.desk.me
        return {
            i: second_lines.table_row(
                row, app.seconding.over(i, row.draft), me, waiting=app.writer.slow(i)
            )
            for i, row in campaigns.second_rows(app.db, ids, me).items()
        }

    def columns(self, width: int) -> Sequence[Column]:
        """As many as there is room for."""
        return second_lines.columns(width)

    def check_filter(self, typed: str) -> None:
        """A queue knows more qualifiers than an inventory."""
        compile_filter(typed, self.desk.clock(), items=True)

    def nothing(self, *, filtered: bool) -> list[Line]:  # noqa: ARG002 - the section is no filter
        """Why there is no row, and what to do."""
        at = self.muster.campaign
        return second_lines.nothing(
            self.policy, at.name if at else None, self.desk.me, self.look.section,
            filtered=bool(self.look.expression),
        )  # fmt: skip

    def headline(self, width: int) -> Line:
        """How much waits on me."""
        at = self.muster.campaign
        parts = second_lines.heading(self.counts.get("waiting"), self.counts.get("drafts", 0))
        if self.muster.read_only:
            parts.append("read only")
        return identity_rows.heading(f"Second person: {at.name}" if at else "Second person",
                                     parts if self._asked else [], width)  # fmt: skip

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        tail = [Key("/", "filter", "filter", True), Key("$", "sign", "sign"),
                Key("q", "back", "leave"), Key("?", "more", "help")]  # fmt: skip
        if not self.table.rank or self.row is None:
            return [Key("tab", "section", "section(1)"), *tail]
        verbs = [Key("+", "concur", "concur"), Key("-", "object", "object")]
        if self.for_marked:
            return [*verbs, Key("u", "clear", "clear"), Key("esc", "not now", "back")]
        if self.table.marks:
            return [Key(";", f"then + or -: all {len(self.table.marks):,}", "marked"),
                    Key("space", "mark", "mark"), Key("esc", "unmark", "back"), *tail]  # fmt: skip
        if self.staging.state(self.row.item_id):
            verbs.append(Key("u", "clear", "clear"))
        return [*verbs, Key("enter", "all evidence", "details"),
                Key("m", "mark like", "mark_like", True),
                Key("tab", "section", "section(1)"), *tail]  # fmt: skip

    def view_shown(self, *, first: bool) -> None:  # noqa: ARG002
        """Another row may be under the cursor."""
        self.show_evidence(keep_place=True)

    def refresh_rows(self) -> None:
        """The item under the cursor may have another row, too."""
        self.dossier = None
        super().refresh_rows()

    def changed_outside(self) -> None:
        """Somebody has decided, or countersigned, meanwhile; our own drafts change no view."""
        self.count_sections()
        if self.look.section != "draft" and self.is_current:
            self.show_look(self.look)

    # which rows, for the verbs

    @property
    def staging(self) -> Seconding:
        """What I say to other people's decisions."""
        return self.muster.seconding

    def open_among(self, ids: Sequence[int]) -> list[int]:
        """Those of *ids* without a word of mine, drafted or signed."""
        rows, me = campaigns.second_rows(self.muster.db, ids, self.desk.me), self.desk.me
        return [
            i for i in ids
            if (row := rows.get(i)) and not self.staging.over(i, row.draft)
            and second_lines.mine(row, me) is None
        ]  # fmt: skip

    def like(self, db: Database, by: str, value: str | None) -> Iterable[int]:
        """Those that wait on me and that I have drafted nothing on."""
        assert self.campaign is not None
        return campaigns.second_like(db, self.campaign.id, self.desk.me, by, value)

    def filter_words(self) -> str:
        """What was typed: a section here is no filter."""
        return self.look.expression

    # the evidence

    def read_item(self, item_id: int | None) -> Json | None:
        """The decision, and what it was made on."""
        self.row = self.around = None
        if item_id is None:
            return None
        db = self.muster.db
        self.row = campaigns.second_rows(db, [item_id], self.desk.me).get(item_id)
        dossier = campaigns.item_dossier(db, item_id)
        self.around = campaigns.around(db, dossier)
        return dossier

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """The first person's decision, then what that person saw."""
        return self._made(row_id, full=False)

    def _made(self, row_id: int, *, full: bool) -> Callable[[int], list[Line]]:
        row, dossier, beside = self.row, self.dossier, self.around
        if row is None or dossier is None or row.item_id != row_id:
            return lambda _: []
        now, draft = self.desk.clock(), self.staging.state(row_id)
        at = self.muster.campaign

        def make(width: int) -> list[Line]:
            few = not full and self.pane.size.height < SHORT_BELOW
            view = View(width, now, full, self.desk.old_days, few, verbs=False)
            head = travelled.snapshot(at, view) if at else []
            head += second_lines.header(row, dossier, draft, view)
            return head + dossier_lines(dossier, view, None, None, beside)

        return make

    def action_details(self) -> None:
        """The whole evidence on a screen of its own."""
        from passmuster.tui.screens.details import DetailsScreen

        if self.row is None or self.dossier is None:
            return
        item_id, at = self.row.item_id, self.muster.campaign
        self.muster.seconding.details_opened.add(item_id)
        self.app.push_screen(
            DetailsScreen(self._made(item_id, full=True), self.dossier, (),
                          at.due_at if at else None)
        )  # fmt: skip

    # the verbs

    def _called(self) -> str:
        return short(self.row.display_name) if self.row else ""

    def _say(self, verdict: SecondVerdict, then: Callable[[list[int]], None]) -> None:
        """Go on with the rows that are meant, of many after their number."""
        if refusal := self._refusal():
            self.say(refusal, "error")
            return
        ids = self._targets()
        if too_many := self._too_many(ids):
            self.say(too_many, "error")
            self.for_marked, self.marked_how = False, ""
        elif len(ids) > 1:
            self._ask_count(
                f"{SAID[verdict]} {plural(len(ids), self.NOUN)}", ids, lambda: then(ids)
            )
        else:
            then(ids)

    def action_concur(self) -> None:
        """Stage a concurrence, of one at once: the reason is the first person's."""
        self._say("concur", lambda ids: self._stage(ids, "concur", None, ""))

    def action_object(self) -> None:
        """Ask why, then stage an objection."""
        self._say("object", self._ask_why)

    def _ask_why(self, ids: list[int]) -> None:
        row = self.row if len(ids) == 1 else None
        verdicts = {row.verdict} if row else self._verdicts(ids)
        offered = self.desk.settings.reasons
        if len(verdicts) == 1:
            offered = answers.fitting(offered, OPPOSITE[verdicts.pop()], changes=False)

        def answer(typed: str) -> str | None:
            if elsewhere := self._moved_on(ids):
                return elsewhere
            if row and (self.row is None or self.row.leaf != row.leaf):
                return "it was decided anew just now: esc, then look at it again"
            code = typed.strip() if typed.strip() in offered else None
            text = offered[code] if code else typed.strip()
            try:
                campaigns.check_second(SecondDraft("object", code, text, _UNSEEN))
            except UsageError as error:
                return str(error)
            self._stage(ids, "object", code, text)
            return None

        what = f" to {CALLED[row.verdict]} of {self._called()}" if row else f" to {self._what(ids)}"
        self.ask.ask(
            [Span("object", "strong"), say(what), Span("   why?", "dim")],
            list(offered.items()), answer, hint="a digit, or your own words",
        )  # fmt: skip
        self.redraw_bars()

    def _verdicts(self, ids: Sequence[int]) -> set[str]:
        """What was decided of these, as far as it takes to know which reasons fit."""
        rows = campaigns.second_rows(self.muster.db, ids[:LOOK_AHEAD], self.desk.me)
        return {row.verdict for row in rows.values()}

    def _stage(self, ids: list[int], verdict: SecondVerdict, code: str | None, text: str) -> None:
        was_open = self._is_open(self.table.cursor_id)
        done = f"{verdict}: {self._what(ids)}, {'a draft' if len(ids) == 1 else 'drafts'}"
        self.staging.say(ids, SecondDraft(verdict, code, text, _UNSEEN), self.marked_words())
        self._acted(ids, f"{done}   z takes {'it' if len(ids) == 1 else 'them'} back",
                    was_open=was_open)  # fmt: skip

    # the end

    def signed(self, *, done: bool) -> None:  # noqa: ARG002 - seen either way
        """What waits still."""
        self.dossier = None
        self.show_look(self.look)
        self.count_sections()


SCREEN = SecondScreen
