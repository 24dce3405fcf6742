"""Which items an act is on, how it is taken back, and where the cursor goes after it."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from passmuster import campaigns
from passmuster.campaigns import Campaign
from passmuster.errors import MusterError
from passmuster.text import Json, plural
from passmuster.tui.lines import short
from passmuster.tui.screens._freezing import Freezing
from passmuster.tui.sitting import State
from passmuster.tui.staged import Act

LOOK_AHEAD = 500
"""Items asked for at a time when looking for the next undecided one."""


class Acting(Freezing):
    """What all verbs share."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("u", "clear", "clear draft", id="clear",
                tooltip="take the draft of this item back"),
        Binding("z", "undo", "undo", id="undo", tooltip="take your last act back"),
        Binding("Z", "redo", "redo", id="redo", tooltip="do it again"),
        Binding("semicolon", "marked", "verb on marked", id="marked", key_display=";",
                tooltip="the next verb goes for all that is marked"),
    ]  # fmt: skip

    def __init__(self, campaign: Campaign) -> None:
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

    def staged_soon(self, ids: Sequence[int]) -> None:
        """Draw these rows as staged."""
        raise NotImplementedError

    def load_item(self) -> None:
        """Make `dossier` that of the item under the cursor."""
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
        closed = self.campaign.closed_at
        if closed:
            return f"the campaign was closed on {closed[:10]}: nothing more can be decided"
        if self.muster.read_only:
            return "read only: nothing is decided here until % allows it"
        if not self._targets():
            return "there is no item here to decide"
        self.load_item()
        if self.dossier is None and not self.for_marked:
            return "its evidence cannot be read, so it cannot be decided"
        return None

    def _moved_on(self, ids: Sequence[int]) -> str | None:
        """Why an answer is not for the item that the question was about, if it is not."""
        if self.for_marked or list(ids) == [self.dossier_of] == [self.table.cursor_id]:
            return None
        return "another item is under the cursor now: esc, then decide that one"

    def _called(self) -> str:
        return short(self.dossier["identity"]["display_name"]) if self.dossier else ""

    def _what(self, ids: Sequence[int]) -> str:
        return self._called() if len(ids) == 1 and not self.for_marked else plural(len(ids), "item")

    def _few(self, ids: Sequence[int]) -> str:
        rows = campaigns.rows(self.muster.db, ids[:3])
        more = f" and {len(ids) - 3:,} more" if len(ids) > 3 else ""
        return ", ".join(short(row.display_name) for row in rows) + more

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
            block = rank[start : start + LOOK_AHEAD]
            found = self._open_among(block)
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

    def _step(self, step: Callable[[], Act[State]], word: str, then: str) -> None:
        if not self._can_take_back():
            return
        try:
            act = step()
        except MusterError as error:
            self.say(str(error))
            return
        ids = list(act.after)
        self._after(act, f"{word}: {act.label}, {self._few(ids)}   {then}")

    def _after(self, act: Act[State], words: str) -> None:
        ids = list(act.after)
        self.table.go_to_id(ids[0])
        self.staged_soon(ids)
        self.say(words)

    # marks

    def action_marked(self) -> None:
        """The next verb goes for all that is marked."""
        if not self.table.marks:
            self.say("nothing is marked: space marks an item")
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
