"""A sync, and a sign-off, that are killed or let down by the disk at every write: `make long`."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from passmuster import attestations, merkle, store, tlog
from tests import travelling
from tests.conftest import REPOSITORY
from tests.server.running import opened, running
from tests.sync.killed import once, sign
from tests.sync.test_campaigns import people
from tests.sync.town import REV, Plan, Town, built

FAULTS = [
    ("pwrite64", "signal=KILL"), ("fsync", "signal=KILL"), ("fdatasync", "signal=KILL"),
    ("pwrite64", "error=ENOSPC"), ("pwrite64", "error=EDQUOT"), ("pwrite64", "error=EFBIG"),
    ("pwrite64", "error=EIO"), ("fsync", "error=EIO"), ("ftruncate", "error=ENOSPC"),
    ("ftruncate", "error=EDQUOT"),
]  # fmt: skip
"""(call, what becomes of its nth time): the end of the process, or an error of the disk."""
MOST = 400
"""Times of each call; what is done makes fewer."""

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here"),
    pytest.mark.parametrize(("call", "fault"), FAULTS),
]


def let_down(
    ready: Path, work: Path, call: str, fault: str, *words: str
) -> Iterator[tuple[int, subprocess.CompletedProcess[str]]]:
    """For each time of the call: the workspace after the fault in *work*, and what was said."""
    trace = work.with_suffix(".trace")
    for nth in range(1, MOST):
        shutil.copytree(ready, work)
        done = subprocess.run(
            ["strace", "-f", "-qq", "-o", str(trace), "-e", f"trace={call}", "-e",
             f"inject={call}:{fault}:when={nth}", sys.executable, "-m", "tests.sync.killed",
             str(work), *words],
            cwd=REPOSITORY, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        hit = done.returncode != 0 or "INJECTED" in trace.read_text()
        if fault == "signal=KILL":
            assert done.returncode in ((-9, 137) if hit else (0,)), done.stderr
        elif done.returncode:
            assert "Error" in done.stderr
        yield nth, done
        shutil.rmtree(work)
        if not hit:
            print(f"{call} {fault} {' '.join(words) or 'sync'}: {nth - 1} times")
            return
    pytest.fail("more writes than were counted on")


def test_a_sync_that_the_disk_lets_down_at_any_write_is_gone_on_with(
    at_rest: Plan, tmp_path: Path, call: str, fault: str
) -> None:
    folder = tmp_path / "town"
    with built(at_rest, folder) as town:
        for word in "abc":
            town.rev.says(f"rev {word}")
            town.boss.says(f"boss {word}")
        town.boss.sync()
    ready, work = tmp_path / "ready", tmp_path / "work"
    (folder / REV.partition("@")[0]).rename(ready)
    said = sorted(f"{who} {word}" for who in ("rev", "boss") for word in "abc")
    with running(opened(folder / "central")) as url:
        db = store.open_(ready)
        db.execute("UPDATE central SET url = ?", (url,))
        db.close()
        for nth, _ in let_down(ready, work, call, fault):
            once(work)
            db = store.open_(work)
            assert db.value("PRAGMA integrity_check") == "ok"
            at = tlog.pinned(db)
            entries = [e.envelope for e in tlog.entries(db)]
            words = sorted(
                a.predicate["word"] for a in map(attestations.unchecked, entries)
                if a.kind == "chain"
            )  # fmt: skip
            assert words == said, nth
            leaves = db.execute("SELECT leaf FROM mirror ORDER BY idx").fetchall()
            assert {row[0] for row in leaves} == {merkle.leaf_hash(e).hex() for e in entries}, nth
            assert (tlog.unsent(db), at.halted, at.size) == (0, None, len(entries)), nth
            db.close()


def test_a_sign_off_that_the_disk_lets_down_is_there_whole_or_not_at_all(
    synced: Town, tmp_path: Path, call: str, fault: str
) -> None:
    boss, rev = people(synced)
    travelling.opened(boss, tmp_path, {f"job-{n}": REV for n in range(3)})
    synced.boss.sync()
    synced.rev.sync()
    rev.decide("job-0", "approve")
    before = [e.envelope for e in tlog.entries(rev.db)]
    rev.db.close()
    ready, work = synced.rev.folder, tmp_path / "work"
    for nth, done in let_down(ready, work, call, fault, "sign"):
        db = store.open_(work)
        assert db.value("PRAGMA integrity_check") == "ok"
        tlog.check(db)
        entries = [e.envelope for e in tlog.entries(db)]
        new = len(entries) - len(before)
        signed = db.value("SELECT count(*) FROM item WHERE state = 'signed'")
        assert (entries[: len(before)], signed) == (before, 1 + new), nth
        assert new in ((1,) if done.stdout else (0, 1)), nth
        db.close()
        sign(work)
        db = store.open_(work)
        tlog.check(db)
        assert len(list(tlog.entries(db))) == len(entries) + 1
        db.close()
