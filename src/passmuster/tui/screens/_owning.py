"""Who answers for it: candidates with their evidence by a digit, or any name of the registers."""

from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.errors import UsageError
from passmuster.model import Attention, Draft
from passmuster.text import plural
from passmuster.tui.lines import Line, Span, say
from passmuster.tui.screens._deciding import Deciding
from passmuster.tui.sitting import OwnDraft


class Owning(Deciding):
    """Naming owners, and handing items to them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("o", "owner", "owner", id="owner",
                tooltip="name who answers for it, and hand it to them if you like"),
        Binding("O", "take_back('owner')", "not owner", id="owner.back",
                tooltip="take drafted owners back"),
    ]  # fmt: skip

    def action_owner(self) -> None:
        """Name who answers for the items: a candidate, or anybody in the registers."""
        if refusal := self._refusal():
            self.say(refusal, "error")
            return
        ids = self._targets()
        self.load_item()
        # of many the one under the cursor speaks for all, if it is one of them
        known = self.dossier is not None and self.dossier_of in ids
        found = campaigns.candidates(self.muster.db, self.dossier) if known else []  # type: ignore[arg-type]
        options = [(str(n), f"{one.who}  {one.why}") for n, one in enumerate(found, 1)]

        def answer(typed: str) -> str | None:
            chosen = typed.strip()
            if not chosen:
                return "type an e-mail address, a name from the registers, or a team"
            if elsewhere := self._moved_on(ids):
                return elsewhere
            one = found[int(chosen) - 1] if chosen in dict(options) else None
            who, why = (one.who, one.brief) if one else (chosen, None)
            try:
                campaigns.check_own(self.muster.db, who)
            except UsageError as error:
                return str(error)
            self._ask_hand_over(ids, who, why)
            return None

        self.ask.ask(
            [Span("owner", "strong"), say(f"  {self._what(ids)}   who answers for it?")],
            options, answer, hint="an e-mail address or a team",
        )  # fmt: skip
        self.redraw_bars()

    def _ask_hand_over(self, ids: list[int], who: str, why: str | None) -> None:
        from passmuster import inventory

        email = inventory.email_of(self.muster.db, who)
        if len(ids) == 1 and (email is None or email == self.desk.me):
            self._own(ids, OwnDraft(who, why, reassign=False), None)
            return
        options = [("n", f"no, I decide {'it' if len(ids) == 1 else 'them'}")]
        if email is not None and email != self.desk.me:
            options.insert(0, ("y", "yes, hand over"))

        def answer(typed: str) -> str | None:
            if typed not in (*dict(options), ""):
                return "y hands it over, n or enter keeps it with you"
            if elsewhere := self._moved_on(ids):
                return elsewhere
            if typed == "y" and email is not None:
                try:
                    campaigns.check_hand_over(self.muster.db, ids, email)
                except UsageError as error:
                    return f"{error}: n"
            self._confirm(ids, OwnDraft(who, why, reassign=typed == "y"), email)
            return None

        question: Line = [Span("owner", "strong"), say(f"  {who}")]
        if len(ids) > 1:
            question.append(say(f" of {plural(len(ids), 'item')}", "strong"))
        if len(options) > 1:
            question.append(say(f"   shall {email} decide {'it' if len(ids) == 1 else 'them'}"
                                " instead of you?"))  # fmt: skip
        self.ask.ask(question, options, answer, hint="y or n" if len(options) > 1 else "n")
        self.redraw_bars()

    def _confirm(self, ids: list[int], own: OwnDraft, email: str | None) -> None:
        """Of many the number is asked for, with what becomes of verdicts that are drafted."""
        if len(ids) == 1:
            self._own(ids, own, email)
            return
        state = self.muster.sitting.state
        lost = sum(1 for i in ids if (d := state(i).draft) and d.verdict != "abstain")
        what = f"owner {own.owner} of {len(ids)} items"
        if own.reassign and lost:
            what += f", and {plural(lost, 'drafted verdict')} of yours gone"
        self._ask_count(what, ids, lambda: self._own(ids, own, email))

    def _own(self, ids: list[int], own: OwnDraft, email: str | None) -> None:
        was_open = self._is_open(self.table.cursor_id)
        what, draft = self._what(ids), None
        if own.reassign:
            draft = Draft("abstain", None, f"handed over to {email}", Attention(None, "", False))
        self.muster.sitting.own(ids, own, draft)
        handed = ", who is to decide" if own.reassign else ""
        done = f"owner {own.owner}{handed}: {what}, a draft   z takes it back"
        self._acted(ids, done, was_open=own.reassign and was_open)
