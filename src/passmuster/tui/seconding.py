"""What one second person says in one sitting: staged countersignatures, undo and redo.

The counterpart of `sitting` for other people's decisions; it has its own because an act here is on
somebody's signed row, never on an item of one's own.
"""

import itertools
from collections.abc import Sequence

from passmuster import campaigns
from passmuster.model import SecondDraft
from passmuster.store import Database
from passmuster.tui.staged import Act, Staged, bulk


class Seconding(Staged[SecondDraft | None]):
    """What a second person stages on rows that wait."""

    def held(self, item_id: int) -> SecondDraft | None:
        """What the database has of the item."""
        row = campaigns.second_rows(self.db, [item_id], self.me).get(item_id)
        return None if row is None else row.draft

    def say(self, ids: Sequence[int], draft: SecondDraft, how: str = "") -> Act[SecondDraft | None]:
        """Stage *draft* on each of *ids*, with what the person paid heed to; two or more at once
        are recorded as one bulk act.
        """
        now, many = self.clock(), bulk(ids, how)
        after: dict[int, SecondDraft | None] = {
            i: draft._replace(attention=self.attention(i, now), bulk=many) for i in ids
        }
        return self._do(Act(draft.verdict, {i: self.state(i) for i in ids}, after))

    def clear(self, ids: Sequence[int]) -> Act[SecondDraft | None] | None:
        """Take the drafts on *ids* back; None when there is none."""
        before = {i: held for i in ids if (held := self.state(i))}
        return self._do(Act("clear", {**before}, dict.fromkeys(before))) if before else None

    def write(self, db: Database, act: Act[SecondDraft | None], now: str) -> None:
        """Bring the drafts of an act's items to what they are after it."""
        campaigns.clear_seconds(db, [i for i, draft in act.after.items() if not draft], self.me)
        # items of one bulk act differ only in when they were shown: one call per distinct draft
        for draft, same in itertools.groupby(act.after.items(), key=lambda pair: pair[1]):
            if draft is not None:
                campaigns.save_seconds(db, [i for i, _ in same], draft, now, self.me)
