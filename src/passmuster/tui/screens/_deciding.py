"""The verbs of the main screen: from a key to a staged draft, and back again.

Nothing here stops any access: it stages drafts, which only a sign-off makes decisions.
"""

from collections.abc import Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns, inventory
from passmuster.errors import UsageError
from passmuster.model import Attention, Change, Draft, Verdict
from passmuster.text import Json
from passmuster.tui import answers
from passmuster.tui.dossier import candidates, change_words, rotatable
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.screens._marking import Marking
from passmuster.tui.sitting import OwnDraft
from passmuster.tui.words import credential_named

STOPS = ("revoke", "disable")
MOST_DIGITS = 9


class Deciding(Marking):
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
    ]  # fmt: skip

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
            if elsewhere := self._moved_on(ids):
                return elsewhere
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
        how = f"marked by hand, {f'filter {self.look.filter}' if self.look.filter else 'no filter'}"
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
            self._rotate(self._targets(), found[0])
        else:
            self._ask_which(self._targets(), found)

    def _ask_which(self, ids: list[int], found: list[Json]) -> None:
        options = [(str(n), credential_named(row)) for n, row in enumerate(found[:MOST_DIGITS], 1)]

        def answer(typed: str) -> str | None:
            if typed not in dict(options):
                return "press the digit of the credential, or esc"
            if elsewhere := self._moved_on(ids):
                return elsewhere
            self._rotate(ids, found[int(typed) - 1])
            return None

        more = f"  ({len(found) - MOST_DIGITS} more are not shown)" if len(found) > 9 else ""
        self.ask.ask(
            [Span("approve + rotate", "strong"), say(f"  {self._called()}   which?{more}")],
            options, answer, hint="a digit",
        )  # fmt: skip
        self.redraw_bars()

    def _rotate(self, ids: list[int], row: Json) -> None:
        self._ask_reason("approve", ids, (Change("rotate", row["uid"]),))

    # owner

    def action_owner(self) -> None:
        """Name who answers for the item: one of the candidates, or anybody in the registers."""
        refusal = self._refusal()
        if refusal or self.for_marked:
            self.say(refusal or "an owner is named for one item at a time", "error")
            return
        assert self.dossier is not None
        item_id = self._targets()[0]
        found = candidates(self.dossier, self.desk.clock())[:MOST_DIGITS]
        options = [(str(n), f"{one.who}  {one.why}") for n, one in enumerate(found, 1)]

        def answer(typed: str) -> str | None:
            chosen = typed.strip()
            if not chosen:
                return "type an e-mail address, a name from the registers, or a team"
            one = found[int(chosen) - 1] if chosen in dict(options) else None
            who, why = (one.who, one.brief) if one else (chosen, None)
            try:
                campaigns.check_own(self.muster.db, who)
            except UsageError as error:
                return str(error)
            self._ask_hand_over(item_id, who, why)
            return None

        self.ask.ask(
            [Span("owner", "strong"), say(f"  {self._called()}   who answers for it?")],
            options, answer, hint="an e-mail address or a team",
        )  # fmt: skip
        self.redraw_bars()

    def _ask_hand_over(self, item_id: int, who: str, why: str | None) -> None:
        email = inventory.email_of(self.muster.db, who)
        if email is None or email == self.desk.me:
            self._own(item_id, OwnDraft(who, why, reassign=False), None)
            return

        def answer(typed: str) -> str | None:
            if typed not in ("y", "n", ""):
                return "y hands it over, n or enter keeps it with you"
            if elsewhere := self._moved_on([item_id]):
                return elsewhere
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
