"""The log's tree, as ratios: `python -m tests.bench.log 1000000`.

CPU seconds of this process. The floor of building is raw SHA-256 of the same entries, once each.
The peer is pymerkle in memory, which is measured where it is installed; it is under the GPL, so it
is in neither extra: `pip install pymerkle` into a place of its own and name it in PYTHONPATH.
"""

import hashlib
import random
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from passmuster import merkle, store
from passmuster.store import Database
from passmuster.tlog import _tree
from tests.bench.run import cpu

BODY = b"x" * 632
"""With eight bytes of number: as long as a small envelope."""
TRIES = 2_000


def body(number: int) -> bytes:
    return BODY + number.to_bytes(8)


def times(work: Callable[[int], Any], numbers: list[int]) -> list[float]:
    """CPU milliseconds of *work* for each of *numbers*."""
    found = []
    for number in numbers:
        before = time.process_time()
        work(number)
        found.append((time.process_time() - before) * 1e3)
    return found


def row(name: str, *cells: str) -> None:
    print(f"| {name} | {' | '.join(cells)} |", flush=True)


def spread(found: list[float]) -> str:
    return f"{statistics.median(found):.3f} ms, at most {max(found):.2f}"


def build(db: Database, count: int) -> None:
    leaves = (merkle.leaf_hash(body(i)) for i in range(count))
    with db.atomic(durable=False):
        for tile in merkle.grow(_tree.tiles(db), 0, leaves):
            _tree._store(db, [tile])


def hash_all(count: int) -> None:
    for i in range(count):
        hashlib.sha256(body(i)).digest()


def nothing(db: Database) -> None:
    with db.atomic(durable=False):
        db.execute("UPDATE workspace SET value = value WHERE key = 'device'")


def append(db: Database, index: int) -> None:
    with db.atomic(durable=False):
        _tree.grow(db, index, merkle.leaf_hash(body(index)))


def verify_ms(read: merkle.Tiles, count: int, numbers: list[int]) -> list[float]:
    root = merkle.root_at(read, count)
    proofs = {i: merkle.inclusion(read, i, count) for i in numbers}
    leaves = {i: merkle.leaf_hash(body(i)) for i in numbers}
    return times(lambda i: merkle.check_inclusion(leaves[i], i, count, proofs[i], root), numbers)


def resident() -> int:
    """Largest resident memory of this process so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def peer(count: int, numbers: list[int]) -> tuple[float, list[float], int] | None:
    """pymerkle in memory: seconds to build, milliseconds of proofs, MB more; None without it."""
    try:
        from pymerkle import InmemoryTree
    except ImportError:
        return None
    before = resident()
    tree = InmemoryTree(algorithm="sha256")
    built = cpu(lambda: [tree.append_entry(body(i)) for i in range(count)])
    return built, times(lambda i: tree.prove_inclusion(i + 1), numbers), resident() - before


def main(count: int) -> None:
    chance = random.Random(1)
    numbers = [chance.randrange(count) for _ in range(TRIES)]
    raw = cpu(lambda: hash_all(count))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = store.create(folder / "ours")
        start = resident()
        built = cpu(lambda: build(db, count))
        more = resident() - start
        read = _tree.tiles(db)
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        size = (folder / "ours" / store.FILE).stat().st_size >> 20
        proofs = times(lambda i: merkle.inclusion(read, i, count), numbers)
        growth = times(lambda i: merkle.consistency(read, i + 1, count), numbers)
        roots = times(lambda _: merkle.root_at(read, count), numbers[:200])
        checks = verify_ms(read, count, numbers)
        appended = times(lambda i: append(db, i), list(range(count, count + TRIES)))
        commits = times(lambda _: nothing(db), numbers)
        db.close()
    other = peer(count, numbers)
    print(f"{count:,} entries of {len(body(0))} bytes\n")
    row("what", "ours", "against", "ratio")
    row("---", "---", "---", "---")
    row("build", f"{built:.2f} s", f"raw SHA-256 {raw:.2f} s", f"{built / raw:.1f}")
    row("memory more, file", f"{more} MB, {size} MB", "", "")
    row("one entry more, a transaction each", spread(appended),
        f"a transaction of one changed row {spread(commits)}",
        f"{statistics.median(appended) / statistics.median(commits):.1f}")  # fmt: skip
    row("inclusion proof", spread(proofs), "", "")
    row("consistency proof", spread(growth), "", "")
    row("root", spread(roots), "", "")
    row("check an inclusion proof", spread(checks), "", "")
    if other is None:
        print("\npymerkle is not installed: not compared")
        return
    theirs, their_proofs, their_more = other
    row("build", f"{built:.2f} s", f"pymerkle in memory {theirs:.2f} s", f"{built / theirs:.2f}")
    row("memory more", f"{more} MB", f"pymerkle {their_more} MB", "")
    row("inclusion proof", spread(proofs), f"pymerkle {spread(their_proofs)}",
        f"{statistics.median(proofs) / statistics.median(their_proofs):.1f}")  # fmt: skip


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
