"""`muster sync`, and what other commands say of the central log, against a running server."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from passmuster import central, note, store, sync, tlog
from tests.conftest import Muster
from tests.sync.faults import closes, reply, sends, serving
from tests.sync.town import Desk, Plan, Town, built


@pytest.fixture
def online(at_rest: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A town whose commands find its server on the wire, and the key of rev without a question."""
    with built(at_rest, tmp_path / "town") as found:
        desk = found.rev
        speak = sync.speak

        def here(db: Any, key: Any, ca: Any = None, **more: Any) -> Any:
            wire = {"transport": desk.wire, "wall": lambda: found.clock.seconds,
                    "sleep": lambda _: None}  # fmt: skip
            return speak(db, key, ca, **{**wire, **more})

        monkeypatch.setattr(sync, "speak", here)
        monkeypatch.setattr("passmuster.cli.common.Bench.key", lambda _: desk.key)
        monkeypatch.setattr("passmuster.cli.sync.now", found.clock)
        yield found


def said(done: subprocess.CompletedProcess[str]) -> str:
    """What the command told; the server in this process tells its requests there too."""
    lines = done.stderr.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith('{"at"'))


@pytest.fixture
def folder(online: Town) -> Path:
    """The commands work where rev does."""
    return online.rev.folder


def test_a_sync_says_in_one_sentence_what_happened(online: Town, inside: Muster) -> None:
    online.rev.says("one")
    online.boss.says("two")
    online.boss.sync()
    done = inside("sync")
    assert (done.stdout, said(done)) == ("", "1 record sent, 1 received.\n")
    assert inside("sync", "--json").stdout.startswith('[\n{"sent": 0, "known": 0,')


def test_the_status_needs_no_network(online: Town, inside: Muster) -> None:
    online.rev.wire.fate = lambda *_: "no_request"
    assert inside("sync", "--status").stdout.splitlines() == [
        "state    synced 2026-11-23T08:00:00Z",
        "central  http://127.0.0.1:8470, 3 entries verified",
    ]
    failed = inside("sync", code=1)
    assert failed.stderr.splitlines()[-1].startswith("muster: http://127.0.0.1:8470: the connect")
    shown = inside("sync", "--status")
    assert shown.stdout.startswith("state    offline since 2026-11-23T08:00:00Z\n")
    assert "the connection broke off" in shown.stderr
    [row] = json.loads(inside("sync", "--status", "--json").stdout)
    assert (row["kind"], row["size"], row["evidence"]) == ("offline", 3, [])


def test_a_log_that_was_set_back_ends_with_code_4_and_its_evidence(
    online: Town, inside: Muster
) -> None:
    backup = online.server.backup()
    online.rev.says("one")
    inside("sync")
    with online.server.stopped():
        online.server.put_back(backup)
    assert "it was set back" in inside("sync", code=4).stderr
    assert "ask who runs the server" in inside("sync", code=4).stderr
    shown = inside("sync", "--status", code=4).stdout.splitlines()
    assert shown[0].startswith("state    sync halted: the central log has 3 entries, and 4 were")
    assert shown[-1] == "evidence 1 pair of checkpoints: --json has them"
    [row] = json.loads(inside("sync", "--status", "--json", code=4).stdout)
    [evidence] = row["evidence"]
    key = online.server.here.key.verifier
    sizes = {
        note.open_checkpoint(evidence[side], [key]).checkpoint.size for side in ("ours", "theirs")
    }
    assert sizes == {3, 4}
    doctor = inside("doctor", "--json", code=1)
    found = {row["check"]: row for row in json.loads(doctor.stdout)}
    assert found["last sync"]["state"] == "broken"


def test_a_recovery_is_told_and_one_by_hand_needs_the_pin(online: Town, inside: Muster) -> None:
    from passmuster import server

    backup = online.server.backup()
    online.rev.says("one")
    inside("sync")
    with online.server.stopped():
        online.server.put_back(backup)
        server.recover(online.server.here.settings, 3, "the tape was old")
    online.rev.wire.bend = lambda path, body: (
        json.dumps({**json.loads(body), "recovery": None}).encode() if "/about" in path else body
    )
    assert "under another key" in inside("sync", code=4).stderr
    assert "not the one that you gave" in inside("sync", "--accept-recovery", "x", code=2).stderr
    pin = central.pin_of(str(online.server.here.key.verifier))
    done = inside("sync", "--accept-recovery", pin)
    assert "it has 3 of the 4 entries that were verified here" in done.stderr
    assert said(done).endswith("1 record sent, 0 received.\n")


def test_what_was_refused_is_shown_and_offered_again(
    online: Town, inside: Muster, tmp_path: Path
) -> None:
    online.rev.says("one")
    entry = tlog.size(online.rev.db)
    tlog.reject(online.rev.db, entry, "not-listed", "no\x1b[2J", online.clock())
    shown = inside("sync", "--status", code=1)
    assert shown.stdout.splitlines()[0] == "state    needs attention (1): 1 record refused"
    assert "(not-listed)" in shown.stdout
    assert "\x1b" not in shown.stdout
    assert said(inside("sync")) == "0 records sent, 0 received.\n"
    assert said(inside("sync", "--again")).splitlines() == [
        "1 record to be offered again.", "1 record sent, 0 received."
    ]  # fmt: skip


def test_entries_say_where_they_are_in_the_central_log(online: Town, inside: Muster) -> None:
    envelope = online.rev.says("one")
    rows = json.loads(inside("log", "show", "--entries", "--json").stdout)
    assert [row["central"] for row in rows] == [None, 0, 2, 1]
    refused = inside("log", "receipt", rows[0]["statement"], "--central", code=1)
    assert "muster sync" in refused.stderr
    inside("sync")
    made = inside("log", "receipt", rows[0]["statement"], "--central").stdout
    policy = note.Policy((online.server.here.key.verifier,))
    assert note.verify_receipt(made, envelope, policy).checkpoint.size == 4
    assert "leave --size out" in inside(
        "log", "receipt", rows[0]["statement"], "--central", "--size", "1", code=2
    ).stderr  # fmt: skip


def test_the_doctor_tells_the_pin_and_the_last_sync(online: Town, inside: Muster) -> None:
    found = {row["check"]: row for row in json.loads(inside("doctor", "--json", code=None).stdout)}
    key = online.server.here.key
    assert found["pinned key"]["found"] == f"{central.pin_of(str(key.verifier))} of {key.origin}"
    assert found["last sync"]["found"] == "synced 2026-11-23T08:00:00Z"
    assert found["central log"]["found"].endswith("3 entries verified")


def test_a_workspace_without_a_central_log_says_how_to_join(
    online: Town, tmp_path: Path, inside: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MUSTER_WORKSPACE", str(tmp_path / "alone"))
    store.create(tmp_path / "alone").close()
    assert inside("sync", "--status").stdout == "state    no central log\n"
    assert "muster enroll INVITATION" in inside("sync", code=1).stderr


def test_more_witnesses_than_there_are_is_said(
    online: Town, inside: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    (online.rev.folder / "config.toml").write_text('witnesses = ["x"]\n')
    (online.rev.folder / "config.toml").chmod(0o600)
    assert "not a verifier key" in inside("sync", code=4).stderr


@pytest.mark.ci
def test_a_real_process_on_a_bad_network_says_one_line(
    at_rest: Plan, tmp_path: Path, muster: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with built(at_rest, tmp_path / "town") as found:
        desk: Desk = found.rev
        monkeypatch.setenv("MUSTER_WORKSPACE", str(desk.folder))
        portal = sends(reply(b"200 OK", b"Content-Type: text/html\r\n", b"<html>Log in"))
        for handler, why in ((portal, "page to log in at"), (closes, "broke off")):
            with serving(handler) as served:
                desk.db.execute("UPDATE central SET url = ?", (served.url,))
                done = muster("sync", code=1)
            assert why in done.stderr.splitlines()[-1]


def test_a_watch_goes_on_over_a_bad_hour_and_tells_only_news(
    online: Town, inside: Muster, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            online.rev.wire.fate = lambda *_: "ok"
            online.rev.says("after the bad hour")
        if len(pauses) > 3:
            raise KeyboardInterrupt

    monkeypatch.setattr("passmuster.cli.sync.time.sleep", sleep)
    longest = (lambda _low, high: high,)
    monkeypatch.setattr("passmuster.sync._pausing.pause_s.__defaults__", longest)
    monkeypatch.setattr("passmuster.cli.sync.WAIT_S", 0)
    online.rev.wire.fate = lambda *_: "no_request"
    told = sync.sync

    def once(work: sync.Work, wait_s: int = 0) -> sync.Report:
        report = told(work, wait_s)
        online.rev.wire.fate = lambda *_: "no_request"
        return report

    monkeypatch.setattr(sync, "sync", once)
    done = inside("sync", "--watch", code=130)
    assert pauses == [2, 4, 8, 2]
    lines = [line for line in said(done).splitlines() if line and "trying again" not in line]
    assert lines == ["1 record sent, 0 received.", "muster: stopped; nothing half-done was kept"]
    assert set(online.rev.words) == {"after the bad hour"}
