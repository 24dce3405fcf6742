"""A key that is retired from the roster while its workspace sends."""

from dataclasses import replace

import pytest

from passmuster import attestations, roster, sync, tlog
from passmuster.attestations import Link
from passmuster.central import Limits
from passmuster.errors import Declined
from passmuster.keys import SigningKey
from passmuster.roster import Line, Person
from passmuster.text import sha256
from tests.scene import key
from tests.sync.town import BOSS, REV, ROLES, Town

END = "2026-11-23T08:01:00Z"


def listed(town: Town, lines: tuple[Line, ...]) -> tuple[bytes, bytes]:
    """The registrar's next roster, with other keys."""
    now = roster.current(town.boss.db)
    assert now is not None
    text = roster.written(lines)
    people = tuple(Person(w, "person", roster.given_roles(ROLES[w])) for w in (BOSS, REV))
    link = Link("a" * 32, now.version + 1, now.name, now.name)
    body = roster.body(link.seq, now.name, 1, people, frozenset())
    payload = attestations.statement(
        "roster", {"allowed_signers": sha256(text)}, body, link, town.clock(), BOSS
    )
    made = attestations.sign(payload, town.boss.key)
    tlog.enact(town.boss.db, roster.as_draft(made, text), town.clock())
    return made, text


def lines(town: Town, ended: SigningKey, new: SigningKey | None = None) -> tuple[Line, ...]:
    """Those of the roster in force, but *ended* signs no more, and *new* does."""
    now = roster.current(town.boss.db)
    assert now is not None
    kept = [replace(x, before=END) if x.fingerprint == ended.fingerprint else x for x in now.lines]
    if new is not None:
        kept.append(Line(new.principal, " ".join(new.public.split()[:2]), town.clock(), None))
    return tuple(kept)


def test_a_key_that_is_retired_in_the_middle_of_a_sync_signs_nothing_more(synced: Town) -> None:
    boss, rev = synced.boss, synced.rev
    for word in ("first", "second", "third"):
        rev.says(word)
    sent = []

    def before(step: str) -> None:
        if step == "records":
            sent.append(step)
            if len(sent) == 2:
                boss.sync()
                synced.clock.seconds += 300
                made, text = listed(synced, lines(synced, rev.key))
                synced.server.take(made, blobs=(text,))

    rev.before, rev.limits = before, Limits(records=1)
    with pytest.raises(Declined, match="is valid until 2026-11-23T08:01:00Z"):
        rev.sync()
    boss.sync()
    assert boss.words == ["first"]
    state = sync.state(rev.db)  # nothing is seen of the log any more: not of the first either
    assert (state.waiting, state.rejected) == (3, ())
    assert "a registrar has to list your key" in (state.problem or "")
    # a new key, which the registrar lists: what was refused is signed again
    old, rev.key = rev.key, key(REV, 77)
    tlog.enrol(rev.db, rev.key, synced.clock(), old.fingerprint)
    made, text = listed(synced, lines(synced, old, rev.key))
    synced.server.take(made, blobs=(text,))
    rev.sync()
    refused = tlog.rejected(rev.db)
    assert [(r.kind, r.code) for r in refused] == [("chain", "not-listed")] * 2
    assert all("valid until" in r.why for r in refused)
    assert sync.state(rev.db).kind == "attention"
    for word in ("second again", "third again"):
        rev.says(word)
    rev.sync()
    boss.sync()
    assert boss.words == ["first", "second again", "third again"]
    assert tlog.unsent(rev.db) == 0
    tlog.check(rev.db)
    tlog.check(boss.db)


def test_a_registrar_has_what_was_logged_before_their_roster(synced: Town) -> None:
    boss, rev = synced.boss, synced.rev
    rev.says("in time")
    rev.sync()
    synced.clock.seconds += 300
    listed(synced, lines(synced, rev.key))  # before the registrar has fetched what was logged
    boss.sync()
    assert boss.words == ["in time"]


def test_of_two_rosters_with_one_number_the_log_takes_one(synced: Town) -> None:
    boss, rev = synced.boss, synced.rev
    boss.sync()
    theirs, text = listed(synced, lines(synced, rev.key))
    roster.drop(boss.db)
    synced.clock.seconds += 60
    listed(synced, lines(synced, boss.key))
    synced.server.take(theirs, blobs=(text,))
    assert tlog.unsent(boss.db) == 1
    report = boss.sync()
    assert [line.partition(":")[0] for line in report.pushed.rejected] == ["roster"]
    now = roster.current(boss.db)
    assert now is not None
    assert now.name == attestations.unchecked(theirs).name
    assert tlog.unsent(boss.db) == 0  # what can never be taken is not offered again
    assert roster.draft(boss.db) is not None
    tlog.check(boss.db)
