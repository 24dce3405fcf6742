"""Workspaces to measure the screen on, made once and kept: `python -m tests.bench.workspace COUNT`.

A million identities take minutes to bring in and open, and a screen needs to be started many times
on them. They are kept under `MUSTER_BENCH` (a folder of the user's cache when it is not set), one
folder for each size; a half-made one has no note at its end and is made again.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from passmuster import campaigns, inventory, keys, policy, store, tlog
from passmuster.config import Settings
from tests.bench import estate

NOW, ME = "2026-11-23T08:00:00Z", "rev@example.com"
CAMPAIGN = "bench"
MADE = "made.txt"
"""Written last; it says what took how long."""


def kept() -> Path:
    """Where workspaces of all sizes stand."""
    named = os.environ.get("MUSTER_BENCH")
    return Path(named) if named else Path.home() / ".cache" / "muster-bench"


def workspace(count: int) -> Path:
    """The folder of a workspace with an open campaign of *count* identities, made if need be."""
    folder = kept() / str(count)
    if not (folder / MADE).exists():
        shutil.rmtree(folder, ignore_errors=True)
        (folder / MADE).write_text(_make(folder, count))
        (folder / MADE).chmod(0o600)
    store.open_(folder).close()  # one of an older version is brought up to date
    return folder


def _make(folder: Path, count: int) -> str:
    lines: list[str] = []

    def took(what: str) -> None:
        lines.append(f"{what} {time.monotonic() - began:.0f} s")
        print(f"{count:,}: {lines[-1]}", file=sys.stderr, flush=True)

    folder.mkdir(parents=True, mode=0o700)
    began = time.monotonic()
    db = store.create(folder)
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        for path in estate.make(Path(name), count):
            inventory.import_file(db, path, now=NOW, by=ME)
    took("imported after")
    policy.evaluate(db, Settings(), NOW)
    took("rules done after")
    key = keys.in_memory(ME)
    tlog.enrol(db, key, NOW)
    wanted = campaigns.Definition(CAMPAIGN, "2027-01-31", ME)
    campaigns.open_campaign(db, wanted, key, Settings(), NOW)
    took("opened after")
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for words in sys.argv[1:] or ["100000"]:
        print(workspace(int(words)))
