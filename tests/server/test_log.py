"""The log itself: what is read of it, what it refuses to sign, and how it goes on after a loss."""

import itertools
import shutil
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from passmuster import attestations, central, merkle, note, server
from passmuster.errors import UsageError, WorkspaceError
from passmuster.note import Checkpoint
from passmuster.server import Central, Settings, _blobs, _log
from passmuster.server._anchor import Ahead
from passmuster.text import sha256
from tests.server.conftest import Speak
from tests.server.running import opened, running, settle, talking
from tests.server.town import AUDITOR, BOSS, OTHER, REV, Town, leaf


def fill(served: Central, town: Town, count: int = 3) -> str:
    """A published campaign and some decisions of Rev; the campaign's digest."""
    lines = town.campaign()
    digest = attestations.unchecked(lines[0]).name
    settle(served, town, [*lines, *town.decisions(REV, digest, count)])
    return digest


def head(here: Central) -> _log.Head:
    with here.store.reading() as tx:
        return _log.head(tx)


# --- reading


def test_tiles_are_those_of_the_log_and_only_those(
    served: Central, speak: Speak, town: Town
) -> None:
    fill(served, town, 300)
    nobody = speak()
    now = head(served)

    assert now.size == 303
    first = nobody.ask("GET", "/v1/log/tile/0/000").content
    last = nobody.ask("GET", "/v1/log/tile/0/001.p/47").content
    tree = merkle.Frontier()
    for at in range(0, len(first + last), 32):
        tree.append((first + last)[at : at + 32])
    assert (tree.size, tree.root()) == (303, now.root.hex())
    assert nobody.ask("GET", "/v1/log/tile/1/000.p/1").content.hex() == _root(first)
    for wrong in ("0/001", "0/001.p/48", "0/002", "1/000", "0/0", "64/000", "0/000.p/0",
                  "0/000.p/256", "0/x000/000", "0/000.p/07", "-1/000", "0/000.p/"):  # fmt: skip
        assert nobody.ask("GET", f"/v1/log/tile/{wrong}").status_code == 404, wrong


def _root(hashes: bytes) -> str:
    tree = merkle.Frontier()
    for at in range(0, len(hashes), 32):
        tree.append(hashes[at : at + 32])
    return tree.root()


def test_everybody_reads_every_leaf_and_only_their_own_lines(
    served: Central, speak: Speak, town: Town
) -> None:
    fill(served, town)
    whole, blind = speak(AUDITOR).feed()[0], speak(OTHER).feed()[0]
    assert all(row["line"] for row in whole)
    assert [row["leaf"] for row in blind] == [row["leaf"] for row in whole]
    assert [row["line"] is not None for row in blind] == [True] + [False] * 5
    other, auditor = speak(OTHER), speak(AUDITOR)
    hidden = whole[4]["leaf"]
    assert other.ask("GET", f"/v1/records/{hidden}").status_code == 404
    found = auditor.ask("GET", f"/v1/records/{hidden}")
    assert leaf(found.content) == hidden


def test_a_page_of_the_feed_ends_where_it_was_asked_to(
    served: Central, speak: Speak, town: Town
) -> None:
    fill(served, town, 5)
    boss = speak(BOSS)
    pages = [boss.feed(after, limit=3)[0] for after in (0, 3, 6, 8, 99)]
    assert [[row["index"] for row in page] for page in pages] == [
        [0, 1, 2], [3, 4, 5], [6, 7], [], [],
    ]  # fmt: skip
    assert boss.ask("GET", "/v1/feed?after=-1").json()["code"] == "bad-request"


def test_who_waits_for_news_gets_them_when_they_come(
    served: Central, speak: Speak, town: Town
) -> None:
    digest = fill(served, town)
    boss, rev = speak(BOSS), speak(REV)
    found: list[Any] = []
    waiting = threading.Thread(target=lambda: found.extend(boss.feed(6, wait=25)[0]))
    waiting.start()
    lines = town.decisions(REV, digest)
    rev.put(town.blobs.values())
    rev.send(lines)
    waiting.join(20)
    assert [row["line"].encode() for row in found] == lines


# --- blobs


def test_a_blob_comes_back_as_it_went_whatever_its_size(
    served: Central, speak: Speak, town: Town
) -> None:
    fill(served, town)
    boss = speak(BOSS)
    for size in (0, 1, _blobs.PIECE, _blobs.PIECE + 1, 3 * _blobs.PIECE):
        data = bytes(itertools.islice(itertools.cycle(b"muster"), size))
        digest = sha256(data)
        assert boss.ask("PUT", f"/v1/blobs/{digest}", data).status_code == 201
        assert boss.ask("PUT", f"/v1/blobs/{digest}", data).status_code == 200
        about = town.say("campaign", BOSS, {"name": str(size)}, {"definition.json": data})
        boss.send([about])
        for coding in ("gzip", "identity"):
            found = boss.ask("GET", f"/v1/blobs/{digest}", Accept_Encoding=coding)
            assert sha256(found.content) == digest
            assert found.headers.get("content-encoding", "identity") == coding


def test_bytes_that_are_not_what_they_are_called_leave_nothing(
    served: Central, speak: Speak
) -> None:
    boss = speak(BOSS)
    digest = sha256(b"something else")
    wrong = boss.ask("PUT", f"/v1/blobs/{digest}", bytes(3 * _blobs.PIECE))
    assert (wrong.status_code, wrong.json()["code"]) == (422, "blob-wrong")
    asked = boss.ask("POST", "/v1/blobs/missing", f'{{"digests":["{digest}"]}}'.encode())
    assert asked.json() == {"missing": [digest]}
    with served.store.reading() as tx:
        assert tx.value("SELECT count(*) FROM upload") == 0
        assert tx.value("SELECT count(*) FROM piece") == tx.value(
            "SELECT count(*) FROM stored_blob"
        )


def test_an_upload_that_never_ended_is_swept_away(served: Central) -> None:
    with served.store.transaction() as tx:
        for upload, at in (("old", "2026-01-01T00:00:00Z"), ("new", served.clock())):
            _blobs._keep(tx, upload, 0, b"half", at)
        assert _blobs.sweep(tx, served.clock()) == 1
        assert [row[0] for row in tx.execute("SELECT upload FROM piece WHERE upload IN (?, ?)",
                                             ("old", "new"))] == ["new"]  # fmt: skip
    served.close()


def test_half_a_request_leaves_nothing(served: Central, speak: Speak) -> None:
    boss = speak(BOSS)
    digest = sha256(b"whole")
    assert boss.session is not None
    proof = boss.session.headers("PUT", f"{boss.url}/v1/blobs/{digest}")
    host, port = boss.url.removeprefix("http://").split(":")
    head = [
        f"PUT /v1/blobs/{digest} HTTP/1.1",
        f"Host: {host}:{port}",
        f"Content-Length: {4 * _blobs.PIECE}",
        *(f"{k}: {v}" for k, v in proof.items()),
    ]
    with socket.create_connection((host, int(port)), 10) as half:
        half.sendall("\r\n".join(head).encode() + b"\r\n\r\n" + bytes(2 * _blobs.PIECE + 5))
    for _ in range(1_000):
        with served.store.reading() as tx:
            if not tx.value("SELECT count(*) FROM upload") and "400" in boss.ask(
                "GET", "/metrics"
            ).text:  # fmt: skip
                break
    with served.store.reading() as tx:
        assert tx.value("SELECT count(*) FROM upload") == 0
        assert tx.value("SELECT count(*) FROM piece") == 1  # of the roster's file
    assert boss.ask("POST", "/v1/blobs/missing", f'{{"digests":["{digest}"]}}'.encode()).json()


@pytest.mark.parametrize("database", [None])
def test_a_full_disk_is_told_and_nothing_is_half_there(
    served: Central, speak: Speak, town: Town, database: None
) -> None:
    digest = fill(served, town)
    rev = speak(REV)
    lines = town.decisions(REV, digest, 300)
    before = head(served)
    with served.store.transaction() as tx:
        for line in lines:
            _blobs.keep(tx, town.blobs[central.read(line).blobs[0]], served.clock())
        pages = tx.value("PRAGMA page_count")
        tx.execute(f"PRAGMA max_page_count = {pages + 10}")
    full = rev.ask("POST", "/v1/records", b"\n".join(lines))
    assert (full.status_code, full.json()["code"]) == (503, "unavailable")
    assert head(served) == before
    with served.store.transaction() as tx:
        tx.execute("PRAGMA max_page_count = 1073741823")
    assert rev.send(lines)["size"] == before.size + 300


# --- what was set back


def restart(here: Central) -> Central:
    here.close()
    return server.open_central(here.settings)


def forget(here: Central, size: int) -> None:
    """Set a log back to its first *size* records, as an old backup does."""
    sql = {"sqlite": ["DROP TRIGGER record_stays"],
           "postgres": ["DROP TRIGGER record_is_final ON record"]}[here.store.dialect]  # fmt: skip
    with here.store.transaction() as tx:
        for one in sql:
            tx.execute(one)
        leaves = [bytes(r[0]) for r in tx.execute("SELECT leaf FROM record ORDER BY idx")]
        tx.execute("DELETE FROM record WHERE idx >= ?", (size,))
        tx.execute("DELETE FROM log_tile")
        empty = _log.Head(here.key.origin, "", 0, b"", None)
        _log.grow(tx, empty, leaves[:size], size)


def test_a_database_that_is_behind_its_anchor_is_not_served(served: Central, town: Town) -> None:
    fill(served, town)
    forget(served, 3)
    with pytest.raises(Ahead, match="set back; stop the server and see `muster serve recover"):
        restart(served)


def test_a_database_that_was_set_back_and_grew_again_is_not_served(
    served: Central, town: Town
) -> None:
    digest = fill(served, town)
    forget(served, 3)
    lines = town.decisions(REV, digest, 4)
    with served.store.transaction() as tx:
        _log.grow(tx, _log.head(tx), [merkle.leaf_hash(line) for line in lines], 4)
    with pytest.raises(Ahead, match="not those that the anchor has seen"):
        restart(served)


def test_a_database_that_is_set_back_while_it_is_served_signs_nothing_more(
    served: Central, speak: Speak, town: Town
) -> None:
    digest = fill(served, town)
    rev = speak(REV)
    rev.feed()
    forget(served, 3)
    other = Town()
    other.roster()
    other.campaign()
    other.blob(b"so that what follows is not what was there")
    lines = other.decisions(REV, digest, 9)  # more than it had: the size alone tells nothing
    rev.put(other.blobs.values())
    refused = rev.ask("POST", "/v1/records", b"\n".join(lines))
    assert (refused.status_code, refused.json()["code"]) == (503, "log-rollback")
    assert "Retry-After" in refused.headers
    assert rev.ask("GET", "/v1/log/checkpoint").json()["code"] == "log-rollback"
    assert rev.ask("GET", "/readyz").status_code == 503


def test_a_client_that_has_seen_more_is_believed_for_its_own_request_alone(
    served: Central, speak: Speak, town: Town
) -> None:
    digest = fill(served, town)
    rev = speak(REV)
    now = head(served)
    lines = town.decisions(REV, digest, 2)
    rev.put(town.blobs.values())
    for said in (Checkpoint(now.origin, now.size + 1, now.root),
                 Checkpoint(now.origin, now.size, bytes(32))):  # fmt: skip
        value = central.seen_header(said)
        refused = rev.ask("POST", "/v1/records", lines[0], Muster_Seen=value)
        assert (refused.status_code, refused.json()["code"]) == (503, "log-rollback")
    assert rev.ask("GET", "/readyz").status_code == 200
    for fine in ("", central.seen_header(now.checkpoint), central.seen_header(
        Checkpoint("another/log", 10**9, bytes(32))
    )):  # fmt: skip
        assert rev.send(lines[:1], seen=fine)["size"] == now.size + 1
    assert rev.ask("POST", "/v1/records", b"", Muster_Seen="x").json()["code"] == "bad-request"


def test_a_checkpoint_that_the_log_does_not_hold_stops_it_for_all(
    served: Central, speak: Speak, town: Town
) -> None:
    digest = fill(served, town)
    rev = speak(REV)
    now = head(served)

    def tell(said: Checkpoint, key: _log.LogKey = served.key) -> Any:
        signed = str(key.sign(said)).replace("\n", "\\n")
        return speak().ask("POST", "/v1/log/seen", f'{{"checkpoint":"{signed}"}}'.encode())

    assert tell(now.checkpoint).json()["holds"] is True
    stranger = _log.LogKey(
        Ed25519PrivateKey.generate(), served.key.verifier
    )  # a signature of anybody else stops nothing
    assert tell(Checkpoint(now.origin, 99, bytes(32)), stranger).status_code == 400
    assert rev.ask("GET", "/readyz").status_code == 200
    assert tell(Checkpoint(now.origin, now.size + 3, bytes(32))).json()["holds"] is False
    lines = town.decisions(REV, digest)
    rev.put(town.blobs.values())
    refused = rev.ask("POST", "/v1/records", lines[0])
    assert (refused.status_code, refused.json()["code"]) == (503, "log-rollback")
    assert rev.ask("GET", "/readyz").status_code == 503
    assert rev.feed()[0]  # reading goes on


def test_a_recovered_log_has_a_new_name_and_says_what_the_old_one_is_worth(
    served: Central, town: Town
) -> None:
    digest = fill(served, town)
    old = served.key
    with served.store.reading() as tx:
        lost = [bytes(r[0]) for r in tx.execute("SELECT line FROM record WHERE idx >= 4"
                                                " ORDER BY idx")]  # fmt: skip
    forget(served, 4)
    served.close()
    for wrong in (-1, 5):
        with pytest.raises(UsageError, match="--to is a size"):
            server.recover(served.settings, wrong, "why")
    with pytest.raises(UsageError, match="a reason is one line"):
        server.recover(served.settings, 4, " \n")
    server.recover(served.settings, 4, "the disk was lost")
    again = server.open_central(served.settings)
    with running(again) as url:
        with talking(url) as nobody:
            about = nobody.ask("GET", "/v1/about").json()
        [statement] = about["recovery"]["notes"]
        said = central.read_recovery(statement, old.verifier)
        assert said is not None
        assert (said.old_origin, said.size, said.reason) == (old.origin, 4, "the disk was lost")
        assert (about["origin"], about["key"]) == (said.new_origin, said.new_key)
        assert said.new_origin != old.origin
        assert said.new_key.rpartition("+")[2] != str(old.verifier).rpartition("+")[2]
        with talking(url, town, REV) as rev:
            rows, signed = rev.feed()
            assert len(rows) == 4
            assert note.parse_checkpoint(note.parse(signed).text).origin == said.new_origin
            # what laptops still have is offered again, and takes its place before what is new
            lines = [*lost, *town.decisions(REV, digest)]
            rev.put(town.blobs.values())
            assert [r["index"] for r in rev.send(lines)["results"]] == [4, 5, 6]


def test_a_recovery_that_was_killed_half_way_is_finished_by_the_next_start(
    served: Central, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(served, town)
    served.close()
    old_key = (served.settings.folder / _log.KEY_FILE).read_bytes()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("passmuster.server._recovery.finish_recovery", killed)
        with pytest.raises(KeyboardInterrupt):
            server.recover(served.settings, 6, "a test")
    again = server.open_central(served.settings)
    assert again.key.origin != served.key.origin
    assert head(again).origin == again.key.origin
    again.close()
    files = {p.name: p.read_bytes() for p in served.settings.folder.glob("*.key*")}
    assert old_key in files.values()
    assert len(files) == 2


@pytest.mark.parametrize("left", ["nothing", "another log's"])
def test_a_log_whose_key_is_lost_gets_a_new_one_only_when_that_is_said(
    served: Central, town: Town, tmp_path: Path, left: str
) -> None:
    fill(served, town)
    folder, before = served.settings.folder, head(served)
    served.close()
    key_file = folder / _log.KEY_FILE
    with pytest.raises(UsageError, match="is the log's key: recover with it"):
        server.recover(served.settings, None, "lost", without_old_key=True)
    with pytest.raises(UsageError, match="with --to how many records the backup had"):
        server.recover(served.settings, None, "lost")
    key_file.unlink()
    if left != "nothing":
        opened(tmp_path / "two").close()
        shutil.copy(tmp_path / "two" / _log.KEY_FILE, key_file)
    aside = key_file.read_bytes() if key_file.exists() else None
    with pytest.raises(WorkspaceError, match=r"serve recover --without-old-key` gives the log"):
        server.recover(served.settings, before.size, "lost")
    said = server.recover(served.settings, None, "lost", without_old_key=True)
    assert (said.size, said.root) == (before.size, before.root.hex())
    assert central.read_recovery(notes(served.settings)[-1], served.key.verifier) is None
    again = server.open_central(served.settings)
    now = head(again)
    assert (now.size, now.root, now.origin) == (before.size, before.root, said.new_origin)
    assert again.key.verifier != served.key.verifier
    again.close()
    kept = {p.read_bytes() for p in folder.glob("log-*.key")}
    assert kept == (set() if aside is None else {aside})


def notes(settings: Settings) -> list[str]:
    """Every statement of recovery that the server tells."""
    here = server.open_central(settings)
    with here.store.reading() as tx:
        found: list[str] = [row[0] for row in tx.execute("SELECT note FROM recovery ORDER BY n")]
    here.close()
    return found


# --- its folder


def test_a_folder_that_others_may_enter_and_a_key_of_another_log_are_refused(
    tmp_path: Path,
) -> None:
    here = opened(tmp_path / "one")
    here.close()
    other = opened(tmp_path / "two")
    other.close()
    folder = tmp_path / "one"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in folder.iterdir())
    shutil.copy(tmp_path / "two" / _log.KEY_FILE, folder / _log.KEY_FILE)
    with pytest.raises(WorkspaceError, match="not the key of the log in the database"):
        opened(folder)
    (folder / _log.KEY_FILE).unlink()
    for begin in (True, False):
        with pytest.raises(WorkspaceError, match=r"not here: copy log\.key from another replica"):
            server.open_central(Settings(folder), begin=begin)
    assert not (folder / _log.KEY_FILE).exists()
    folder.chmod(0o755)
    with pytest.raises(WorkspaceError, match="chmod 700"):
        opened(folder)


def test_an_empty_database_beside_an_anchor_that_knows_more_begins_no_second_log(
    tmp_path: Path, town: Town
) -> None:
    here = opened(tmp_path / "central")
    settle(here, town, [town.roster()])
    here.close()
    for path in (tmp_path / "central").glob("central.db*"):
        path.unlink()
    with pytest.raises(WorkspaceError, match="the anchor has seen a log of 1 records"):
        server.open_central(Settings(tmp_path / "central"))
