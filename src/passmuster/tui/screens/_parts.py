"""Changes to parts: keep the account, but rotate this key, revoke that one, narrow this right."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.model import Change, ChangeVerb
from passmuster.tui import parts
from passmuster.tui.lines import Span, say
from passmuster.tui.parts import Part
from passmuster.tui.screens._owning import Owning

MOST_DIGITS = 9


class Parts(Owning):
    """The verbs that go for a part of the item."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "rotate", "rotate", id="rotate",
                tooltip="approve, but credentials are to be replaced"),
        Binding("g", "right_size", "right-size", id="right_size",
                tooltip="approve, but a permission is to be narrowed"),
        Binding("p", "parts", "parts", id="parts",
                tooltip="approve, but some of its keys or permissions are to go"),
        Binding("T", "drop_changes('rotate')", "not rotate", id="rotate.back",
                tooltip="take drafted rotations back, keep the rest of the draft"),
        Binding("G", "drop_changes('right_size')", "not right-size", id="right_size.back",
                tooltip="take drafted narrowing back, keep the rest of the draft"),
    ]  # fmt: skip

    def _one_item(self, verb: str) -> bool:
        """Whether a part of one item can be chosen now; says why not."""
        refusal = self._refusal()
        if refusal is None and self.for_marked:
            refusal = f"{verb} goes for one item at a time: its parts must be chosen"
        if refusal is not None:
            self.say(refusal, "error")
        return refusal is None

    def action_rotate(self) -> None:
        """Approve, with credentials to be replaced; asks which if there are several."""
        if not self._one_item("rotate"):
            return
        assert self.dossier is not None
        found = parts.rotatable(self.dossier)
        if not found:
            self.say("nothing to rotate: it has no live credential that holds a secret", "error")
        elif len(found) == 1:
            self._with_changes(self._targets(), [Change("rotate", found[0].uid)])
        else:
            self._choose("rotate", found, lambda ids, chosen: self._with_changes(
                ids, [Change("rotate", part.uid) for part in chosen]
            ))  # fmt: skip

    def action_right_size(self) -> None:
        """Approve, with permissions to be narrowed; asks which, and to what."""
        if not self._one_item("right-size"):
            return
        assert self.dossier is not None
        found = parts.grants(self.dossier)
        if not found:
            self.say("nothing to right-size: no permission of it is known", "error")
            return
        self._choose("right-size", found, self._ask_to_what)

    def _ask_to_what(self, ids: list[int], chosen: Sequence[Part]) -> None:
        def answer(typed: str) -> str | None:
            if elsewhere := self._moved_on(ids):
                return elsewhere
            if not typed.strip():
                return "say what it should be instead: read only, the one bucket, …"
            self._with_changes(
                ids, [Change("right_size", part.uid, typed.strip()) for part in chosen]
            )
            return None

        names = ", ".join(part.name for part in chosen)
        self.ask.ask([Span("right-size", "strong"), say(f"  {names}   to what?")], (), answer,
                     hint="read only, only s3:GetObject on one bucket …")  # fmt: skip
        self.redraw_bars()

    def action_parts(self) -> None:
        """Approve, with some parts to be revoked or switched off."""
        if not self._one_item("a change of parts"):
            return
        assert self.dossier is not None
        found = parts.all_of(self.dossier)
        if not found:
            self.say("it has no part that is known: decide the whole item", "error")
            return
        self._choose("keep it, but stop", found, self._ask_how)

    def _ask_how(self, ids: list[int], chosen: Sequence[Part]) -> None:
        verbs: dict[str, ChangeVerb] = {"1": "revoke", "2": "disable"}

        def answer(typed: str) -> str | None:
            if elsewhere := self._moved_on(ids):
                return elsewhere
            if typed not in verbs:
                return "1 takes it away, 2 switches it off"
            self._with_changes(ids, [Change(verbs[typed], part.uid) for part in chosen])
            return None

        names = ", ".join(part.name for part in chosen)
        self.ask.ask([say(names, "strong")],
                     [("1", "revoke: take it away"), ("2", "disable: switch it off")], answer,
                     hint="a digit")  # fmt: skip
        self.redraw_bars()

    def _choose(
        self, verb: str, found: Sequence[Part],
        then: Callable[[list[int], Sequence[Part]], None],
    ) -> None:  # fmt: skip
        """Ask which of *found* are meant: a digit, or `+` and several."""
        ids = self._targets()
        shown = {str(n): part for n, part in enumerate(found[:MOST_DIGITS], 1)}

        def answer(typed: str) -> str | None:
            if elsewhere := self._moved_on(ids):
                return elsewhere
            chosen = parts.chosen(typed, shown, found)
            if isinstance(chosen, str):
                return chosen
            then(ids, chosen)
            return None

        more = f"  ({len(found) - MOST_DIGITS} more: type a part of the name)" * (
            len(found) > MOST_DIGITS
        )
        self.ask.ask(
            [Span(verb, "strong"), say(f"  {self._called()}   which?{more}")],
            [(digit, f"{part.what} {part.name}") for digit, part in shown.items()], answer,
            hint="a digit; +12 for several; all",
        )  # fmt: skip
        self.redraw_bars()

    def _with_changes(self, ids: list[int], wanted: Sequence[Change]) -> None:
        """Ask why, for an approval with *wanted* beside the changes that are drafted already."""
        held = self.muster.sitting.state(ids[0]).draft
        kept = held.changes if held is not None and held.verdict == "approve" else ()
        targets = {change.target for change in wanted}
        merged = (*(c for c in kept if c.target not in targets), *wanted)
        until = held.until if held is not None and held.verdict == "approve" else None
        self._ask_reason("approve", ids, merged, until)

    def action_drop_changes(self, verb: ChangeVerb) -> None:
        """Take the drafted changes of one verb back; the approval stays."""
        if not self._one_item("taking a change back"):
            return
        ids = self._targets()
        held = self.muster.sitting.state(ids[0]).draft
        if held is None or not any(c.verb == verb for c in held.changes):
            self.say(f"no {verb.replace('_', '-')} is drafted here")
            return
        kept = tuple(c for c in held.changes if c.verb != verb)
        assert self.dossier is not None
        draft = held._replace(changes=kept)
        campaigns.check_draft(self.dossier, draft, self.desk.clock())
        self.muster.sitting.decide(ids, draft)
        self.staged_soon(ids)
        self.say(f"{verb.replace('_', '-')} taken back: {self._called()}   z brings it back")
