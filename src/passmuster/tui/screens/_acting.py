"""Which rows an act is on, how many one act may be on, how it is taken back, and where the cursor
goes after it: for one's own decisions and for what is said to those of others.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.campaigns import Campaign
from passmuster.errors import MusterError
from passmuster.text import Json, plural
from passmuster.tui.lines import say, short
from passmuster.tui.screens._freezing import Freezing
from passmuster.tui.staged import Act, Staged
from passmuster.tui.writer import SLOW_S

LOOK_AHEAD = 500
"""Rows asked for at a time when looking for the next one to act on."""


class Acting(Freezing):
    """What all verbs share."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "clear", "clear draft", id="clear",
                tooltip="take your draft here back"),
        Binding("z", "undo", "undo", id="undo", tooltip="take your last act back"),
        Binding("Z", "redo", "redo", id="redo", tooltip="do it again"),
        Binding("semicolon", "marked", "verb on marked", id="marked", key_display=";",
                tooltip="the next verb goes for all that is marked"),
    ]  # fmt: skip

    DECIDED = "decided"
    """What is done here, in a refusal."""

    def __init__(self, campaign: Campaign | None) -> None:
        super().__init__()
        self.campaign = campaign
        self.for_marked = False
        self.marked_how = ""
        """How the marked items came together, where it was not by hand."""
        self.dossier: Json | None = None
        self.dossier_of: int | None = None
        """The item that `dossier` is of: keys may come faster than the screen follows the
        cursor."""

    # what the whole screen gives

    @property
    def staging(self) -> Staged[Any]:
        """Where its acts are staged."""
        raise NotImplementedError

    def read_item(self, item_id: int | None) -> Json | None:
        """Read all that is shown of an item and give its dossier; raises MusterError."""
        raise NotImplementedError

    def open_among(self, ids: Sequence[int]) -> list[int]:
        """Those of *ids* on which there is something left to do for me."""
        raise NotImplementedError

    # what is shown of them

    def load_item(self) -> None:
        """Make `dossier` that of the item under the cursor; a question about the one before is
        put away.
        """
        item_id = self.table.cursor_id
        if item_id == self.dossier_of and self.dossier is not None:
            return
        if item_id != self.dossier_of and not self.for_marked:
            self.ask.close(answered=False)
        self.dossier, self.dossier_of = None, item_id
        try:
            self.dossier = self.read_item(item_id)
        except MusterError as error:
            self.say(f"its evidence cannot be read: {error}", "error")
        else:
            if item_id is not None:
                self.staging.shown(item_id)

    def show_evidence(self, *, keep_place: bool = False) -> None:
        """Another item is under the cursor."""
        self.load_item()
        super().show_evidence(keep_place=keep_place)

    def written(self, ids: Sequence[int], error: MusterError | None) -> None:
        """The disk has a job, or has refused it: then the rows show again what was before."""
        if error is not None:
            self.say(f"not kept: {error}", "error")
        self.refresh_items(ids)
        self.look_for_changes()

    def refresh_items(self, ids: Sequence[int]) -> None:
        """Draw these rows anew, and the evidence if it is of one of them."""
        self.table.forget(ids)
        if self.table.cursor_id in ids:
            self.show_evidence(keep_place=True)

    def staged_soon(self, ids: Sequence[int]) -> None:
        """After an act: draw it now, and the `…` of rows that the disk does not have in time."""
        self.refresh_items(ids)
        self.set_timer(SLOW_S + 0.02, lambda: self._mark_slow(ids))

    def _mark_slow(self, ids: Sequence[int]) -> None:
        slow = [i for i in ids if self.muster.writer.pending(i)]
        if slow:
            self.table.forget(slow)

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
        closed = self.campaign.closed_at if self.campaign else None
        if closed:
            return f"the campaign was closed on {closed[:10]}: nothing more can be {self.DECIDED}"
        if self.muster.read_only:
            return f"read only: nothing is {self.DECIDED} here until % allows it"
        if not self._targets():
            return f"there is no {self.NOUN} here"
        self.load_item()
        if self.dossier is None and not self.for_marked:
            return f"its evidence cannot be read, so nothing can be {self.DECIDED}"
        return None

    # many at once

    def _too_many(self, ids: Sequence[int]) -> str | None:
        """Why one act may not be on so many."""
        if len(ids) < 2:
            return None
        for tier, count in campaigns.tiers(self.muster.db, ids).items():
            most = self.desk.settings.bulk[tier]
            if count > most:
                return (f"{count:,} of them are at {tier} risk, and one act may decide {most:,}:"
                        " narrow the view, or raise [bulk] in your settings")  # fmt: skip
        return None

    def _ask_count(self, what: str, ids: list[int], then: Callable[[], None]) -> None:
        """An act on many is confirmed by typing how many; a single key would be too easy."""

        def answer(typed: str) -> str | None:
            if typed.strip() != str(len(ids)):
                return f"that is not {len(ids)}; type {len(ids)}, or esc to leave them alone"
            then()
            return None

        self.ask.ask(
            [say(what, "strong"), say(f": {self._few(ids)}")],
            (), answer, hint=f"type {len(ids)} to go on",
        )  # fmt: skip
        self.redraw_bars()

    def _drop_marks(self) -> None:
        """The act on the marked ones is done."""
        if self.for_marked:
            self.for_marked, self.marked_how = False, ""
            self.table.marks.clear()

    def _moved_on(self, ids: Sequence[int]) -> str | None:
        """Why an answer is not for the item that the question was about, if it is not."""
        if self.for_marked or list(ids) == [self.dossier_of] == [self.table.cursor_id]:
            return None
        return f"another {self.NOUN} is under the cursor now: esc, then go on with that one"

    def _called(self) -> str:
        return short(self.dossier["identity"]["display_name"]) if self.dossier else ""

    def _what(self, ids: Sequence[int]) -> str:
        return (
            self._called() if len(ids) == 1 and not self.for_marked else plural(len(ids), self.NOUN)
        )

    def _few(self, ids: Sequence[int]) -> str:
        rows = campaigns.rows(self.muster.db, ids[:3])
        more = f" and {len(ids) - 3:,} more" if len(ids) > 3 else ""
        return ", ".join(short(row.display_name) for row in rows) + more

    # onwards

    def _is_open(self, item_id: int | None) -> bool:
        return item_id is not None and bool(self.open_among([item_id]))

    def _acted(self, ids: Sequence[int], done: str, *, was_open: bool) -> None:
        """After an act: draw it, and go on where the row under the cursor is done with."""
        self._drop_marks()
        self.staged_soon(ids)
        if was_open and not self._is_open(self.table.cursor_id):
            self.go_on(self.table.cursor + 1, done)
        else:
            self.say(done)

    def go_on(self, place: int, words: str) -> None:
        """Put the cursor on the next row that is open from *place* on, going round once."""
        rank = self.table.rank
        for start in [*range(place, len(rank), LOOK_AHEAD), *range(0, place, LOOK_AHEAD)]:
            block = rank[start : start + LOOK_AHEAD]
            found = self.open_among(block)
            if found:
                self.table.go_to(start + block.index(found[0]))
                break
        self.say(words)

    # taking back

    def _can_take_back(self) -> bool:
        if self.muster.read_only:
            self.say("read only: nothing is taken back here until % allows it", "error")
        return not self.muster.read_only

    def action_clear(self) -> None:
        """Take the drafts of the items back."""
        if not self._can_take_back():
            return
        ids = self._targets()
        act = self.staging.clear(ids)
        if act is None:
            self.say("nothing is drafted here" if ids else f"there is no {self.NOUN} here")
            return
        self.for_marked = False
        self._after(act, f"draft taken back: {self._what(list(act.after))}   z brings it back")

    def action_undo(self) -> None:
        """Take the last act back and show where it was."""
        self._step(self.staging.undo, "undone", "Z does it again")

    def action_redo(self) -> None:
        """Do again what was undone last."""
        self._step(self.staging.redo, "done again", "z takes it back")

    def _step(self, step: Callable[[], Act[Any]], word: str, then: str) -> None:
        if not self._can_take_back():
            return
        try:
            act = step()
        except MusterError as error:
            self.say(str(error))
            return
        ids = list(act.after)
        self._after(act, f"{word}: {act.label}, {self._few(ids)}   {then}")

    def _after(self, act: Act[Any], words: str) -> None:
        ids = list(act.after)
        self.table.go_to_id(ids[0])
        self.staged_soon(ids)
        self.say(words)

    # marks

    def action_marked(self) -> None:
        """The next verb goes for all that is marked."""
        if not self.table.marks:
            self.say("nothing is marked: space marks one")
            return
        self.for_marked = True
        hidden = len(self.table.marks - set(self.table.rank))
        beside = f", {hidden} of them not in this view" if hidden else ""
        self.say(f"what for all {len(self.table.marks)} marked{beside}?   esc: nothing", "strong")

    def step_back(self) -> bool:
        """Besides: back from `;`."""
        if self.for_marked and not self.ask.is_open:
            self.for_marked = False
            self.say("")
            return True
        return super().step_back()

    def question_closed(self, answered: bool) -> None:
        """The queue has the keys again, and the next verb is for one item."""
        if not answered:
            self.for_marked, self.marked_how = False, ""
        super().question_closed(answered)
