"""A quota that is used up, and files that may not grow: at the desk, and at the server.

Unlike a full disk SQLite knows neither by name; what is said then must be one line all the same,
nothing may be lost, and work must go on once there is room.
"""

import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from passmuster import attestations, store, sync, tlog
from passmuster.errors import Unreachable
from tests.bench.desk import once
from tests.conftest import ME, REPOSITORY, Muster
from tests.estates import report
from tests.scene import key
from tests.server.running import Process
from tests.sync.killed import SEED, WHO
from tests.sync.town import REV, Plan, built

pytestmark = pytest.mark.ci
ENDLESS = resource.RLIM_INFINITY
SHARED = 32_768
"""What SQLite keeps beside a workspace that is open; less, and it is not opened at all."""


def words(db: store.Database) -> list[str]:
    found = [attestations.unchecked(e.envelope) for e in tlog.entries(db)]
    return sorted(a.predicate["word"] for a in found if a.kind == "chain")


@pytest.fixture
def served(at_rest: Plan, tmp_path: Path) -> Iterator[tuple[Path, Process]]:
    """A desk that has something to send, and the server as a process of its own."""
    folder = tmp_path / "town"
    with built(at_rest, folder) as town:
        for word in ("boss a", "boss b"):
            town.boss.says(word)
        town.boss.sync()
        for word in ("rev a", "rev b", "rev c"):
            town.rev.says(word)
    process = Process(folder / "central")
    desk = folder / REV.partition("@")[0]
    db = store.open_(desk)
    db.execute("UPDATE central SET url = ?", (process.url,))
    db.close()
    try:
        yield desk, process
    finally:
        process.end()


def syncs(desk: Path, process: Process) -> None:
    """One sync that does not wait for what may pass by itself."""
    db = store.open_(desk)
    try:
        once(db, key(WHO, SEED), process.url)
    finally:
        db.close()


def limited(process: Process, size: int) -> None:
    """No file of the process may be longer than *size* from now on."""
    resource.prlimit(process.process.pid, resource.RLIMIT_FSIZE, (size, ENDLESS))


def test_a_server_whose_files_may_not_grow_says_so_and_goes_on_after(
    served: tuple[Path, Process],
) -> None:
    desk, process = served
    limited(process, 1)
    for _ in range(2):
        with pytest.raises(Unreachable, match=r"the database: the disk refused it .*ulimit -f"):
            syncs(desk, process)
        assert httpx.get(f"{process.url}/healthz").status_code == 200
    db = store.open_(desk)
    assert (tlog.unsent(db), sync.state(db).kind) == (3, "offline")
    db.close()
    limited(process, ENDLESS)
    syncs(desk, process)
    limited(process, 1)
    assert process.end(signal.SIGTERM) == 0  # that it stops cannot be logged, and it stops
    db = store.open_(desk)
    assert words(db) == ["boss a", "boss b", "rev a", "rev b", "rev c"]
    assert (tlog.unsent(db), sync.state(db).kind) == (0, "synced")
    assert tlog.pinned(db).size == len(list(tlog.entries(db)))
    db.close()


def test_a_sync_whose_files_may_not_grow_loses_nothing(served: tuple[Path, Process]) -> None:
    ready, process = served
    work, failed = ready.with_name("work"), 0
    for limit in (SHARED, 45_000, 90_000, 4_000_000):
        shutil.copytree(ready, work)
        done = subprocess.run(
            [sys.executable, "-m", "tests.sync.killed", str(work)], cwd=REPOSITORY,
            preexec_fn=partial(may_not_grow, limit), capture_output=True, text=True,
            timeout=120, check=False,
        )  # fmt: skip
        failed += done.returncode != 0
        syncs(work, process)
        db = store.open_(work)
        assert db.value("PRAGMA integrity_check") == "ok"
        assert words(db) == ["boss a", "boss b", "rev a", "rev b", "rev c"]
        assert (tlog.unsent(db), sync.state(db).kind) == (0, "synced")
        db.close()
        shutil.rmtree(work)
    assert 1 < failed < 4


def may_not_grow(most: int) -> None:
    """No file of this process may be longer than that."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, ENDLESS))


@pytest.fixture
def drafted(inside: Muster, tmp_path: Path, passphrase_file: Path) -> Muster:
    """A review with twenty drafts."""
    names = [f"svc-{n}" for n in range(20)]
    (tmp_path / "r.csv").write_text(report(*names))
    inside("init")
    inside("key", "new", "--key-store", "file")
    inside("import", str(tmp_path / "r.csv"))
    inside("campaign", "open", "Autumn", "--reviewer", ME, "--due", "2030-12-31")
    inside("decide", "approve", *names, "--reason", "in use")
    return inside


def one_line(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """It failed, and said so in one line with these words."""
    assert done.returncode == 1, (done.stdout, done.stderr)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("muster: ")
    assert all(part in last for part in parts), last
    assert "Traceback" not in done.stderr


def signs_after(inside: Muster, folder: Path) -> None:
    """Nothing was signed, nothing was lost, and it is signed now."""
    db = store.open_(folder)
    assert db.value("PRAGMA integrity_check") == "ok"
    assert db.value("SELECT count(*) FROM draft") == 20
    assert not db.value("SELECT count(*) FROM decision")
    tlog.check(db)
    db.close()
    inside("sign-off", "--yes")
    inside("verify", str(folder))


@pytest.mark.parametrize("limit", [1, SHARED + 8_000])
def test_a_sign_off_whose_files_may_not_grow_fails_in_one_line_and_is_done_after(
    drafted: Muster, muster: Muster, folder: Path, limit: int
) -> None:
    done = muster("sign-off", "--yes", code=None, preexec_fn=partial(may_not_grow, limit))
    one_line(done, "ulimit -f")
    signs_after(drafted, folder)


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
@pytest.mark.parametrize("error", ["EDQUOT", "ENOSPC"])
def test_a_sign_off_without_room_fails_in_one_line_and_is_done_after(
    drafted: Muster, folder: Path, tmp_path: Path, error: str
) -> None:
    done = subprocess.run(
        ["strace", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", "trace=pwrite64", "-e",
         f"inject=pwrite64:error={error}:when=2+", sys.executable, "-m", "passmuster", "sign-off",
         "--yes"],
        env={**os.environ, "MUSTER_WORKSPACE": str(folder)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    one_line(done, "full")
    signs_after(drafted, folder)
