"""The verbs of the main screen: from a key to a staged draft, and back again.

Nothing here stops any access: it stages drafts, which only a sign-off makes decisions.
"""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns, inventory
from passmuster.errors import MusterError, UsageError
from passmuster.model import Attention, Change, Draft, Verdict
from passmuster.text import Json, plural
from passmuster.tui import answers
from passmuster.tui.dossier import candidates, change_words, rotatable
from passmuster.tui.lines import Line, Role, Span, say
from passmuster.tui.screens._base import MusterScreen
from passmuster.tui.sitting import Act, OwnDraft
from passmuster.tui.widgets.ask_bar import AskBar
from passmuster.tui.widgets.line_table import LineTable
from passmuster.tui.words import credential_named

STOPS = ("revoke", "disable")
LOOK_AHEAD = 500
"""Items asked for at a time when looking for the next undecided one."""
MOST_DIGITS = 9


class Deciding(MusterScreen[None]):
    """What the review screen does to the item under the cursor, or to the marked ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "verb('approve')", "approve", id="approve",
                tooltip="access stays as it is; draft, needs your signature"),
        Binding("r", "verb('revoke')", "revoke", id="revoke",
                tooltip="access is to be taken away; draft, nothing stops before then"),
        Binding("d", "verb('disable')", "disable", id="disable",
                tooltip="access is to be switched off; draft, nothing stops before then"),
        Binding("t", "rotate", "rotate", id="rotate",
                tooltip="approve, but one credential is to be replaced"),
        Binding("x", "verb('abstain')", "abstain", id="abstain",
                tooltip="you cannot judge it; it still reads as undecided by you"),
        Binding("o", "owner", "owner", id="owner",
                tooltip="name who answers for it, and hand it to them if you like"),
        Binding("u", "clear", "clear draft", id="clear",
                tooltip="take the draft of this item back"),
        Binding("z", "undo", "undo", id="undo", tooltip="take your last act back"),
        Binding("Z", "redo", "redo", id="redo", tooltip="do it again"),
        Binding("space", "mark", "mark", id="mark", tooltip="mark for a verb on many"),
        Binding("semicolon", "marked", "verb on marked", id="marked", key_display=";",
                tooltip="the next verb goes for all that is marked"),
    ]  # fmt: skip

    dossier: Json | None
    expression: str

    def __init__(self) -> None:
        super().__init__()
        self.for_marked = False

    # what the whole screen gives

    @property
    def table(self) -> LineTable:
        """The queue."""
        raise NotImplementedError

    @property
    def ask(self) -> AskBar:
        """The question at the bottom."""
        raise NotImplementedError

    def say(self, words: str, role: Role = "plain") -> None:
        """Tell the person something."""
        raise NotImplementedError

    def redraw_bars(self) -> None:
        """Draw the lines around the queue."""
        raise NotImplementedError

    def staged_soon(self, ids: Sequence[int]) -> None:
        """Draw these rows as staged."""
        raise NotImplementedError

    def drop_filter(self) -> None:
        """Show the whole queue."""
        raise NotImplementedError

    # which items

    def _targets(self) -> list[int]:
        """The marked items after `;`, else the one under the cursor, in the order of the view."""
        if self.for_marked:
            marks = self.table.marks
            here = [i for i in self.table.rank if i in marks]
            return here + sorted(marks - set(here))
        return [] if self.table.cursor_id is None else [self.table.cursor_id]

    def _refusal(self) -> str | None:
        """Why nothing can be decided now."""
        closed = self.desk.campaign.closed_at
        if closed:
            return f"the campaign was closed on {closed[:10]}: nothing more can be decided"
        if not self._targets():
            return "there is no item here to decide"
        return None

    def _called(self) -> str:
        return str(self.dossier["identity"]["display_name"]) if self.dossier else ""

    def _what(self, ids: Sequence[int]) -> str:
        return self._called() if len(ids) == 1 and not self.for_marked else plural(len(ids), "item")

    # verdicts

    def action_verb(self, verdict: Verdict) -> None:
        """Stage *verdict* after asking for the reason."""
        if refusal := self._refusal():
            self.say(refusal, "error")
            return
        ids = self._targets()
        if len(ids) > 1 and verdict in STOPS:
            self._ask_count(verdict, ids)
        else:
            self._ask_reason(verdict, ids, ())

    def _ask_count(self, verdict: Verdict, ids: list[int]) -> None:
        """Stops of many are confirmed by typing how many; a single key would be too easy."""

        def answer(typed: str) -> str | None:
            if typed.strip() != str(len(ids)):
                return f"that is not {len(ids)}; type {len(ids)}, or esc to leave them alone"
            self._ask_reason(verdict, ids, ())
            return None

        self.ask.ask(
            [Span(f"{verdict} {len(ids)} items", "strong"), say(f": {self._few(ids)}")],
            (), answer, hint=f"type {len(ids)} to go on",
        )  # fmt: skip
        self.redraw_bars()

    def _few(self, ids: Sequence[int]) -> str:
        rows = campaigns.rows(self.muster.db, ids[:3])
        more = f" and {len(ids) - 3:,} more" if len(ids) > 3 else ""
        return ", ".join(row.display_name for row in rows) + more

    def _ask_reason(
        self, verdict: Verdict, ids: list[int], changes: tuple[Change, ...],
        until: str | None = None,
    ) -> None:  # fmt: skip
        question: Line = [Span(f"{verdict}{f' until {until}' if until else ''}", "strong")]
        for change in changes:
            assert self.dossier is not None
            question.append(say(f" + {change_words(self.dossier, change)}", "strong"))
        question += [say(f"  {self._what(ids)}"), Span("   why?", "dim")]

        def answer(typed: str) -> str | None:
            try:
                said = answers.understand(typed, self.desk.settings.reasons, self.desk.clock())
                if said.until and not said.text and until is None:
                    self._ask_reason(verdict, ids, changes, said.until)
                    return None
                draft = Draft(
                    verdict, said.code, said.text, Attention(None, "", False),
                    said.until or until, changes,
                )  # fmt: skip
                self._check(ids, draft)
            except UsageError as error:
                return str(error)
            self._stage(ids, draft)
            return None

        ending = ", `until 90d` for an end" if verdict == "approve" else ""
        self.ask.ask(
            question, list(self.desk.settings.reasons.items()), answer,
            hint=f"a digit, or your own words{ending}",
        )  # fmt: skip
        self.redraw_bars()

    def _check(self, ids: Sequence[int], draft: Draft) -> None:
        """Say at once what the writer would refuse; of many, the riskiest speaks for all."""
        now = self.desk.clock()
        if len(ids) == 1 and self.dossier is not None:
            campaigns.check_draft(self.dossier, draft, now)
            return
        risk = max(row.risk for row in campaigns.rows(self.muster.db, ids))
        whole: Json = {"risk": risk, "credentials": [], "grants": [], "trusts": []}
        campaigns.check_draft(whole, draft, now)

    def _stage(self, ids: list[int], draft: Draft) -> None:
        bulk, was_open = self.for_marked, self._is_open(self.table.cursor_id)
        how = f"marked by hand, {f'filter {self.expression}' if self.expression else 'no filter'}"
        words = draft.verdict + (f" until {draft.until}" if draft.until else "")
        if draft.changes and self.dossier is not None:
            words += "".join(f" + {change_words(self.dossier, c)}" for c in draft.changes)
        done = f"{words}: {self._what(ids)}, a draft   z takes it back"
        self.muster.sitting.decide(ids, draft, how)
        if bulk:
            self.for_marked = False
            self.table.marks.clear()
        self.staged_soon(ids)
        if was_open and not self._is_open(self.table.cursor_id):
            self.go_on(self.table.cursor + 1, done)
        else:
            self.say(done)

    # onwards

    def _is_open(self, item_id: int | None) -> bool:
        return item_id is not None and bool(self._open_among([item_id]))

    def _open_among(self, ids: Sequence[int]) -> list[int]:
        """Those of *ids* without a draft and without a signed decision of mine."""
        staged = self.muster.sitting.staged
        marks = ",".join(map(str, ids))
        open_ = {
            row[0]
            for row in self.muster.db.execute(
                f"SELECT id FROM item WHERE id IN ({marks}) AND state = 'open'"
            )
        }
        out = []
        for item_id in ids:
            ahead = staged(item_id)
            if item_id in open_ if ahead is None else ahead.draft is None:
                out.append(item_id)
        return out

    def go_on(self, place: int, words: str) -> None:
        """Put the cursor on the next undecided item from *place* on, going round once."""
        rank = self.table.rank
        for start in [*range(place, len(rank), LOOK_AHEAD), *range(0, place, LOOK_AHEAD)]:
            found = self._open_among(rank[start : start + LOOK_AHEAD])
            if found:
                self.table.go_to_id(found[0])
                break
        self.say(words)

    # rotation

    def action_rotate(self) -> None:
        """Approve, with one credential to be replaced; asks which if there are several."""
        if refusal := self._refusal():
            self.say(refusal, "error")
            return
        if self.for_marked:
            self.say("rotate goes for one item at a time: which key must be chosen", "error")
            return
        assert self.dossier is not None
        found = rotatable(self.dossier)
        if not found:
            self.say("nothing to rotate: it has no live credential that holds a secret", "error")
        elif len(found) == 1:
            self._rotate(found[0])
        else:
            self._ask_which(found)

    def _ask_which(self, found: list[Json]) -> None:
        options = [
            (str(n), credential_named(row))
            for n, row in enumerate(found[:MOST_DIGITS], 1)
        ]

        def answer(typed: str) -> str | None:
            if typed not in dict(options):
                return "press the digit of the credential, or esc"
            self._rotate(found[int(typed) - 1])
            return None

        more = f"  ({len(found) - MOST_DIGITS} more are not shown)" if len(found) > 9 else ""
        self.ask.ask(
            [Span("approve + rotate", "strong"), say(f"  {self._called()}   which?{more}")],
            options, answer, hint="a digit",
        )  # fmt: skip
        self.redraw_bars()

    def _rotate(self, row: Json) -> None:
        self._ask_reason("approve", self._targets(), (Change("rotate", row["uid"]),))

    # owner

    def action_owner(self) -> None:
        """Name who answers for the item: one of the candidates, or anybody in the registers."""
        refusal = self._refusal()
        if refusal or self.for_marked:
            self.say(refusal or "an owner is named for one item at a time", "error")
            return
        assert self.dossier is not None
        found = candidates(self.dossier, self.desk.clock())[:MOST_DIGITS]
        options = [(str(n), f"{who}  {why}") for n, (who, why) in enumerate(found, 1)]

        def answer(typed: str) -> str | None:
            chosen = typed.strip()
            if not chosen:
                return "type an e-mail address, a name from the registers, or a team"
            who, why = found[int(chosen) - 1] if chosen in dict(options) else (chosen, None)
            try:
                campaigns.check_own(self.muster.db, who)
            except UsageError as error:
                return str(error)
            self._ask_hand_over(who, why)
            return None

        self.ask.ask(
            [Span("owner", "strong"), say(f"  {self._called()}   who answers for it?")],
            options, answer, hint="an e-mail address or a team",
        )  # fmt: skip
        self.redraw_bars()

    def _ask_hand_over(self, who: str, why: str | None) -> None:
        email = inventory.email_of(self.muster.db, who)
        item_id = self._targets()[0]
        if email is None or email == self.desk.me:
            self._own(item_id, OwnDraft(who, why, reassign=False), None)
            return

        def answer(typed: str) -> str | None:
            if typed not in ("y", "n", ""):
                return "y hands it over, n or enter keeps it with you"
            self._own(item_id, OwnDraft(who, why, reassign=typed == "y"), email)
            return None

        self.ask.ask(
            [Span("owner", "strong"), say(f"  {who}"),
             say(f"   shall {email} decide it instead of you?")],
            [("y", "yes, hand it over"), ("n", "no, I decide it")], answer, hint="y or n",
        )  # fmt: skip
        self.redraw_bars()

    def _own(self, item_id: int, own: OwnDraft, email: str | None) -> None:
        was_open, place = self._is_open(item_id), self.table.cursor
        name = self._called()
        draft = None
        if own.reassign:
            draft = Draft("abstain", None, f"handed over to {email}", Attention(None, "", False))
        self.muster.sitting.own(item_id, own, draft)
        self.staged_soon([item_id])
        handed = ", who is to decide it" if own.reassign else ""
        done = f"owner {own.owner}{handed}: {name}, a draft   z takes it back"
        if own.reassign and was_open:
            self.go_on(place + 1, done)
        else:
            self.say(done)

    # taking back

    def action_clear(self) -> None:
        """Take the drafts of the items back."""
        ids = self._targets()
        act = self.muster.sitting.clear(ids)
        if act is None:
            self.say("nothing is drafted here" if ids else "there is no item here")
            return
        self.for_marked = False
        self._after(act, f"draft taken back: {self._what(list(act.after))}   z brings it back")

    def action_undo(self) -> None:
        """Take the last act back and show where it was."""
        self._step(self.muster.sitting.undo, "undone", "Z does it again")

    def action_redo(self) -> None:
        """Do again what was undone last."""
        self._step(self.muster.sitting.redo, "done again", "z takes it back")

    def _step(self, step: Callable[[], Act], word: str, then: str) -> None:
        try:
            act = step()
        except MusterError as error:
            self.say(str(error))
            return
        ids = list(act.after)
        self._after(act, f"{word}: {act.label}, {self._few(ids)}   {then}")

    def _after(self, act: Act, words: str) -> None:
        ids = list(act.after)
        self.table.go_to_id(ids[0])
        self.staged_soon(ids)
        self.say(words)

    # marks

    def action_mark(self) -> None:
        """Mark the item, or take its mark away."""
        self.table.toggle_mark()
        self.redraw_bars()

    def action_marked(self) -> None:
        """The next verb goes for all that is marked."""
        if not self.table.marks:
            self.say("nothing is marked: space marks an item")
            return
        self.for_marked = True
        hidden = len(self.table.marks - set(self.table.rank))
        beside = f", {hidden} of them not in this view" if hidden else ""
        self.say(f"what for all {len(self.table.marks)} marked{beside}?   esc: nothing", "strong")

    def action_back(self) -> None:
        """Step back: from the question, from `;`, from the marks, from the filter."""
        if self.ask.is_open:
            self.ask.close(answered=False)
        elif self.has_class("-filtering") or (self.expression and not self.table.marks):
            self.drop_filter()
        elif self.for_marked:
            self.for_marked = False
            self.say("")
        elif self.table.marks:
            self.table.marks.clear()
            self.table.forget()
            self.say("")
        else:
            self.say("")

    def on_ask_bar_closed(self, message: AskBar.Closed) -> None:
        """The queue has the keys again."""
        self.table.focus()
        if not message.answered:
            self.for_marked = False
            self.say("left as it was")
        self.redraw_bars()
