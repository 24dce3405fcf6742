"""What one person stages in one sitting: acts, undo and redo, and what they paid heed to.

Owned by the UI thread. The database is the truth; `_ahead` holds only what has been staged and
is not on the disk yet, so that the screen can show it at once. A failed write drops it, and the
row shows what the database has.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from passmuster.errors import MusterError
from passmuster.model import Attention, Bulk
from passmuster.store import Database
from passmuster.tui.writer import Job, Writer

Clock = Callable[[], str]
"""Now, as RFC 3339 text in UTC."""
S = TypeVar("S")
"""What is drafted on one item."""


@dataclass(frozen=True, slots=True)
class Act(Generic[S]):
    """One thing that the person did, with what each item was before and after it."""

    label: str
    before: dict[int, S]
    after: dict[int, S]


def bulk(ids: Sequence[int], how: str) -> Bulk | None:
    """The record of an act on several; each of its rows has it. None for an act on one."""
    return Bulk(os.urandom(8).hex(), len(ids), how) if len(ids) > 1 else None


class Staged(Generic[S]):
    """Stages acts through the writer, and remembers how to take them back."""

    def __init__(self, db: Database, writer: Writer, clock: Clock, me: str) -> None:
        self.db, self.writer, self.clock, self.me = db, writer, clock, me
        self.first_shown: dict[int, str] = {}
        self.details_opened: set[int] = set()
        self._done: list[Act[S]] = []
        self._undone: list[Act[S]] = []
        self._ahead: dict[int, S] = {}

    def held(self, item_id: int) -> S:
        """What the database has of the item."""
        raise NotImplementedError

    def write(self, db: Database, act: Act[S], now: str) -> None:
        """Bring the drafts of an act's items to what they are after it."""
        raise NotImplementedError

    def state(self, item_id: int) -> S:
        """What is drafted on the item, the latest staged act included."""
        return self._ahead[item_id] if item_id in self._ahead else self.held(item_id)

    def over(self, item_id: int, held: S) -> S:
        """The same where what the database has is known: *held*."""
        return self._ahead.get(item_id, held)

    def shown(self, item_id: int) -> None:
        """Remember when the item was first in front of the person."""
        if item_id not in self.first_shown:
            self.first_shown[item_id] = self.clock()

    def attention(self, item_id: int, now: str) -> Attention:
        """What the person paid heed to before deciding on the item."""
        return Attention(self.first_shown.get(item_id), now, item_id in self.details_opened)

    def clear(self, ids: Sequence[int]) -> Act[S] | None:
        """Take back what is drafted on *ids*; None when nothing is."""
        raise NotImplementedError

    def undo(self) -> Act[S]:
        """Take the last act back; raises MusterError when that is not possible."""
        if not self._done:
            raise MusterError("nothing to undo in this sitting")
        act = self._done[-1]
        self._still(act.after, "undone")
        self._done.pop()
        self._undone.append(act)
        back = Act(act.label, act.after, act.before)
        self._put(back)
        return back

    def redo(self) -> Act[S]:
        """Do the act that was last undone again."""
        if not self._undone:
            raise MusterError("nothing to redo")
        act = self._undone[-1]
        self._still(act.before, "redone")
        self._undone.pop()
        self._done.append(act)
        self._put(act)
        return act

    def forget(self) -> None:
        """After a sign-off nothing before it can be undone; only decided anew."""
        self._done.clear()
        self._undone.clear()

    def written(self, job: Job) -> None:
        """A job is on the disk, or failed: the database says again how its items stand."""
        for item_id in job.ids:
            if not self.writer.pending(item_id):
                self._ahead.pop(item_id, None)

    def failed(self, job: Job) -> None:
        """Nothing of *job* was kept, so it cannot be undone either."""
        self._done = [a for a in self._done if not set(a.after) & set(job.ids)]
        self._undone = [a for a in self._undone if not set(a.after) & set(job.ids)]
        self.written(job)

    def _do(self, act: Act[S]) -> Act[S]:
        self._done.append(act)
        self._undone.clear()
        self._put(act)
        return act

    def _still(self, expected: dict[int, S], word: str) -> None:
        for item_id, state in expected.items():
            if self.state(item_id) != state:
                raise MusterError(f"this was changed elsewhere since: it is not {word}")

    def _put(self, act: Act[S]) -> None:
        self._ahead.update(act.after)
        now = self.clock()
        self.writer.put(Job(list(act.after), lambda db: self.write(db, act, now)))
