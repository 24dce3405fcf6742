"""Sign-off, pack and verification at scale: `python -m tests.bench.evidence 100000 [DECISIONS]`.

Each step runs in a process of its own, so that its memory is its own; CPU seconds. A floor is raw
hashing and JSON encoding of the very bytes that the step reads or writes. Memory is what the
process itself holds, looked at ten times a second: pages of the database's file, which SQLite maps,
are the system's to keep or to drop.
"""

import hashlib
import itertools
import json
import multiprocessing
import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from passmuster import campaigns, evidence, keys, merkle, store, tlog
from passmuster.model import Attention, Bulk, Draft
from passmuster.text import canonical
from tests.bench.run import cpu
from tests.bench.workspace import CAMPAIGN, ME, NOW, workspace
from tests.scene import key

KEY = key(ME, 77)


Timed = tuple[float, float, float]
"""Seconds of ours and of the floor, and MB of memory that ours had at most."""


class Held(threading.Thread):
    """The most memory that this process had of its own, in MB, since this was made."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._done = 0.0, threading.Event()
        self.start()

    def run(self) -> None:
        """Look until asked."""
        while not self._done.wait(0.1):
            self._look()

    def _look(self) -> None:
        status = Path("/proc/self/status").read_text()
        self.peak = max(self.peak, int(status.split("RssAnon:")[1].split()[0]) / 1024)

    def told(self) -> float:
        """The answer."""
        self._done.set()
        self.join()
        self._look()
        return self.peak


def alone(work: Callable[[Path], Timed], folder: Path, what: str) -> None:
    """Run *work* in a process of its own and tell its line."""
    box: multiprocessing.Queue[Timed] = multiprocessing.Queue()
    process = multiprocessing.get_context("fork").Process(target=lambda: box.put(work(folder)))
    process.start()
    ours, floor, memory = box.get()
    process.join()
    print(f"| {what} | {ours:.1f} s | {floor:.1f} s | {ours / floor:.1f} | {memory:.0f} MB |",
          flush=True)  # fmt: skip


def drafted(folder: Path, count: int) -> None:
    """Draft a decision on the first *count* items, as one bulk act of the screen does."""
    db = store.open_(folder)
    at = campaigns.campaign(db, CAMPAIGN)
    sql = "SELECT id FROM item WHERE campaign_id = ? ORDER BY id LIMIT ?"
    ids = [row[0] for row in db.execute(sql, (at.id, count))]
    seen = Attention(NOW, NOW, False)
    for start in range(0, len(ids), 10_000):
        some = ids[start : start + 10_000]
        draft = Draft("approve", "1", "in use", seen, None, (), Bulk("b", len(some), "a filter"))
        campaigns.save_drafts(db, some, draft, NOW)
    db.close()


def sign(folder: Path) -> Timed:
    """A sign-off of all drafts against encoding and hashing the same rows."""
    db = store.open_(folder)
    at = campaigns.campaign(db, CAMPAIGN)

    def ours() -> None:
        campaigns.sign_off(db, campaigns.prepare(db, at.id, ME), KEY, NOW)

    held = Held()
    spent, memory = cpu(ours), held.told()
    rows = db.execute("SELECT row FROM decision")
    floor = sum(cpu(partial(_encode, some)) for some in iter(lambda: _parsed(rows), []))
    return spent, floor, memory


def _parsed(rows: Iterator[tuple[str]]) -> list[Any]:
    return [json.loads(row) for (row,) in itertools.islice(rows, 10_000)]


def _encode(rows: list[Any]) -> None:
    digest, tree = hashlib.sha256(), merkle.Frontier()
    for row in rows:
        line = canonical(row)
        digest.update(line + b"\n")
        tree.append(merkle.leaf_hash(line))
    tree.root()


def _again(pack: Path) -> None:
    """Hash every file of a pack, parse its JSON lines and encode them."""
    for path in sorted(p for p in pack.rglob("*") if p.is_file()):
        digest = hashlib.sha256()
        with path.open("rb") as stream:
            for line in stream:
                digest.update(line)
                if path.suffix == ".jsonl":
                    canonical(json.loads(line))


def build(folder: Path) -> Timed:
    """A pack against parsing, encoding and hashing the same bytes."""
    db = store.open_(folder)
    at = campaigns.campaign(db, CAMPAIGN)
    pack = folder.parent / "pack"
    shutil.rmtree(pack, ignore_errors=True)
    held = Held()
    spent, memory = cpu(lambda: evidence.build_pack(db, at, pack, KEY, NOW)), held.told()
    return spent, cpu(lambda: _again(pack)), memory


def verify(folder: Path) -> Timed:
    """Verifying it against parsing, encoding (canonical JSON is checked so) and hashing it."""
    pack = folder.parent / "pack"
    opener = keys.listed(store.open_(folder, read_only=True))
    trusted = {ME: {k["fingerprint"] for k in opener}}
    held = Held()
    spent, memory = cpu(lambda: evidence.verify(pack, trusted)), held.told()
    return spent, cpu(lambda: _again(pack)), memory


def main(count: int, decisions: int) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory(
        prefix="muster-bench-", dir=os.environ.get("MUSTER_BENCH")
    ) as n:
        folder = Path(n, "workspace")
        shutil.copytree(workspace(count), folder)
        folder.chmod(0o700)
        db = store.open_(folder)
        tlog.enrol(db, KEY, NOW)
        db.close()
        drafted(folder, decisions)
        print("| what | ours | floor | ours ÷ floor | memory |\n| --- | --- | --- | --- | --- |")
        alone(sign, folder, f"sign-off of {decisions:,} decisions")
        alone(build, folder, f"pack of {count:,} items")
        alone(verify, folder, "its verification")


if __name__ == "__main__":
    words = [int(w) for w in sys.argv[1:]] or [100_000]
    main(words[0], words[1] if len(words) > 1 else words[0])
