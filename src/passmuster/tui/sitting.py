"""What one reviewer does in one sitting: staged acts, undo and redo, and what they paid heed to.

Owned by the UI thread. The database is the truth; `_ahead` holds only what has been staged and
is not on the disk yet, so that the screen can show it at once. A failed write drops it, and the
row shows what the database has.
"""

import itertools
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from passmuster import campaigns
from passmuster.errors import MusterError
from passmuster.model import Attention, Bulk, Draft
from passmuster.store import Database
from passmuster.tui.writer import Job, Writer

Clock = Callable[[], str]
"""Now, as RFC 3339 text in UTC."""


@dataclass(frozen=True, slots=True)
class OwnDraft:
    """A drafted owner of an item."""

    owner: str
    evidence: str | None
    reassign: bool


@dataclass(frozen=True, slots=True)
class State:
    """What is drafted on one item."""

    draft: Draft | None = None
    own: OwnDraft | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that the reviewer did, with what each item was before and after it."""

    label: str
    before: dict[int, State]
    after: dict[int, State]


class Sitting:
    """Stages decisions through the writer, and remembers how to take them back."""

    def __init__(self, db: Database, writer: Writer, clock: Clock, me: str) -> None:
        self.db, self.writer, self.clock, self.me = db, writer, clock, me
        self.first_shown: dict[int, str] = {}
        self.details_opened: set[int] = set()
        self._done: list[Act] = []
        self._undone: list[Act] = []
        self._ahead: dict[int, State] = {}

    def state(self, item_id: int) -> State:
        """What is drafted on the item, the latest staged act included."""
        if item_id in self._ahead:
            return self._ahead[item_id]
        row = self.db.one(
            "SELECT owner, evidence, reassign FROM own_draft WHERE item_id = ?", (item_id,)
        )
        own = OwnDraft(row[0], row[1], bool(row[2])) if row else None
        return State(campaigns.draft_of(self.db, item_id), own)

    def staged(self, item_id: int) -> State | None:
        """The state of the item if it is ahead of the database, else None."""
        return self._ahead.get(item_id)

    def shown(self, item_id: int) -> None:
        """Remember when the item was first in front of the reviewer."""
        if item_id not in self.first_shown:
            self.first_shown[item_id] = self.clock()

    def attention(self, item_id: int, now: str) -> Attention:
        """What the reviewer paid heed to before deciding on the item."""
        return Attention(self.first_shown.get(item_id), now, item_id in self.details_opened)

    def decide(self, ids: Sequence[int], draft: Draft, how: str = "") -> Act:
        """Stage *draft* on each of *ids*; two or more at once are recorded as one bulk act."""
        now = self.clock()
        bulk = Bulk(os.urandom(8).hex(), len(ids), how) if len(ids) > 1 else None
        before = {i: self.state(i) for i in ids}
        after = {
            i: replace(
                before[i],
                draft=draft._replace(attention=self.attention(i, now), bulk=bulk),
            )
            for i in ids
        }
        return self._do(Act(draft.verdict, before, after))

    def own(self, ids: Sequence[int], own: OwnDraft, draft: Draft | None = None) -> Act:
        """Stage an owner for each of *ids*, with *draft* beside it where they are handed over."""
        now = self.clock()
        before = {i: self.state(i) for i in ids}
        after = {i: replace(state, own=own) for i, state in before.items()}
        if draft is not None:
            bulk = Bulk(os.urandom(8).hex(), len(ids), "handed over") if len(ids) > 1 else None
            for i, state in after.items():
                given = draft._replace(attention=self.attention(i, now), bulk=bulk)
                after[i] = replace(state, draft=given)
        return self._do(Act("owner", before, after))

    def clear(self, ids: Sequence[int], *, draft: bool = True, own: bool = True) -> Act | None:
        """Take back what is drafted on *ids* (the verdict, the owner, or both); None when
        nothing is.
        """
        before = {i: s for i in ids if (s := self.state(i)) != State()}
        if not before:
            return None
        after = {
            i: State(None if draft else s.draft, None if own else s.own) for i, s in before.items()
        }
        return self._do(Act("clear", before, after))

    def undo(self) -> Act:
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

    def redo(self) -> Act:
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

    def _do(self, act: Act) -> Act:
        self._done.append(act)
        self._undone.clear()
        self._put(act)
        return act

    def _still(self, expected: dict[int, State], word: str) -> None:
        for item_id, state in expected.items():
            if self.state(item_id) != state:
                raise MusterError(f"this was changed elsewhere since: it is not {word}")

    def _put(self, act: Act) -> None:
        self._ahead.update(act.after)
        now, me = self.clock(), self.me
        self.writer.put(Job(list(act.after), lambda db: _write(db, act, now, me)))


def _write(db: Database, act: Act, now: str, me: str) -> None:
    """Bring the drafts of an act's items to what they are after it."""
    pairs = [(i, act.before[i], act.after[i]) for i in act.after]
    gone = [i for i, was, to_be in pairs if was.draft and not to_be.draft]
    campaigns.clear_drafts(db, gone)
    # items of one bulk act differ only in when they were shown: one call per distinct draft
    changed = [(i, s.draft) for i, was, s in pairs if s.draft and s.draft != was.draft]
    for draft, same in itertools.groupby(changed, key=lambda pair: pair[1]):
        assert draft is not None
        campaigns.save_drafts(db, [i for i, _ in same], draft, now, me)
    campaigns.clear_own(db, [i for i, was, to_be in pairs if was.own and not to_be.own])
    for item_id, was, to_be in pairs:
        own = to_be.own
        if own and own != was.own:
            campaigns.save_own(
                db, [item_id], own.owner, own.evidence, now, reassign=own.reassign, by=me
            )
