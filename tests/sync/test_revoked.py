"""A key that is retired from the roster while its workspace sends."""

import pytest

from passmuster import attestations, roster, sync, tlog
from passmuster.attestations import Link
from passmuster.central import Limits
from passmuster.keys import SigningKey
from passmuster.roster import Line, Person
from passmuster.text import sha256
from tests.scene import key
from tests.sync.town import BOSS, REV, ROLES, Town

END = "2026-11-23T07:59:00Z"


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
    tlog.append_roster(town.boss.db, roster.as_draft(made, text), town.clock())
    return made, text


def line(held: SigningKey, before: str | None = None) -> Line:
    return Line(held.principal, " ".join(held.public.split()[:2]), None, before)


def test_a_key_that_is_retired_in_the_middle_of_a_sync_signs_nothing_more(synced: Town) -> None:
    boss, rev = synced.boss, synced.rev
    for word in ("first", "second", "third"):
        rev.says(word)
    sent = []

    def fate(method: str, path: str) -> str:
        if (method, path) == ("POST", "/v1/records"):
            sent.append(path)
            if len(sent) == 2:
                made, text = listed(synced, (line(boss.key), line(rev.key, END)))
                synced.server.take(made, blobs=(text,))
        return "ok"

    rev.wire.fate, rev.limits = fate, Limits(records=1)
    with pytest.raises(sync.Unreachable if hasattr(sync, "Unreachable") else Exception) as error:
        rev.sync()
    print(error.value)
    refused = tlog.rejected(rev.db)
    assert [(r.kind, r.code) for r in refused] == [("chain", "not-listed")] * 2
    boss.sync()
    assert boss.words == ["first"]
    assert sync.state(rev.db).kind == "attention"
    # a new key, which the registrar lists: what was refused is signed again
    old, rev.key = rev.key, key(REV, 77)
    tlog.enrol(rev.db, rev.key, synced.clock(), old.fingerprint)
    made, text = listed(synced, (line(boss.key), line(old, END), line(rev.key)))
    synced.server.take(made, blobs=(text,))
    rev.sync()
    for word in ("second again", "third again"):
        rev.says(word)
    rev.sync()
    boss.sync()
    assert boss.words == ["first", "second again", "third again"]
    assert tlog.unsent(rev.db) == 0
    tlog.check(rev.db)
    tlog.check(boss.db)
