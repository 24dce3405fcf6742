"""The append-only log: nothing is changed, dropped, reordered or slipped in."""

import threading
from pathlib import Path

import pytest

from passmuster import attestations, store, tlog
from passmuster.attestations import Link
from passmuster.errors import Conflict, VerificationFailed
from passmuster.store import Database
from passmuster.text import sha256
from tests.scene import BOSS, NOW, REV, key


def signed(db: Database, link: Link | None = None, seed: int = 1, note: str = "") -> bytes:
    payload = attestations.statement(
        "close", {"campaign": sha256(note.encode())}, {"note": note}, link or tlog.next_link(db),
        NOW, BOSS,
    )  # fmt: skip
    return attestations.sign(payload, key(BOSS, seed))


def append(db: Database, envelope: bytes) -> int:
    with db.atomic():
        return tlog.append(db, envelope, tlog.known_keys(db), None, NOW)


@pytest.fixture
def log(db: Database) -> Database:
    tlog.enrol(db, key(BOSS, 1), NOW)
    for note in "abc":
        append(db, signed(db, note=note))
    return db


def test_a_chain_checks(log: Database) -> None:
    assert tlog.check(log) == 4
    assert [e.kind for e in tlog.entries(log)] == ["enrolment", "close", "close", "close"]
    assert tlog.next_link(log).seq == 5


def test_an_enrolment_is_signed_by_the_very_key_and_names_it(db: Database) -> None:
    one = key(REV, 3)
    name = tlog.enrol(db, one, NOW)
    (entry,) = tlog.entries(db)
    found = attestations.verify(entry.envelope, {one.fingerprint: one.public})
    assert found.name == name
    assert found.predicate["publicKey"] == one.public
    assert (found.predicate["fingerprint"], found.keyid) == (one.fingerprint, one.fingerprint)
    assert found.predicate["principal"] == REV
    assert found.subject == (("key.pub", sha256(f"{one.public}\n".encode())),)


def test_enrolling_again_changes_nothing(db: Database) -> None:
    assert tlog.enrol(db, key(REV, 3), NOW) == tlog.enrol(db, key(REV, 3), NOW)
    assert db.value("SELECT count(*) FROM entry") == 1
    assert db.value("SELECT store FROM signing_key") == "memory"


def test_signing_on_an_old_head_is_a_conflict_and_writes_nothing(log: Database) -> None:
    old = tlog.next_link(log)
    append(log, signed(log, old, note="first"))
    with pytest.raises(Conflict, match="meanwhile"):
        append(log, signed(log, old, note="second"))
    assert tlog.check(log) == 5


def test_of_two_who_append_at_once_one_gets_a_conflict(log: Database, folder: Path) -> None:
    link = tlog.next_link(log)
    results: list[object] = []

    def run(note: str) -> None:
        mine = store.open_(folder)
        try:
            results.append(append(mine, signed(log, link, note=note)))
        except Conflict as error:
            results.append(error)
        finally:
            mine.close()

    log_envelopes = [threading.Thread(target=run, args=(n,)) for n in "xy"]
    for thread in log_envelopes:
        thread.start()
        thread.join()
    assert sorted(type(r).__name__ for r in results) == ["Conflict", "int"]
    assert tlog.check(log) == 5


def test_what_would_fail_an_auditor_does_not_get_in(log: Database) -> None:
    with pytest.raises(VerificationFailed):
        append(log, signed(log, seed=2))  # a key that nobody enrolled
    with pytest.raises(Conflict):
        append(log, signed(log, Link("e" * 32, 5, None)))  # another device
    assert tlog.check(log) == 4


@pytest.mark.parametrize("sql", [
    "UPDATE entry SET envelope = x'00'", "UPDATE entry SET campaign = 'x' WHERE id = 1",
    "DELETE FROM entry", "DELETE FROM entry WHERE id = 4",
    "UPDATE OR REPLACE entry SET id = 1 WHERE id = 2",
])  # fmt: skip
def test_an_entry_is_never_changed_or_deleted(log: Database, sql: str) -> None:
    with pytest.raises(store.IntegrityError, match="a log entry is never"):
        log.execute(sql)


BREAKS = [
    "DELETE FROM entry WHERE id = 2",
    "UPDATE entry SET id = 9 WHERE id = 2",
    "UPDATE entry SET envelope = (SELECT envelope FROM entry WHERE id = 3) WHERE id = 2",
    "UPDATE entry SET envelope = CAST(replace(CAST(envelope AS TEXT), 'A', 'B') AS BLOB)",
    "DELETE FROM signing_key",
]


@pytest.mark.parametrize("sql", BREAKS)
def test_whoever_edits_the_file_past_the_triggers_is_found_out(log: Database, sql: str) -> None:
    with log.atomic():
        for trigger in ("entry_is_final", "entry_stays"):
            log.execute(f"DROP TRIGGER {trigger}")
        log.execute(sql)
    with pytest.raises(VerificationFailed, match="log entry"):
        tlog.check(log)


@pytest.mark.parametrize("prev", [None, "0" * 64])
def test_a_statement_that_names_another_before_it_is_found_out(
    log: Database, prev: str | None
) -> None:
    """Signed with the genuine key and rightly numbered, but its `prev` is not the head."""
    at = tlog.next_link(log)
    forged = signed(log, Link(at.device, at.seq, prev))
    with log.atomic():
        log.execute(
            "INSERT INTO entry (leaf, statement, predicate, principal, device, seq, envelope,"
            " logged_at) VALUES ('x', 'y', 'close', ?, ?, ?, ?, ?)",
            (BOSS, at.device, at.seq, forged, NOW),
        )
    with pytest.raises(VerificationFailed, match="log entry 5: the device chain is broken"):
        tlog.check(log)


def test_a_second_device_has_a_chain_of_its_own(log: Database, tmp_path: Path) -> None:
    other = store.create(tmp_path / "other")
    assert tlog.next_link(other) == Link(store.device(other), 1, None)
    assert store.device(other) != store.device(log)
    other.close()
