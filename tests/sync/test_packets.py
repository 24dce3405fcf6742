"""What is carried between a reviewer without a network and the central log."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from passmuster import campaigns, keys, merkle, note, packets, store, sync, tlog
from passmuster.errors import Conflict, Declined, NotFound, UsageError, VerificationFailed
from passmuster.server import _blobs as server_blobs
from passmuster.server import _log
from passmuster.store import Database
from passmuster.sync import _blobs, _pull
from passmuster.text import canonical
from passmuster.transport import Caller
from tests.sync.carrying import (
    alone,
    archive_of,
    bring,
    hand_over,
    members,
    offline,
    person,
    published,
    sums,
)
from tests.sync.town import REV, URL, Desk, Inside, Town, town


def to_rev(place: Town, out: Path, after: int = 0) -> Path:
    """What the boss hands to the reviewer."""
    sync.pack_campaigns(place.boss.db, REV, after, out)
    return out


def test_a_reviewer_without_a_network_decides_and_the_receipt_empties_their_outbox(
    synced: Town, tmp_path: Path
) -> None:
    published(synced, tmp_path)
    away = offline(synced.rev)
    done = bring(away, to_rev(synced, tmp_path / "for-rev.tar.gz"), synced)
    assert (done.pulled.void, done.pulled.waiting, done.refused) == ([], 0, [])
    rev = person(away)
    assert rev.names() == ["backup", "deploy"]
    rev.decide("deploy", "approve")
    rev.decide("backup", "revoke", "unused")
    assert tlog.unsent(away.db) == 3, "the enrolment of this workspace, and two batches"

    made = sync.pack_upload(alone(away), tmp_path / "outbox.tar.gz")
    assert (made.manifest.records, made.lacking) == (3, 0)
    hand_over(synced, made.path, tmp_path / "receipt.tar.gz")
    done = bring(away, tmp_path / "receipt.tar.gz")
    assert (done.pulled.entries, done.refused) == (3, [])
    assert tlog.unsent(away.db) == 0
    assert sync.state(away.db).kind == "synced"
    with pytest.raises(NotFound, match="nothing waits"):
        sync.pack_upload(alone(away), tmp_path / "more.tar.gz")
    for entry in range(2, 5):
        tlog.central_receipt(away.db, entry)

    synced.boss.sync()
    boss = person(synced.boss)
    assert (boss.effect("deploy"), boss.effect("backup")) == ("stands", "stops")
    assert campaigns.progress(boss.db, boss.at.id).signed == 2


def test_the_same_content_has_the_same_bytes_whoever_exports_it(
    synced: Town, tmp_path: Path
) -> None:
    published(synced, tmp_path)
    one = to_rev(synced, tmp_path / "one.tar.gz").read_bytes()
    synced.clock.seconds += 86_400
    synced.rev.sync()
    sync.pack_campaigns(synced.rev.db, REV, 0, tmp_path / "two.tar.gz")
    assert (tmp_path / "two.tar.gz").read_bytes() == one
    assert (tmp_path / "two.tar.gz").stat().st_mode & 0o777 == 0o600
    synced.rev.says("hello")
    for name in ("three", "four"):
        sync.pack_upload(alone(synced.rev), tmp_path / name)
        synced.clock.seconds += 60
    assert (tmp_path / "three").read_bytes() == (tmp_path / "four").read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        sync.pack_upload(alone(synced.rev), tmp_path / "four")
    assert [path.name for path in tmp_path.glob(".packet-*")] == []


def test_a_packet_shows_its_reader_what_the_server_would_and_nothing_more(
    synced: Town, tmp_path: Path
) -> None:
    published(synced, tmp_path)
    rev, boss = person(synced.rev), person(synced.boss)
    synced.rev.sync()
    rev.decide("deploy", "approve")
    synced.rev.sync()
    boss.decide("mail", "approve")
    synced.boss.sync()
    synced.boss.clock.seconds += 1
    work = synced.rev.work()
    page = _pull.feed(work, 0)
    with packets.opened(to_rev(synced, tmp_path / "p")) as packet:
        assert [entry for _, entry in packet.entries(0)] == page.entries
        theirs = {name[6:] for name in packet.names if name.startswith("blobs/")}
        for (digest,) in synced.boss.db.execute("SELECT sha256 FROM blob").fetchall():
            work.db.execute("DELETE FROM blob WHERE sha256 = ?", (digest,))
            assert _blobs.fetch(work, digest) == (digest in theirs), digest
    work.caller.close()


def test_a_hidden_line_that_a_packet_lacked_is_asked_for_by_the_next_sync(
    synced: Town, tmp_path: Path
) -> None:
    """A receipt shows only what was sent; the rest of what is ours comes by whatever comes next."""
    published(synced, tmp_path)
    away = offline(synced.rev)
    bring(away, to_rev(synced, tmp_path / "p"), synced)
    person(away).decide("deploy", "approve")
    synced.boss.says("one")
    synced.boss.sync()
    sync.pack_upload(alone(away), tmp_path / "outbox")
    hand_over(synced, tmp_path / "outbox", tmp_path / "receipt")
    with packets.opened(tmp_path / "receipt") as receipt:
        shown = [entry.line for _, entry in receipt.entries(0) if entry.line is not None]
    assert len(shown) == 2, "the enrolment and the batch that were sent, and not what the boss said"
    bring(away, tmp_path / "receipt")
    assert away.words == []
    away.wire.fate = lambda *_: "ok"
    origin, log_key = away.db.one("SELECT origin, log_key FROM central")
    tlog.pin(away.db, URL, origin, log_key, away.clock())
    away.sync()
    assert away.words == ["one"]


def everything(db: Database) -> dict[str, list[Any]]:
    """Every table, but for what only tells when and how something was fetched."""
    names = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    found = {name: db.execute(f"SELECT * FROM {name}").fetchall() for name in names}
    found["workspace"] = [row for row in found["workspace"] if not row[0].startswith("sync.")]
    return found


def test_a_packet_and_a_sync_in_either_order_or_twice_come_to_the_same(
    synced: Town, tmp_path: Path
) -> None:
    published(synced, tmp_path)
    synced.boss.says("one")
    synced.boss.sync()
    packet = to_rev(synced, tmp_path / "p")
    synced.rev.db.close()
    shutil.copytree(synced.rev.folder, tmp_path / "copy")
    synced.rev.db = store.open_(synced.rev.folder)
    other = Desk(tmp_path / "copy", synced.rev.key, synced.clock, synced.rev.wire)
    bring(synced.rev, packet)
    before = everything(synced.rev.db)
    assert bring(synced.rev, packet).pulled == _pull.Pulled()
    assert everything(synced.rev.db) == before
    synced.rev.sync()
    other.sync()
    bring(other, packet)
    assert everything(synced.rev.db) == everything(other.db) == before
    other.db.close()


def test_a_packet_that_begins_too_late_names_the_entries_that_are_missing(
    synced: Town, tmp_path: Path
) -> None:
    published(synced, tmp_path)
    before = everything(synced.rev.db)
    with pytest.raises(Conflict, match=r"4 entries .* 3 are verified .* 3 to 4 are missing"):
        bring(synced.rev, to_rev(synced, tmp_path / "late", after=4))
    assert everything(synced.rev.db) == before
    bring(synced.rev, to_rev(synced, tmp_path / "right", after=3))
    assert person(synced.rev).names() == ["backup", "deploy"]


def test_an_older_packet_changes_nothing(synced: Town, tmp_path: Path) -> None:
    published(synced, tmp_path)
    old = to_rev(synced, tmp_path / "old")
    synced.boss.says("one")
    synced.boss.sync()
    bring(synced.rev, to_rev(synced, tmp_path / "new"))
    before = everything(synced.rev.db)
    bring(synced.rev, old)
    assert everything(synced.rev.db) == before


@pytest.mark.parametrize(("theirs", "ours"), [(1, 1), (1, 2), (2, 1)])
def test_a_packet_of_a_fork_halts_and_both_checkpoints_are_kept(
    synced: Town, tmp_path: Path, theirs: int, ours: int
) -> None:
    backup = synced.server.backup()
    for n in range(theirs):
        synced.boss.says(f"one {n}")
    synced.boss.sync()
    packet = to_rev(synced, tmp_path / "p")
    with synced.server.stopped():
        synced.server.put_back(backup)
    for n in range(ours):
        synced.rev.says(f"two {n}")
    synced.rev.sync()
    with pytest.raises(VerificationFailed, match="different people different logs"):
        bring(synced.rev, packet)
    [halt] = tlog.halts(synced.rev.db)
    assert halt.theirs == tlog.pinned(synced.boss.db).note
    assert halt.ours == tlog.pinned(synced.rev.db).note
    assert sync.state(synced.rev.db).kind == "halted"
    with pytest.raises(VerificationFailed, match="sync is halted"):
        bring(synced.rev, packet)
    assert synced.rev.words == [f"two {n}" for n in range(ours)]


def test_a_packet_of_another_log_is_refused_and_is_no_evidence(
    synced: Town, tmp_path: Path
) -> None:
    published(synced, tmp_path)
    packet = to_rev(synced, tmp_path / "p")
    with town(tmp_path / "elsewhere") as other:
        other.rev.sync()
        before = everything(other.rev.db)
        with pytest.raises(VerificationFailed, match="belongs to"):
            bring(other.rev, packet)
        assert everything(other.rev.db) == before
        fresh = offline(other.rev)
        with pytest.raises(VerificationFailed, match="not the one you gave"):
            bring(fresh, packet, other)
        assert tlog.central(fresh.db) is None


# --- the relay


def test_what_the_server_refuses_comes_back_with_the_reason(synced: Town, tmp_path: Path) -> None:
    synced.rev.says("before")
    stranger = keys.in_memory("stranger@example.com")
    tlog.enrol(synced.rev.db, stranger, synced.clock())
    sync.pack_upload(alone(synced.rev), tmp_path / "outbox")
    hand_over(synced, tmp_path / "outbox", tmp_path / "receipt")
    done = bring(synced.rev, tmp_path / "receipt")
    assert done.pulled.entries == 1
    assert "on no roster" in done.refused[0]
    [one] = tlog.rejected(synced.rev.db)
    assert (one.kind, one.code) == ("enrolment", "not-listed")
    assert tlog.unsent(synced.rev.db) == 0
    synced.boss.sync()
    assert synced.boss.words == ["before"]


def test_an_upload_twice_is_known_and_the_receipts_are_proofs(synced: Town, tmp_path: Path) -> None:
    envelope = synced.rev.says("one")
    sync.pack_upload(alone(synced.rev), tmp_path / "outbox")
    hand_over(synced, tmp_path / "outbox", tmp_path / "first")
    hand_over(synced, tmp_path / "outbox", tmp_path / "second")
    policy = note.Policy((synced.server.here.key.verifier,))
    for name, status in (("first", "accepted"), ("second", "duplicate")):
        with packets.opened(tmp_path / name) as receipt:
            assert [row["status"] for row in receipt.results()] == [status]
            leaf = merkle.leaf_hash(envelope).hex()
            proof = receipt.data(f"receipts/{leaf}.tlog-proof")
            note.verify_receipt(proof, envelope, policy)
    assert synced.server.lines.count(envelope) == 1


def test_bytes_that_nobody_listed_has_signed_for_are_not_kept(synced: Town, tmp_path: Path) -> None:
    published(synced, tmp_path)
    away = offline(synced.rev)
    bring(away, to_rev(synced, tmp_path / "p"), synced)
    person(away).decide("deploy", "approve")
    sync.pack_upload(alone(away), tmp_path / "outbox")
    files = members(tmp_path / "outbox")
    lines = [json.loads(line) for line in files["records.ndjson"].splitlines()]
    lines[1]["signatures"][0]["sig"] = lines[0]["signatures"][0]["sig"]
    files["records.ndjson"] = b"".join(canonical(line) + b"\n" for line in lines)
    (tmp_path / "forged").write_bytes(archive_of(sums(files).items()))
    hand_over(synced, tmp_path / "forged", tmp_path / "receipt")
    with packets.opened(tmp_path / "receipt") as receipt:
        codes = [row["code"] for row in receipt.results()]
    assert codes[1] in ("bad-signature", "blob-missing"), codes
    digest = next(name[6:] for name in files if name.startswith("blobs/"))
    with synced.server.here.store.reading() as tx:
        assert digest not in server_blobs.present(tx, [digest])


@pytest.mark.parametrize("path", ["campaign", "elsewhere", "damaged", "nothing"])
def test_the_server_takes_no_other_packet(synced: Town, tmp_path: Path, path: str) -> None:
    published(synced, tmp_path)
    made = tmp_path / "p"
    if path == "campaign":
        to_rev(synced, made)
    elif path == "elsewhere":
        with town(tmp_path / "other") as other:
            sync.pack_upload(alone(offline_pinned(other)), made)
    else:
        made.write_bytes(b"" if path == "nothing" else b"\x1f\x8b damaged")
    wire = Inside(synced.server)
    caller = Caller(URL, sync.PROTOCOL, transport=wire)
    with caller, pytest.raises(Declined) as caught:
        caller.call("POST", "/v1/packets", made.read_bytes(), kind=packets.MEDIA,
                    accept=packets.MEDIA)  # fmt: skip
    assert (caught.value.status, caught.value.code) == (400, "bad-request")
    assert not list(synced.server.folder.glob("packet-*"))


def offline_pinned(place: Town) -> Desk:
    place.rev.says("hello")
    return place.rev


def test_an_upload_shows_a_server_that_was_set_back_what_it_has_signed(
    synced: Town, tmp_path: Path
) -> None:
    backup = synced.server.backup()
    synced.rev.says("one")
    synced.rev.sync()
    synced.rev.says("two")
    sync.pack_upload(alone(synced.rev), tmp_path / "outbox")
    with synced.server.stopped():
        synced.server.put_back(backup)
    with pytest.raises(Declined) as caught:
        hand_over(synced, tmp_path / "outbox", tmp_path / "receipt")
    assert caught.value.code == "log-rollback"
    with synced.server.here.store.reading() as tx:
        assert _log.head(tx).stopped is not None
    assert not (tmp_path / "receipt").exists()
