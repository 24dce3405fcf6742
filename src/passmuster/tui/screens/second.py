"""The second person's place: other people's signed decisions, each with the very evidence that was
decided on, to concur with or object to. Only drafts: `$` signs them.
"""

from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.campaigns import SecondRow
from passmuster.errors import MusterError, UsageError
from passmuster.filters import compile_filter
from passmuster.model import Attention, SecondDraft, SecondVerdict, Verdict
from passmuster.seconds import CALLED, Policy
from passmuster.store import Database
from passmuster.text import Json
from passmuster.tui import answers, identity_rows, second_lines
from passmuster.tui.dossier import dossier_lines
from passmuster.tui.lines import Line, Span, say, short
from passmuster.tui.look import Look, Section
from passmuster.tui.screens._freezing import Freezing
from passmuster.tui.sections import SHORT_BELOW, View
from passmuster.tui.staged import Act
from passmuster.tui.widgets.keys_bar import Key
from passmuster.tui.widgets.line_table import Column, TableRow
from passmuster.tui.writer import SLOW_S

SECTIONS = [
    Section("waiting", "waiting"), Section("drafts", "draft"), Section("signed", "signed"),
    Section("all", "all"),
]  # fmt: skip
OPPOSITE: dict[str, Verdict] = {"approve": "revoke", "revoke": "approve", "disable": "approve"}
"""Whose one-key reasons an objection is offered: those of the other verdict."""
_UNSEEN = Attention(None, "", False)
"""Until it is staged: then the sitting says what heed was paid."""


class SecondScreen(Freezing):
    """Items whose decision needs a second person, and may have me as one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("plus", "concur", "concur", id="second.concur", key_display="+",
                tooltip="this decision is right; draft, needs your signature"),
        Binding("minus", "object", "object", id="second.object", key_display="-",
                tooltip="this decision is wrong, and why; draft, needs your signature"),
        Binding("u", "clear", "clear draft", id="clear", tooltip="take your draft back"),
        Binding("z", "undo", "undo", id="undo", tooltip="take your last act back"),
        Binding("Z", "redo", "redo", id="redo", tooltip="do it again"),
        Binding("enter,right", "details", "details", id="details",
                tooltip="the whole evidence of this item"),
        Binding("dollar_sign", "sign", "review and sign", id="sign", key_display="$",
                tooltip="see all that is drafted, then sign it"),
    ]  # fmt: skip
    NOUN = "decision"
    SORTS: ClassVar[Mapping[str, str]] = {
        "risk": "risk", "name": "name", "source": "source", "reviewer": "who decides",
    }  # fmt: skip

    def __init__(self) -> None:
        super().__init__()
        self.row: SecondRow | None = None
        self.dossier: Json | None = None
        self.around: campaigns.Around | None = None
        self.policy: Policy | None = None

    def on_mount(self) -> None:
        """What waits on me."""
        if self.muster.campaign is not None:
            self.policy = campaigns.policy_of(self.muster.db, self.muster.campaign.definition)
        self.sections = list(SECTIONS)
        self.look = self.look._replace(section="waiting")

    # the rows

    def read_ids(self, db: Database, look: Look, limit: int | None) -> "array[int]":
        """Items of a section."""
        at = self.muster.campaign
        if at is None or self.policy is None or self.desk.me not in self.policy.by:
            return array("I")
        return campaigns.second_rank(
            db, at.id, self.desk.me, look.section or "waiting",
            expression=look.expression, now=self.desk.clock(), order=look.order,
            backwards=look.backwards, limit=limit,
        )  # fmt: skip

    def read_counts(self, db: Database) -> dict[str, int]:
        """How many rows each section has."""
        return {s.name: len(self.read_ids(db, Look(s.expression), None)) for s in self.sections}

    def read_rows(self, ids: Sequence[int]) -> Mapping[int, TableRow]:
        """What the table shows of these items."""
        app, me = self.muster, self.desk.me
        return {
            i: second_lines.table_row(row, app.seconding.state(i), me, waiting=app.writer.slow(i))
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
                                     parts if self.policy else [], width)  # fmt: skip

    def hints(self) -> list[Key]:
        """The keys that make sense now."""
        tail = [Key("/", "filter", "filter", True), Key("$", "sign", "sign"),
                Key("q", "back", "leave"), Key("?", "more", "help")]  # fmt: skip
        if not self.table.rank or self.row is None:
            return [Key("tab", "section", "section(1)"), *tail]
        verbs = [Key("+", "concur", "concur"), Key("-", "object", "object")]
        if self.muster.seconding.state(self.row.item_id):
            verbs.append(Key("u", "clear", "clear"))
        return [*verbs, Key("enter", "all evidence", "details"),
                Key("tab", "section", "section(1)"), *tail]  # fmt: skip

    def view_shown(self, *, first: bool) -> None:  # noqa: ARG002
        """Another row may be under the cursor."""
        self.show_evidence(keep_place=True)

    def changed_outside(self) -> None:
        """Somebody has decided, or countersigned, meanwhile; our own drafts change no view."""
        self.row = None
        self.count_sections()
        if self.look.section != "draft" and self.is_current:
            self.show_look(self.look)

    # the evidence

    def show_evidence(self, *, keep_place: bool = False) -> None:
        """Another row is under the cursor; a question about the one before is put away."""
        item_id = self.table.cursor_id
        if item_id is None or self.row is None or self.row.item_id != item_id:
            if self.row is not None:
                self.ask.close(answered=False)
            self._load(item_id)
        super().show_evidence(keep_place=keep_place)

    def _load(self, item_id: int | None) -> None:
        self.row = self.dossier = self.around = None
        if item_id is None:
            return
        db = self.muster.db
        self.row = campaigns.second_rows(db, [item_id], self.desk.me).get(item_id)
        try:
            self.dossier = campaigns.item_dossier(db, item_id)
            self.around = campaigns.around(db, self.dossier)
        except MusterError as error:
            self.say(f"its evidence cannot be read: {error}", "error")
        else:
            self.muster.seconding.shown(item_id)

    def evidence(self, row_id: int) -> Callable[[int], list[Line]]:
        """The first person's decision, then what that person saw."""
        return self._made(row_id, full=False)

    def _made(self, row_id: int, *, full: bool) -> Callable[[int], list[Line]]:
        row, dossier, beside = self.row, self.dossier, self.around
        if row is None or dossier is None or row.item_id != row_id:
            return lambda _: []
        now, draft = self.desk.clock(), self.muster.seconding.state(row_id)

        def make(width: int) -> list[Line]:
            few = not full and self.pane.size.height < SHORT_BELOW
            view = View(width, now, full, self.desk.old_days, few, verbs=False)
            head = second_lines.header(row, dossier, draft, view)
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

    def _refusal(self) -> str | None:
        at = self.muster.campaign
        if at is not None and at.closed_at:
            return f"the campaign was closed on {at.closed_at[:10]}: nothing more can be signed"
        if self.muster.read_only:
            return "read only: nothing is said here until % allows it"
        if self.row is None:
            return "there is no decision here to concur with"
        if self.dossier is None:
            return "its evidence cannot be read, so nothing can be said to it"
        return None

    def action_concur(self) -> None:
        """Stage a concurrence at once: the reason is the first person's."""
        if refusal := self._refusal():
            self.say(refusal, "error")
            return
        self._stage("concur", None, "")

    def action_object(self) -> None:
        """Ask why, then stage an objection."""
        if refusal := self._refusal():
            self.say(refusal, "error")
            return
        row = self.row
        assert row is not None
        offered = answers.fitting(self.desk.settings.reasons, OPPOSITE[row.verdict], changes=False)

        def answer(typed: str) -> str | None:
            if self.row is None or self.row.item_id != row.item_id:
                return "another decision is under the cursor now: esc, then object to that one"
            code = typed.strip() if typed.strip() in offered else None
            text = offered[code] if code else typed.strip()
            try:
                campaigns.check_second(SecondDraft("object", code, text, _UNSEEN))
            except UsageError as error:
                return str(error)
            self._stage("object", code, text)
            return None

        self.ask.ask(
            [Span("object", "strong"), say(f" to {CALLED[row.verdict]} of"),
             say(f" {short(row.display_name)}"), Span("   why?", "dim")],
            list(offered.items()), answer, hint="a digit, or your own words",
        )  # fmt: skip
        self.redraw_bars()

    def _stage(self, verdict: SecondVerdict, code: str | None, text: str) -> None:
        assert self.row is not None
        item_id, name = self.row.item_id, short(self.row.display_name)
        was_open = self.muster.seconding.state(item_id) is None
        self.muster.seconding.say(item_id, SecondDraft(verdict, code, text, _UNSEEN))
        self._staged(item_id)
        if was_open:
            self._go_on()
        self.say(f"{verdict}: {name}, a draft   z takes it back")

    def _staged(self, item_id: int) -> None:
        self.table.forget([item_id])
        self.show_evidence(keep_place=True)
        self.set_timer(SLOW_S + 0.02, lambda: self._mark_slow(item_id))

    def _mark_slow(self, item_id: int) -> None:
        if self.muster.writer.pending(item_id):
            self.table.forget([item_id])

    def _go_on(self) -> None:
        """To the next row without a word of mine, going round once."""
        rank, here, said = self.table.rank, self.table.cursor, self.muster.seconding.state
        rows = campaigns.second_rows(self.muster.db, rank[here + 1 : here + 50], self.desk.me)
        for place in range(here + 1, min(len(rank), here + 50)):
            row = rows.get(rank[place])
            if row and not said(row.item_id) and second_lines.mine(row, self.desk.me) is None:
                self.table.go_to(place)
                return

    def action_clear(self) -> None:
        """Take the draft under the cursor back."""
        if self.muster.read_only:
            self.say("read only: nothing is taken back here until % allows it", "error")
        elif self.row is None or not self.muster.seconding.clear(self.row.item_id):
            self.say("nothing is drafted here")
        else:
            self._staged(self.row.item_id)
            self.say(f"draft taken back: {short(self.row.display_name)}   z brings it back")

    def action_undo(self) -> None:
        """Take the last act back and show where it was."""
        self._step(self.muster.seconding.undo, "undone", "Z does it again")

    def action_redo(self) -> None:
        """Do again what was undone last."""
        self._step(self.muster.seconding.redo, "done again", "z takes it back")

    def _step(self, step: Callable[[], Act[SecondDraft | None]], word: str, then: str) -> None:
        if self.muster.read_only:
            self.say("read only: nothing is taken back here until % allows it", "error")
            return
        try:
            act = step()
        except MusterError as error:
            self.say(str(error))
            return
        (item_id,) = act.after
        self.table.go_to_id(item_id)
        self._staged(item_id)
        self.say(f"{word}   {then}")

    def written(self, ids: Sequence[int], error: MusterError | None) -> None:
        """The disk has a job, or has refused it: then the rows show again what was before."""
        if error is not None:
            self.say(f"not kept: {error}", "error")
        self.table.forget(ids)
        self.show_evidence(keep_place=True)
        self.look_for_changes()

    # the end

    def action_sign(self) -> None:
        """Wait for the disk, freeze what is drafted, and show it: my decisions too."""
        if self.muster.read_only:
            self.say("read only: nothing is signed here until % allows it", "error")
        elif self.muster.campaign is None:
            self.say("no campaign is open: there is nothing to sign")
        else:
            self.freeze(self.muster.campaign, self._signed)

    def _signed(self, signed: bool | None) -> None:
        if signed:
            self.muster.sitting.forget()
            self.muster.seconding.forget()
        self.row = None
        self.show_look(self.look)
        self.count_sections()


SCREEN = SecondScreen
