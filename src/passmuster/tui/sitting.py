"""What one reviewer decides in one sitting: verdicts, changes and owners, staged (`staged`)."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from passmuster import campaigns
from passmuster.model import Draft
from passmuster.store import Database
from passmuster.tui.staged import Act, Staged, bulk


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


class Sitting(Staged[State]):
    """Stages decisions through the writer, and remembers how to take them back."""

    def held(self, item_id: int) -> State:
        """What the database has of the item."""
        row = self.db.one(
            "SELECT owner, evidence, reassign FROM own_draft WHERE item_id = ?", (item_id,)
        )
        own = OwnDraft(row[0], row[1], bool(row[2])) if row else None
        return State(campaigns.draft_of(self.db, item_id), own)

    def staged(self, item_id: int) -> State | None:
        """The state of the item if it is ahead of the database, else None."""
        return self._ahead.get(item_id)

    def decide(self, ids: Sequence[int], draft: Draft, how: str = "") -> Act[State]:
        """Stage *draft* on each of *ids*; two or more at once are recorded as one bulk act."""
        now = self.clock()
        many = bulk(ids, how)
        before = {i: self.state(i) for i in ids}
        after = {
            i: replace(
                before[i],
                draft=draft._replace(attention=self.attention(i, now), bulk=many),
            )
            for i in ids
        }
        return self._do(Act(draft.verdict, before, after))

    def own(self, ids: Sequence[int], own: OwnDraft, draft: Draft | None = None) -> Act[State]:
        """Stage an owner for each of *ids*, with *draft* beside it where they are handed over."""
        now = self.clock()
        before = {i: self.state(i) for i in ids}
        after = {i: replace(state, own=own) for i, state in before.items()}
        if draft is not None:
            many = bulk(ids, "handed over")
            for i, state in after.items():
                given = draft._replace(attention=self.attention(i, now), bulk=many)
                after[i] = replace(state, draft=given)
        return self._do(Act("owner", before, after))

    def again(self, drafts: Mapping[int, Draft]) -> Act[State]:
        """Draft anew what was signed on each of the items; its signature will supersede that."""
        now, many = self.clock(), bulk(list(drafts), "brought back to be corrected")
        before = {i: self.state(i) for i in drafts}
        after = {
            i: replace(before[i], draft=d._replace(attention=self.attention(i, now), bulk=many))
            for i, d in drafts.items()
        }
        return self._do(Act("brought back", before, after))

    def clear(
        self, ids: Sequence[int], *, draft: bool = True, own: bool = True
    ) -> Act[State] | None:
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

    def write(self, db: Database, act: Act[State], now: str) -> None:
        """Bring the drafts of an act's items to what they are after it."""
        _write(db, act, now, self.me)


def _write(db: Database, act: Act[State], now: str, me: str) -> None:
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
