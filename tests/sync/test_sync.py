"""The sync of real workspaces with a real server, over a wire that fails as it is told."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from passmuster import attestations, central, merkle, note, server, store, sync, tlog
from passmuster.central import Limits
from passmuster.errors import Conflict, NotFound, Unreachable, UsageError, VerificationFailed
from passmuster.note import Policy, VerifierKey, witness_key
from passmuster.sync import _pull
from tests.sync.town import Desk, Town, town


def meet(place: Town) -> None:
    """Both desks sync until each has what the other signed."""
    for desk in (*place.desks.values(), *place.desks.values()):
        desk.sync()


def whole(place: Town) -> None:
    """Nothing is lost, nothing is there twice, and everybody has the same."""
    lines = place.server.lines
    assert len(set(lines)) == len(lines)
    assert place.boss.words == place.rev.words
    for desk in place.desks.values():
        assert {e.envelope for e in tlog.entries(desk.db)} == set(lines)
        at = tlog.pinned(desk.db)
        assert (at.size, at.root.hex()) == (len(lines), merkle.root(lines))
        assert tlog.unsent(desk.db) == 0
        assert tlog.void(desk.db) == []


def test_a_record_of_a_kind_that_is_newer_is_carried_and_not_void(synced: Town) -> None:
    synced.boss.says("one")
    synced.boss.sync()
    synced.rev.sync()
    db, work = synced.rev.db, synced.rev.work()
    [last] = [e.envelope for e in tlog.entries(db)][-1:]
    payload = attestations.unchecked(last).payload.replace(b"/chain/v1", b"/chain/v2")
    newer = attestations.sign(payload, synced.boss.key)
    place = tlog.pinned(db).size - 1
    db.execute("UPDATE mirror SET envelope = ?, state = 'waiting' WHERE idx = ?", (newer, place))
    _pull.apply(work, done := _pull.Pulled())
    assert db.value("SELECT state FROM mirror WHERE idx = ?", (place,)) == "carried"
    assert (done.applied, done.void, done.waiting) == (0, [], 0)


def test_what_one_signs_the_other_has_after_a_sync(synced: Town) -> None:
    synced.rev.says("one")
    assert synced.rev.sync().words == "1 record sent, 0 received."
    assert synced.boss.sync().words == "0 records sent, 1 received."
    assert synced.boss.words == ["one"]
    assert synced.rev.sync().words == "0 records sent, 0 received."
    whole(synced)


def test_an_entry_has_a_receipt_of_the_central_log_once_it_is_seen_there(synced: Town) -> None:
    envelope = synced.rev.says("one")
    entry = tlog.size(synced.rev.db)
    with pytest.raises(NotFound, match="muster sync"):
        tlog.central_receipt(synced.rev.db, entry)
    synced.rev.sync()
    key = synced.server.here.key.verifier
    opened = note.verify_receipt(
        tlog.central_receipt(synced.rev.db, entry), envelope, Policy((key,))
    )
    assert opened.checkpoint.size == len(synced.server.lines)
    assert tlog.central_index_of(synced.rev.db, entry) == len(synced.server.lines) - 1


PATHS = {
    ("POST", "/v1/records"), ("GET", "/v1/feed"), ("GET", "/v1/log/checkpoint"),
    ("POST", "/v1/blobs/missing"), ("PUT", "/v1/blobs/"),
}  # fmt: skip


@pytest.mark.parametrize("fate", ["no_request", "no_reply", "half", "twice"])
def test_a_request_that_fails_once_is_sent_again_and_nothing_is_there_twice(
    synced: Town, fate: str
) -> None:
    desk = synced.boss
    left: list[tuple[str, str]] = []

    def fails_once(method: str, path: str) -> str:
        if not left or left[0][0] != method or not path.startswith(left[0][1]):
            return "ok"
        left.clear()
        return fate

    desk.wire.fate = fails_once
    for n, place in enumerate(sorted(PATHS)):
        left.append(place)
        desk.says(f"{n}")
        desk.next_roster(list(synced.desks.values()))
        desk.slept.clear()
        desk.sync()
        assert left == [], place
        assert desk.slept == ([] if fate == "twice" else [0.0]), place
    synced.rev.sync()
    whole(synced)


def test_an_answer_that_never_comes_leaves_everything_to_be_sent(synced: Town) -> None:
    synced.rev.wire.fate = lambda _, to: "no_reply" if to == "/v1/records" else "ok"
    synced.rev.says("one")
    with pytest.raises(Unreachable, match="broke off") as caught:
        synced.rev.sync()
    assert caught.value.again
    assert tlog.unsent(synced.rev.db) == 1
    state = sync.state(synced.rev.db)
    assert state.kind == "offline"
    assert state.words == f"offline since {synced.clock()}, 1 record waiting"
    synced.rev.wire.fate = lambda *_: "ok"
    assert synced.rev.sync().pushed.known == 1
    assert sync.state(synced.rev.db).words == f"synced {synced.clock()}"
    synced.boss.sync()
    whole(synced)


def test_that_the_server_says_accepted_takes_nothing_out_of_the_outbox(synced: Town) -> None:
    synced.rev.says("one")
    synced.rev.wire.fate = lambda _, to: "no_request" if to.startswith("/v1/feed") else "ok"
    with pytest.raises(Unreachable):
        synced.rev.sync()
    assert tlog.unsent(synced.rev.db) == 1


def test_results_about_other_records_are_no_results(synced: Town) -> None:
    synced.rev.says("one")

    def other(path: str, body: bytes) -> bytes:
        if path != "/v1/records":
            return body
        said = json.loads(body)
        said["results"][0]["leaf"] = "0" * 64
        return json.dumps(said).encode()

    synced.rev.wire.bend = other
    with pytest.raises(Unreachable, match="results have another form"):
        synced.rev.sync()
    assert tlog.rejected(synced.rev.db) == []


def test_what_the_server_refuses_waits_for_a_person(synced: Town) -> None:
    synced.rev.says("one")

    def refuse(path: str, body: bytes) -> bytes:
        if path != "/v1/records":
            return body
        said = json.loads(body)
        for row in said["results"]:
            row |= {
                "status": "rejected",
                "code": "not-listed",
                "detail": "no\x1b[2J",
                "index": None,
            }
        return json.dumps(said).encode()

    synced.rev.wire.bend = refuse
    synced.rev.wire.fate = lambda _, to: "no_request" if to.startswith("/v1/feed") else "ok"
    with pytest.raises(Unreachable):
        synced.rev.sync()
    synced.rev.wire.fate = lambda *_: "ok"
    state = sync.state(synced.rev.db)
    assert (state.kind, state.waiting) == ("attention", 0)
    assert state.words == "needs attention (1): 1 record refused"
    synced.rev.wire.log.clear()
    synced.rev.wire.bend = lambda _, body: body
    report = synced.rev.sync()
    assert "/v1/records" not in {path for _, path, _ in synced.rev.wire.log}
    assert report.pushed.accepted == 0


def test_a_refusal_is_told_with_its_reason_and_offered_again_when_told(synced: Town) -> None:
    stranger = Desk(synced.rev.folder.parent / "x", synced.rev.key, synced.clock, synced.rev.wire)
    at = synced.server.here.key
    tlog.pin(stranger.db, "http://127.0.0.1:8470", at.origin, str(at.verifier), synced.clock())
    stranger.says("one")  # under no roster: the server does not take it
    report = stranger.sync()
    assert len(report.pushed.rejected) == 1
    assert report.words.startswith(
        "1 record sent, 2 received, 2 need attention: chain: it names no"
    )
    [refused] = tlog.rejected(stranger.db)
    assert (refused.code, refused.kind) == ("not-listed", "chain")
    assert [at for at, _ in tlog.void(stranger.db)] == [2]  # nobody told it which roster to trust
    assert stranger.sync().pushed.rejected == []
    assert tlog.offer_again(stranger.db) == 1
    assert len(stranger.sync().pushed.rejected) == 1
    stranger.db.close()


def test_pages_of_any_size_lead_to_the_same_mirror(synced: Town) -> None:
    for word in "abcdefg":
        synced.rev.says(word)
    synced.rev.limits = Limits(feed=2, records=3)
    synced.boss.limits = Limits(feed=1)
    meet(synced)
    whole(synced)


class Crash(BaseException):
    """The process ends."""


def test_a_sync_that_ends_anywhere_is_gone_on_with(synced: Town) -> None:
    for word in "abc":
        synced.rev.says(word)
    synced.rev.limits = Limits(feed=2, records=2)
    steps: list[str] = []
    for at in range(100):
        left = at

        def before(step: str) -> None:
            nonlocal left
            steps.append(step)
            if left == 0:
                raise Crash
            left -= 1

        synced.rev.before = before
        try:
            synced.rev.sync()
            break
        except Crash:
            synced.rev.reopen()
    else:
        pytest.fail("it never ended")
    assert {"records", "results", "stage", "cover", "apply"} <= set(steps)
    synced.rev.before = lambda _: None
    meet(synced)
    whole(synced)


def test_one_sync_of_a_workspace_runs_at_a_time(synced: Town) -> None:
    def second(step: str) -> None:
        if step == "stage":
            with pytest.raises(Conflict, match=r"another muster is syncing this workspace \(proc"):
                sync.sync(synced.rev.work(before=lambda _: None))

    synced.rev.says("one")
    synced.rev.before = second
    synced.rev.sync()
    synced.rev.before = lambda _: None
    synced.rev.sync()


def test_a_clock_that_jumps_changes_no_order(synced: Town) -> None:
    synced.rev.says("one")
    synced.rev.sync()
    synced.clock.seconds -= 2 * 86_400
    synced.rev.says("two")
    meet(synced)
    synced.clock.seconds += 20 * 86_400
    synced.boss.says("three")
    meet(synced)
    whole(synced)
    said = [json.loads(e.envelope)["payload"] for e in tlog.entries(synced.boss.db)]
    assert len(said) == 6


def test_a_laptop_that_slept_asks_for_a_new_session(synced: Town) -> None:
    """The clock that counts a session stands still while it sleeps; the server's does not."""

    def sleeps(step: str) -> None:
        if step == "records":
            synced.clock.seconds += 3_600

    synced.boss.next_roster(list(synced.desks.values()))  # its file is sent first: a session
    synced.boss.before = sleeps
    assert synced.boss.sync().pushed.accepted == 1
    assert [p for _, p, _ in synced.boss.wire.log].count("/v1/sessions") == 2


def test_a_full_disk_loses_nothing_and_says_so(synced: Town) -> None:
    for word in range(15):
        synced.rev.says(f"{word} {'x' * 2_000}")
    synced.rev.sync()
    pages = synced.boss.db.value("PRAGMA page_count")
    synced.boss.db.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(store.OperationalError, match="full"):
        synced.boss.sync()
    assert synced.boss.db.value("PRAGMA integrity_check") == "ok"
    synced.boss.db.execute("PRAGMA max_page_count = 1000000")
    synced.boss.sync()
    meet(synced)
    whole(synced)


# --- a log that contradicts itself


def halted(desk: Desk, why: str) -> None:
    """The sync stops, both checkpoints are kept, and work here goes on."""
    before = tlog.pinned(desk.db)
    with pytest.raises(VerificationFailed, match=why):
        desk.sync()
    after = tlog.pinned(desk.db)
    assert (after.size, after.root, after.note) == (before.size, before.root, before.note)
    [evidence] = tlog.halts(desk.db)
    assert evidence.ours == before.note
    assert note.parse_checkpoint(note.parse(evidence.theirs).text).root != before.root
    state = sync.state(desk.db)
    assert state.kind == "halted"
    assert re.match(r"sync halted(, \d+ records? waiting)?: ", state.words)
    desk.says("meanwhile")
    assert "meanwhile" in desk.words
    with pytest.raises(VerificationFailed, match="halted"):
        desk.sync()
    assert len(tlog.halts(desk.db)) == 1
    with pytest.raises(store.IntegrityError, match="never deleted"):
        desk.db.execute("DELETE FROM halt")


def test_a_log_that_was_set_back_halts_the_sync_and_is_told(synced: Town) -> None:
    backup = synced.server.backup()
    synced.rev.says("one")
    synced.rev.sync()
    with synced.server.stopped():
        synced.server.put_back(backup)
    halted(synced.rev, "it was set back")
    with synced.server.here.store.reading() as tx:
        assert "set back" in str(tx.value("SELECT stopped FROM head"))
    synced.boss.says("two")
    with pytest.raises(Unreachable, match="set back"):
        synced.boss.sync()


def forked(place: Town, mine: int, theirs: int) -> None:
    """The desks were shown two branches of one log: rev *mine* entries of it, boss *theirs*."""
    backup = place.server.backup()
    for n in range(mine):
        place.rev.says(f"mine {n}")
    place.rev.sync()
    with place.server.stopped():
        place.server.put_back(backup)
    for n in range(theirs):
        place.boss.says(f"theirs {n}")
    place.boss.sync()


def test_two_logs_of_one_size_halt_the_sync(synced: Town) -> None:
    forked(synced, 1, 1)
    halted(synced.rev, "different people different logs")


def test_a_longer_branch_halts_the_sync(synced: Town) -> None:
    forked(synced, 1, 3)
    halted(synced.rev, "do not lead to the root that it signed")


def test_a_desk_with_something_to_send_finds_the_longer_branch_too(synced: Town) -> None:
    """The server refuses its records, for its log was set back; it does not stop at that."""
    forked(synced, 1, 3)
    synced.rev.says("not sent")
    halted(synced.rev, "do not lead to the root that it signed")
    with synced.server.here.store.reading() as tx:
        assert "set back" in str(tx.value("SELECT stopped FROM head"))


def test_another_key_halts_the_sync(synced: Town, tmp_path: Path) -> None:
    with town(tmp_path / "other", synced.clock) as other:
        synced.rev.wire.server = other.server
        halted(synced.rev, "under another key")


def test_bytes_that_were_changed_on_the_way_are_not_kept(synced: Town) -> None:
    synced.boss.says("one")
    synced.boss.sync()
    size = tlog.pinned(synced.rev.db).size

    def change(path: str, body: bytes) -> bytes:
        return body.replace(b"payloadType", b"payloadtype") if "/feed" in path else body

    synced.rev.wire.bend = change
    with pytest.raises(VerificationFailed, match="other bytes than those that are logged"):
        synced.rev.sync()
    assert (tlog.staged(synced.rev.db), tlog.pinned(synced.rev.db).halted) == (size, None)

    def swap(path: str, body: bytes) -> bytes:
        if "/feed" not in path:
            return body
        first, *rest = body.splitlines(keepends=True)
        made = {"index": json.loads(first)["index"], "leaf": "ab" * 32, "line": None}
        return json.dumps(made).encode() + b"\n" + b"".join(rest)

    synced.rev.wire.bend = swap
    with pytest.raises(VerificationFailed, match="do not lead to the root"):
        synced.rev.sync()
    assert tlog.pinned(synced.rev.db).size == size
    assert tlog.staged(synced.rev.db) == size


def test_what_is_left_of_an_earlier_time_is_no_contradiction(synced: Town) -> None:
    """Entries that no checkpoint had covered came before the server lost them."""
    synced.boss.says("one")
    synced.boss.sync()
    before = tlog.pinned(synced.rev.db).size
    tlog.stage(synced.rev.db, before, [tlog.Fed(b"\1" * 32, None), tlog.Fed(b"\2" * 32, None)])
    synced.rev.sync()
    assert tlog.pinned(synced.rev.db).halted is None
    whole(synced)


def test_a_page_that_comes_late_or_twice_is_left_alone(synced: Town) -> None:
    size = tlog.staged(synced.rev.db)
    page = [tlog.Fed(b"\1" * 32, None)]
    assert not tlog.stage(synced.rev.db, size - 1, page)
    assert not tlog.stage(synced.rev.db, size + 1, page)
    assert tlog.stage(synced.rev.db, size, page)
    assert not tlog.stage(synced.rev.db, size, page)
    with pytest.raises(VerificationFailed, match="twice"):
        tlog.stage(synced.rev.db, size + 1, page)
    assert tlog.staged(synced.rev.db) == size + 1


FEEDS: dict[str, tuple[Callable[[list[bytes]], list[bytes]], str]] = {
    "no checkpoint": (lambda rows: rows[:-1], "no checkpoint at its end"),
    "no entries": (lambda rows: rows[-1:], "ends before its own checkpoint"),
    "a gap": (lambda rows: rows[1:], "not as it should be"),
    "another order": (lambda rows: [rows[1], rows[0], *rows[2:]], "not as it should be"),
    "more behind": (lambda rows: [*rows, rows[-1]], "goes on behind"),
    "no JSON": (lambda rows: [b"{\n", *rows], "not as it should be"),
    "deep JSON": (lambda rows: [b"[" * 50_000 + b"\n", *rows], "not as it should be"),
    "a short leaf": (
        lambda rows: [rows[0].replace(b'"leaf":"', b'"leaf":"ab'), *rows[1:]],
        "not as it should be",
    ),
    "no end": (lambda rows: [b"x" * 200_000], "no end"),
}


def bent(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[str, bytes], bytes]:
    """The lines of the feed as they are after *change*."""

    def bend(path: str, body: bytes) -> bytes:
        lines = body.splitlines(keepends=True)
        return b"".join(change(lines)) if "/feed" in path else body

    return bend


def test_a_feed_of_another_form_is_refused_and_nothing_is_kept(synced: Town) -> None:
    for word in "abc":
        synced.boss.says(word)
    synced.boss.sync()
    size = tlog.staged(synced.rev.db)
    for change, why in FEEDS.values():
        synced.rev.wire.bend = bent(change)
        with pytest.raises(Unreachable, match=why):
            synced.rev.sync()
        assert tlog.pinned(synced.rev.db).size == size
    synced.rev.wire.bend = lambda _, body: body
    meet(synced)
    whole(synced)


# --- witnesses


def witness() -> tuple[VerifierKey, Callable[[str], str]]:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    private = Ed25519PrivateKey.generate()
    key = witness_key("auditor.example/w1", private.public_key().public_bytes_raw())

    def cosigned(signed: str) -> str:
        read = note.parse(signed)
        line = note.cosign(read.text, key, private.sign, 1_790_000_000)
        return str(note.Note(read.text, (*read.lines, line)))

    return key, cosigned


def test_a_checkpoint_without_the_witnesses_that_are_asked_for_is_not_believed(
    synced: Town,
) -> None:
    key, cosigned = witness()
    synced.boss.says("one")
    synced.boss.sync()
    size = tlog.pinned(synced.rev.db).size
    synced.rev.witnesses, synced.rev.quorum = (key,), 1
    with pytest.raises(VerificationFailed, match="0 of the 1 witnesses"):
        synced.rev.sync()
    at = tlog.pinned(synced.rev.db)
    assert (at.size, at.halted) == (size, None)

    def bend(path: str, body: bytes) -> bytes:
        if path.endswith("checkpoint"):
            return cosigned(body.decode()).encode()
        if "/feed" in path:
            *rows, last = body.splitlines(keepends=True)
            signed = cosigned(json.loads(last)["checkpoint"])
            return b"".join(rows) + json.dumps({"checkpoint": signed}).encode() + b"\n"
        return body

    synced.rev.wire.bend = bend
    synced.rev.sync()
    assert tlog.pinned(synced.rev.db).size == size + 1
    assert "auditor.example/w1" in str(tlog.pinned(synced.rev.db).note)
    other, wrong = witness()
    synced.rev.wire.bend = lambda path, body: (
        wrong(body.decode()).encode() if path.endswith("checkpoint") else body
    )
    with pytest.raises(VerificationFailed, match=r"does not match the text|0 of the 1"):
        synced.rev.sync()
    assert other.name == key.name


# --- a server that was restored


def recover(place: Town, backup: dict[str, bytes], size: int, reason: str) -> None:
    """What its operator does: put the backup back, and begin a new epoch."""
    with place.server.stopped():
        place.server.put_back(backup)
        server.recover(place.server.here.settings, size, reason)


def test_a_restored_log_is_followed_and_gets_back_what_anybody_holds(synced: Town) -> None:
    backup, size = synced.server.backup(), len(synced.server.lines)
    for desk in synced.desks.values():
        desk.says(f"of {desk.me}")
        desk.sync()
    synced.rev.says("not sent")
    old = tlog.pinned(synced.rev.db).origin
    recover(synced, backup, size, "the disk died")
    report = synced.rev.sync()
    assert report.recovered is not None
    assert (report.recovered.size, report.recovered.reason) == (size, "the disk died")
    assert tlog.pinned(synced.rev.db).origin == synced.server.here.key.origin != old
    assert sync.state(synced.rev.db).kind == "synced"
    meet(synced)
    whole(synced)
    assert synced.boss.words == ["not sent", "of boss@example.com", "of rev@example.com"]


def test_a_halted_sync_goes_on_by_a_signed_recovery_and_keeps_the_evidence(synced: Town) -> None:
    backup, size = synced.server.backup(), len(synced.server.lines)
    synced.rev.says("one")
    synced.rev.sync()
    with synced.server.stopped():
        synced.server.put_back(backup)
    halted(synced.rev, "it was set back")
    recover(synced, synced.server.backup(), size, "from Monday's tape")
    meet(synced)
    whole(synced)
    assert len(tlog.halts(synced.rev.db)) == 1


def test_a_log_that_was_restored_twice_is_followed_step_by_step(synced: Town) -> None:
    backup, size = synced.server.backup(), len(synced.server.lines)
    synced.rev.says("one")
    synced.rev.sync()
    recover(synced, backup, size, "first")
    recover(synced, synced.server.backup(), size, "second")
    meet(synced)
    whole(synced)


def test_a_log_that_is_restored_again_after_the_first_time_was_followed(synced: Town) -> None:
    for word in ("first", "second", "third"):
        backup, size = synced.server.backup(), len(synced.server.lines)
        synced.rev.says(word)
        synced.rev.sync()
        recover(synced, backup, size, word)
        report = synced.rev.sync()
        assert report.recovered is not None
        assert report.recovered.reason == word
        meet(synced)
        whole(synced)


def test_a_recovery_of_another_history_is_none(synced: Town) -> None:
    """The old key signs for entries that we have never seen under it."""
    forked(synced, 2, 2)
    recover(synced, synced.server.backup(), len(synced.server.lines), "trust me")
    with pytest.raises(VerificationFailed, match="about other entries than those"):
        synced.rev.sync()
    assert sync.state(synced.rev.db).kind == "halted"
    assert tlog.pinned(synced.rev.db).origin != synced.server.here.key.origin


def without_key(place: Town, backup: dict[str, bytes]) -> None:
    """The operator lost the old key too: nobody signs the recovery but the new one."""
    with place.server.stopped():
        place.server.put_back(backup)
        (place.server.folder / "log.key").unlink()
        server.recover(place.server.here.settings, None, "lost the key", without_old_key=True)


def test_without_the_old_key_a_person_vouches_for_the_new_one(synced: Town) -> None:
    backup, size = synced.server.backup(), len(synced.server.lines)
    synced.rev.says("one")
    synced.boss.says("two")
    meet(synced)
    without_key(synced, backup)
    halted(synced.rev, "under another key")
    pin = central.pin_of(str(synced.server.here.key.verifier))
    with pytest.raises(UsageError, match=f"pin {pin[:10]}"):
        sync.accept(synced.rev.work(), "A" * 43)
    found = sync.accept(synced.rev.work(), pin)
    assert (found.size, found.before) == (size, size + 2)
    synced.rev.sync()
    sync.accept(synced.boss.work(), pin)
    meet(synced)
    whole(synced)


def test_another_log_altogether_is_not_accepted(synced: Town, tmp_path: Path) -> None:
    with town(tmp_path / "other", synced.clock) as other:
        synced.rev.wire.server = other.server
        pin = central.pin_of(str(other.server.here.key.verifier))
        with pytest.raises(VerificationFailed, match="it is another log"):
            sync.accept(synced.rev.work(), pin)
    assert tlog.pinned(synced.rev.db).halted is None


# --- what a screen says


def test_a_workspace_says_where_its_sync_stands(place: Town, db: store.Database) -> None:
    assert sync.state(db).words == "no central log"
    assert sync.state(place.rev.db).words == "never synced, 2 records waiting"
    place.rev.sync()
    assert sync.state(place.rev.db).words == f"synced {place.clock()}"
    place.rev.says("one")
    assert sync.state(place.rev.db).words == "1 record waiting"
