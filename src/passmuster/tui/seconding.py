"""What one second person says in one sitting: staged countersignatures, undo and redo.

The counterpart of `sitting` for other people's decisions; it has its own because an act here is on
somebody's signed row, never on an item of one's own.
"""

from dataclasses import dataclass

from passmuster import campaigns
from passmuster.errors import MusterError
from passmuster.model import Attention, SecondDraft
from passmuster.store import Database
from passmuster.tui.sitting import Clock
from passmuster.tui.writer import Job, Writer


@dataclass(frozen=True, slots=True)
class Said:
    """One act: what was drafted on an item before and after it."""

    item_id: int
    before: SecondDraft | None
    after: SecondDraft | None


class Seconding:
    """Stages countersignatures through the writer, and remembers how to take them back."""

    def __init__(self, db: Database, writer: Writer, clock: Clock, me: str) -> None:
        self.db, self.writer, self.clock, self.me = db, writer, clock, me
        self.first_shown: dict[int, str] = {}
        self.details_opened: set[int] = set()
        self._done: list[Said] = []
        self._undone: list[Said] = []
        self._ahead: dict[int, SecondDraft | None] = {}

    def draft(self, item_id: int) -> SecondDraft | None:
        """What is drafted on the item, the latest staged act included."""
        if item_id in self._ahead:
            return self._ahead[item_id]
        row = campaigns.second_rows(self.db, [item_id], self.me).get(item_id)
        return None if row is None else row.draft

    def shown(self, item_id: int) -> None:
        """Remember when the row was first in front of the person."""
        self.first_shown.setdefault(item_id, self.clock())

    def say(self, item_id: int, draft: SecondDraft) -> None:
        """Stage *draft*, with what the person paid heed to."""
        heed = Attention(
            self.first_shown.get(item_id), self.clock(), item_id in self.details_opened
        )
        self._do(Said(item_id, self.draft(item_id), draft._replace(attention=heed)))

    def clear(self, item_id: int) -> bool:
        """Take the draft on the item back; whether there was one."""
        held = self.draft(item_id)
        if held is not None:
            self._do(Said(item_id, held, None))
        return held is not None

    def undo(self) -> Said:
        """Take the last act back; raises MusterError when that is not possible."""
        if not self._done:
            raise MusterError("nothing to undo in this sitting")
        act = self._done[-1]
        self._still(act.item_id, act.after, "undone")
        self._undone.append(self._done.pop())
        self._put(act.item_id, act.before)
        return act

    def redo(self) -> Said:
        """Do the act that was last undone again."""
        if not self._undone:
            raise MusterError("nothing to redo")
        act = self._undone[-1]
        self._still(act.item_id, act.before, "redone")
        self._done.append(self._undone.pop())
        self._put(act.item_id, act.after)
        return act

    def forget(self) -> None:
        """After a sign-off nothing before it can be undone; only said anew."""
        self._done.clear()
        self._undone.clear()

    def written(self, job: Job) -> None:
        """A job is on the disk, or failed: the database says again how its rows stand."""
        for item_id in job.ids:
            if not self.writer.pending(item_id):
                self._ahead.pop(item_id, None)

    def failed(self, job: Job) -> None:
        """Nothing of *job* was kept, so it cannot be undone either."""
        self._done = [a for a in self._done if a.item_id not in job.ids]
        self._undone = [a for a in self._undone if a.item_id not in job.ids]
        self.written(job)

    def _do(self, act: Said) -> None:
        self._done.append(act)
        self._undone.clear()
        self._put(act.item_id, act.after)

    def _still(self, item_id: int, expected: SecondDraft | None, word: str) -> None:
        if self.draft(item_id) != expected:
            raise MusterError(f"this was changed elsewhere since: it is not {word}")

    def _put(self, item_id: int, draft: SecondDraft | None) -> None:
        self._ahead[item_id] = draft
        now, me = self.clock(), self.me

        def write(db: Database) -> None:
            if draft is None:
                campaigns.clear_seconds(db, [item_id], me)
            else:
                campaigns.save_seconds(db, [item_id], draft, now, me)

        self.writer.put(Job([item_id], write))
