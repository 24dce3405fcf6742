"""What the state machine of the protocol finds in the real code, and in code with a bug."""

from collections.abc import Callable
from typing import Any

import pytest

from passmuster import note, tlog
from passmuster.errors import MusterError
from passmuster.note import Checkpoint, Policy
from passmuster.server._accept import Accepting
from passmuster.store import Database
from passmuster.sync import _pull, _push
from passmuster.sync._work import Work
from tests.sync.machine import explore
from tests.sync.town import Plan

Patch = pytest.MonkeyPatch


@pytest.mark.ci
def test_no_fault_loses_doubles_or_forks_a_record(at_rest: Plan) -> None:
    explore(at_rest, 20)


@pytest.mark.long
def test_no_fault_of_many_loses_doubles_or_forks_a_record(at_rest: Plan) -> None:
    explore(at_rest, 500, 25)


# --- bugs that it must find


def sent_is_gone(patch: Patch) -> None:
    """What the server says it has accepted is taken out of the outbox."""
    offer = _push._offer

    def trusting(work: Work, batch: list[Any], done: Any) -> None:
        offer(work, batch, done)
        for one in batch:
            if one.entry_id is not None:
                tlog.reject(work.db, one.entry_id, "sent", "", work.now())

    patch.setattr(_push, "_offer", trusting)


def no_root(patch: Patch) -> None:
    """A checkpoint is believed without its root."""

    def believing(db: Database, signed: str, said: Checkpoint, now: str) -> bool:
        with db.atomic():
            at = tlog.pinned(db)
            if said.size < at.size or tlog.staged(db) < said.size:
                return False
            db.execute(
                "UPDATE central SET note = ?, size = ?, root = ?, synced_at = ?",
                (signed, said.size, said.root.hex(), now),
            )
        return True

    patch.setattr(tlog, "cover", believing)


def no_rollback(patch: Patch) -> None:
    """A checkpoint that is smaller than the one that was seen is believed."""

    def believing(db: Database, signed: str, *_: Any) -> Checkpoint:
        return Policy((tlog.pinned(db).key,)).check(note.parse(signed)).checkpoint

    patch.setattr(tlog, "opened", believing)


def no_dedup(patch: Patch) -> None:
    """The server does not know a record that it has already."""
    look = Accepting.look

    def forgetting(self: Accepting, candidates: Any) -> None:
        look(self, candidates)
        self.places.clear()

    patch.setattr(Accepting, "look", forgetting)


def applied_too_early(patch: Patch) -> None:
    """A record is written down as applied in a transaction before it is."""
    apply = _pull._apply

    def hasty(work: Work, place: int, record: Any) -> str | None:
        tlog.settle(work.db, place, "applied")
        return apply(work, place, record)

    patch.setattr(_pull, "_apply", hasty)


def a_page_too_far(patch: Patch) -> None:
    """The next page is asked for behind one entry too many."""
    feed = _pull.feed

    def far(work: Work, after: int, wait_s: int = 0) -> Any:
        page = feed(work, after, wait_s)
        return page._replace(entries=page.entries[1:]) if len(page.entries) == 3 else page

    patch.setattr(_pull, "feed", far)


QUICK = [pytest.param(bug, marks=pytest.mark.ci) for bug in (
    sent_is_gone, no_dedup, applied_too_early, a_page_too_far
)]  # fmt: skip
BUGS = [*QUICK, *(pytest.param(bug, marks=pytest.mark.long) for bug in (no_root, no_rollback))]


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_is_found(bug: Callable[[Patch], None], at_rest: Plan, monkeypatch: Patch) -> None:
    bug(monkeypatch)
    with pytest.raises((AssertionError, MusterError)) as caught:
        explore(at_rest, 150)
    print(f"{bug.__name__}: {type(caught.value).__name__}: {caught.value}")
