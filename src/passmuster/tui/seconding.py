"""What one second person says in one sitting: staged countersignatures, undo and redo.

The counterpart of `sitting` for other people's decisions; it has its own because an act here is on
somebody's signed row, never on an item of one's own.
"""

from passmuster import campaigns
from passmuster.model import SecondDraft
from passmuster.store import Database
from passmuster.tui.staged import Act, Staged


class Seconding(Staged[SecondDraft | None]):
    """What a second person stages on rows that wait."""

    def held(self, item_id: int) -> SecondDraft | None:
        """What the database has of the item."""
        row = campaigns.second_rows(self.db, [item_id], self.me).get(item_id)
        return None if row is None else row.draft

    def say(self, item_id: int, draft: SecondDraft) -> None:
        """Stage *draft*, with what the person paid heed to."""
        heed = self.attention(item_id, self.clock())
        after: dict[int, SecondDraft | None] = {item_id: draft._replace(attention=heed)}
        self._do(Act(draft.verdict, {item_id: self.state(item_id)}, after))

    def clear(self, item_id: int) -> bool:
        """Take the draft on the item back; whether there was one."""
        held = self.state(item_id)
        if held is not None:
            self._do(Act("clear", {item_id: held}, {item_id: None}))
        return held is not None

    def write(self, db: Database, act: Act[SecondDraft | None], now: str) -> None:
        """Bring the drafts of an act's items to what they are after it."""
        for item_id, draft in act.after.items():
            if draft is None:
                campaigns.clear_seconds(db, [item_id], self.me)
            else:
                campaigns.save_seconds(db, [item_id], draft, now, self.me)
