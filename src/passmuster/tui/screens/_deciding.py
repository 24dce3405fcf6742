"""The verbs of the main screen: from a key to a staged draft, and back again.

Nothing here stops any access: it stages drafts, which only a sign-off makes decisions.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.errors import UsageError
from passmuster.model import Attention, Change, Draft, Verdict
from passmuster.text import Json
from passmuster.tui import answers, editor
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.parts import change_words
from passmuster.tui.screens._grouping import Grouping
from passmuster.tui.sitting import State

MOST_DIGITS = 9


class Deciding(Grouping):
    """What the review screen does to the item under the cursor, or to the marked ones."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "verb('approve')", "approve", id="approve",
                tooltip="access stays as it is; draft, needs your signature"),
        Binding("r", "verb('revoke')", "revoke", id="revoke",
                tooltip="access is to be taken away; draft, nothing stops before then"),
        Binding("d", "verb('disable')", "disable", id="disable",
                tooltip="access is to be switched off; draft, nothing stops before then"),
        Binding("x", "verb('abstain')", "abstain", id="abstain",
                tooltip="you cannot judge it; it still reads as undecided by you"),
        Binding("A", "take_back('approve')", "not approve", id="approve.back",
                tooltip="take drafted approvals back"),
        Binding("R", "take_back('revoke')", "not revoke", id="revoke.back",
                tooltip="take drafted revocations back"),
        Binding("D", "take_back('disable')", "not disable", id="disable.back",
                tooltip="take drafted switching off back"),
        Binding("X", "take_back('abstain')", "not abstain", id="abstain.back",
                tooltip="take drafted abstentions back"),
        Binding("e", "edit_reason", "edit the reason", id="reason.edit",
                tooltip="write the reason of this draft in $EDITOR"),
        Binding("exclamation_mark", "stop_now", "stop now", id="stop", show=False,
                key_display="!"),
    ]  # fmt: skip

    # verdicts

    def action_verb(self, verdict: Verdict) -> None:
        """Stage *verdict* after asking for the reason."""
        if refusal := self._refusal():
            self.say(refusal, "error")
            return
        ids = self._targets()
        # who abstains decides nothing
        if verdict != "abstain" and (too_many := self._too_many(ids)):
            self.say(too_many, "error")
            self.for_marked, self.marked_how = False, ""
        elif len(ids) > 1:
            self._ask_count(f"{verdict} {len(ids)} items", ids,
                            lambda: self._ask_reason(verdict, ids, ()))  # fmt: skip
        else:
            self._ask_reason(verdict, ids, ())

    def _ask_reason(
        self, verdict: Verdict, ids: list[int], changes: tuple[Change, ...],
        until: str | None = None,
    ) -> None:  # fmt: skip
        ends = answers.until_words(until, self.desk.clock()) if until else ""
        question: Line = [Span(f"{verdict} {ends}".rstrip(), "strong")]
        for change in changes:
            assert self.dossier is not None
            question.append(say(f" + {change_words(self.dossier, change)}", "strong"))
        question += [say(f"  {self._what(ids)}"), Span("   why?", "dim")]

        reasons = self.desk.settings.reasons
        offered = answers.fitting(reasons, verdict, changes=bool(changes))

        def answer(typed: str) -> str | None:
            if elsewhere := self._moved_on(ids):
                return elsewhere
            if typed.strip() in reasons.keys() - offered.keys():
                return f"“{reasons[typed.strip()]}” is no reason to {verdict}"
            try:
                said = answers.understand(typed, offered, self.desk.clock())
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
            question, list(offered.items()), answer,
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
        was_open, how = self._is_open(self.table.cursor_id), self.marked_words()
        words = draft.verdict + (f" until {draft.until}" if draft.until else "")
        if draft.changes and self.dossier is not None:
            words += "".join(f" + {change_words(self.dossier, c)}" for c in draft.changes)
        done = f"{words}: {self._what(ids)}, a draft   z takes it back"
        self.muster.sitting.decide(ids, draft, how)
        self._acted(ids, done, was_open=was_open)

    # taking back, the reason, and stopping at once

    def action_clear(self) -> None:
        """Take drafts back; where there is none, bring back what was signed and is not sent yet."""
        ids, nothing, signed = self._targets(), State(), {}
        if not any(self.muster.sitting.state(i) != nothing for i in ids):
            db, me = self.muster.db, self.desk.me
            signed = {i: found for i in ids if (found := campaigns.said_last(db, i, me))}
        if not signed or not self.muster.syncing.runs:
            super().action_clear()
        elif refusal := self._refusal():
            self.say(refusal, "error")
        else:
            self._bring_back(signed)

    def _bring_back(self, signed: Mapping[int, tuple[Draft, int]]) -> None:
        """Nothing signed is ever deleted: both statements go, and the later one counts."""
        from passmuster import tlog

        waiting = {i: draft for i, (draft, entry) in signed.items()
                   if tlog.waits(self.muster.db, entry)}  # fmt: skip
        if not waiting:
            self.say("signed and sent: decide it anew, and that supersedes it")
            return
        self.muster.syncing.hold()
        self.for_marked = False
        act = self.muster.sitting.again(waiting)
        what = self._what(list(waiting))
        self._after(act, f"a draft again: {what}; what was signed stays in the log, and your next"
                         " sign-off supersedes it   u: leave it as signed")  # fmt: skip

    def action_take_back(self, what: str) -> None:
        """Take drafts of one verdict (or drafted owners) back, and leave the others."""
        if not self._can_take_back():
            return
        state, ids = self.muster.sitting.state, self._targets()
        if what == "owner":
            found = [i for i in ids if state(i).own]
            act = self.muster.sitting.clear(found, draft=False)
        else:
            found = [i for i in ids if (d := state(i).draft) and d.verdict == what]
            act = self.muster.sitting.clear(found, own=False)
        if act is None:
            self.say(f"no {what} is drafted here" if ids else "there is no item here")
            return
        self.for_marked = False
        self._after(act, f"{what} taken back: {self._what(list(act.after))}   z brings it back")

    def action_edit_reason(self) -> None:
        """Write the reason of the draft under the cursor in $EDITOR."""
        if refusal := self._refusal():
            self.say(refusal, "error")
            return
        ids = [self.table.cursor_id or 0]
        held = self.muster.sitting.state(ids[0]).draft
        if held is None:
            self.say("decide first: e then edits the reason of the draft")
            return
        typed = editor.edited(self.app, held.reason_text, f"{held.verdict} {self._called()}")
        if typed is None or typed == held.reason_text:
            self.say("the reason is as it was" if typed is not None else editor.NONE)
            return
        draft = held._replace(reason_code=None, reason_text=typed)
        try:
            self._check(ids, draft)
        except UsageError as error:
            self.say(f"{error}; the reason is as it was", "error")
            return
        self.muster.sitting.decide(ids, draft)
        self.staged_soon(ids)
        self.say(f"reason written: {self._called()}   z takes it back")

    def action_stop_now(self) -> None:
        """Say what takes the place of a live stop, which does not exist yet."""
        self.say("muster stops nothing by itself yet: r, then $, and it gives the platform's own"
                 " command", "error")  # fmt: skip
