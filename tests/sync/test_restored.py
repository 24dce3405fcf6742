"""A server that was restored from an old backup, and one that is two: real processes, real HTTP."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from passmuster import attestations, note, store, sync, tlog
from passmuster.errors import VerificationFailed
from passmuster.store import Database
from tests.bench.desk import once, says
from tests.bench.hammer import desk, prepared, whole
from tests.bench.senders import Field, Replica
from tests.scene import key
from tests.server.running import talking
from tests.server.town import OTHER

pytestmark = pytest.mark.ci
FILES = ("central.db", "anchor.db")
SIGNER = key(OTHER, 3)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[Field, list[Database]]]:
    """A server that runs, and three workspaces that have synced with it once."""
    with prepared(tmp_path, None) as (field, first):
        desks = [store.open_(desk(field, n, first).folder) for n in range(3)]
        for db in desks:
            once(db, SIGNER, field.replicas[0].url)
        yield field, desks
        for db in desks:
            db.close()


def stop(replica: Replica, how: signal.Signals = signal.SIGTERM) -> None:
    assert replica.end(how) == (0 if how == signal.SIGTERM else -how)


def copied(replica: Replica, to: Path) -> None:
    """A backup, made while nobody serves."""
    stop(replica)
    shutil.copytree(replica.folder, to)
    assert replica.start()


def put_back(replica: Replica, backup: Path, names: tuple[str, ...]) -> None:
    """The database of the backup in the place of the one that was lost."""
    for name in names:
        for rest in ("", "-wal", "-shm"):
            (replica.folder / f"{name}{rest}").unlink(missing_ok=True)
        shutil.copy2(backup / name, replica.folder / name)


def words(db: Database) -> list[str]:
    """What was said, as far as a workspace knows, in its order."""
    found = [attestations.unchecked(e.envelope) for e in tlog.entries(db)]
    return [a.predicate["word"] for a in found if a.kind == "chain"]


def refused(replica: Replica) -> tuple[int, str]:
    with talking(replica.url) as nobody:
        answer = nobody.ask("GET", "/readyz")
        return answer.status_code, "" if answer.is_success else answer.json()["code"]


def recover(replica: Replica, size: int) -> None:
    stop(replica)
    done = subprocess.run(
        [sys.executable, "-m", "passmuster", "serve", "--folder", str(replica.folder), "recover",
         "--to", str(size), "--reason", "the disk died"],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert replica.start()


def test_a_restored_server_stops_is_recovered_and_gets_back_what_anybody_holds(
    served: tuple[Field, list[Database]], tmp_path: Path
) -> None:
    field, (ann, bob, late) = served
    [server] = field.replicas
    says(ann, SIGNER, "ann 1")
    once(ann, SIGNER, server.url)
    copied(server, tmp_path / "backup")
    size = len(whole(field, server)[0])
    for db, word in ((ann, "ann 2"), (bob, "bob 1"), (ann, "ann 3")):
        says(db, SIGNER, word)
        once(db, SIGNER, server.url)
    stop(server, signal.SIGKILL)
    put_back(server, tmp_path / "backup", ("central.db",))
    with pytest.raises(AssertionError, match="it was set back"):
        server.start()  # the anchor knows more
    put_back(server, tmp_path / "backup", ("anchor.db",))
    assert server.start()  # nothing on this machine can know
    once(late, SIGNER, server.url)  # nor can who was away
    says(bob, SIGNER, "bob 2")
    with pytest.raises(VerificationFailed, match="set back"):
        once(bob, SIGNER, server.url)
    assert refused(server) == (503, "log-rollback")
    says(late, SIGNER, "late 1")
    with pytest.raises(Exception, match="was seen"):
        once(late, SIGNER, server.url)
    stop(server)
    assert server.start()
    assert refused(server) == (503, "log-rollback")  # a new start does not forget it
    recover(server, size)
    assert server.process is not None
    field.known.key = note.parse_key(server.process.said["key"])
    for db in (bob, late, ann, bob, late):
        once(db, SIGNER, server.url)
    entries, signed = whole(field, server)
    field.known.made = {e.leaf: ("", e.place) for e in entries}
    field.known.judge(entries, signed, 0)
    assert field.known.wrong == []
    said = ["ann 1", "ann 2", "ann 3", "bob 1", "bob 2", "late 1"]
    for db in (ann, bob, late):
        assert sorted(words(db)) == said
        assert sync.state(db).kind == "synced"
        assert (tlog.pinned(db).size, tlog.unsent(db)) == (len(entries), 0)
        tlog.check(db)
    assert len(tlog.halts(bob)) == 1


def test_a_server_that_is_two_is_found_out_by_whoever_sees_both(
    served: tuple[Field, list[Database]], tmp_path: Path
) -> None:
    field, (ann, bob, _) = served
    [server] = field.replicas
    copied(server, tmp_path / "other")
    other = Replica(tmp_path / "other", ())
    assert other.start()
    try:
        says(ann, SIGNER, "to the one")
        once(ann, SIGNER, server.url)
        says(bob, SIGNER, "to the other")
        once(bob, SIGNER, other.url)
        with pytest.raises(VerificationFailed, match="different people different logs"):
            once(ann, SIGNER, other.url)
        assert refused(other) == (503, "log-rollback")
        assert refused(server) == (200, "")
    finally:
        other.end()
    [evidence] = tlog.halts(ann)
    assert evidence.ours is not None
    assert evidence.theirs is not None
    ours, theirs = (
        note.open_checkpoint(side, [field.known.key]).checkpoint
        for side in (evidence.ours, evidence.theirs)
    )  # fmt: skip
    assert ours.size == theirs.size
    assert ours.root != theirs.root
    says(ann, SIGNER, "work here goes on")
    with pytest.raises(VerificationFailed, match="halted"):
        once(ann, SIGNER, server.url)
