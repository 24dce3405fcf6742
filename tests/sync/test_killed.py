"""A sync that is killed at every write to the disk: `make long`."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from passmuster import attestations, merkle, store, tlog
from tests.conftest import REPOSITORY
from tests.server.running import opened, running
from tests.sync.killed import once
from tests.sync.town import REV, Plan, built

KILLS = ("pwrite64", "fsync", "fdatasync")
MOST = 400
"""Kills for each call; a sync makes fewer."""


@pytest.mark.long
@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
@pytest.mark.parametrize("call", KILLS)
def test_a_sync_that_is_killed_at_any_write_is_gone_on_with(
    at_rest: Plan, tmp_path: Path, call: str
) -> None:
    folder = tmp_path / "town"
    with built(at_rest, folder) as town:
        for word in "abc":
            town.rev.says(f"rev {word}")
            town.boss.says(f"boss {word}")
        town.boss.sync()
    ready = tmp_path / "ready"
    (folder / REV.partition("@")[0]).rename(ready)
    said = sorted(f"{who} {word}" for who in ("rev", "boss") for word in "abc")
    kills = 0
    with running(opened(folder / "central")) as url:
        for nth in range(1, MOST):
            work = tmp_path / "work"
            shutil.copytree(ready, work)
            db = store.open_(work)
            db.execute("UPDATE central SET url = ?", (url,))
            db.close()
            done = subprocess.run(
                ["strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e",
                 f"inject={call}:signal=KILL:when={nth}", sys.executable, "-m",
                 "tests.sync.killed", str(work)],
                cwd=REPOSITORY, capture_output=True, timeout=120, check=False,
            )  # fmt: skip
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
            shutil.rmtree(work)
            if done.returncode == 0:
                break
            kills += 1
            assert done.returncode in (-9, 137), done.stderr
        else:
            pytest.fail("a sync with more writes than were counted on")
    print(f"{call}: {kills} kills")
