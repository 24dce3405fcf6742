"""A desk fetches and verifies a log of many records, as ratios: `python -m tests.bench.pulling`.

CPU seconds of this process, the server's feed among them. The floor is what nobody can leave out:
the signatures of the same envelopes, both forms of each, their leaf hashes, and their rows put into
a bare table. Records are one-line statements by another desk, 1,000 a page.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

from passmuster import attestations, merkle, store, tlog
from tests.sync.town import Town, built, plan

BATCH = 1_000


def spoken(town: Town, count: int) -> list[bytes]:
    """*count* statements of the registrar's desk, chained; the desk itself keeps none."""
    boss, lines = town.boss, []
    link = tlog.next_link(boss.db)
    for n in range(count):
        payload = attestations.statement(
            "chain", {}, {"word": f"{n}"}, link, town.clock(), boss.me
        )  # fmt: skip
        lines.append(attestations.sign(payload, boss.key))
        link = attestations.Link(
            link.device, link.seq + 1, attestations.unsigned(payload).name, link.roster
        )
    return lines


def floor(folder: Path, keys: dict[str, str], lines: list[bytes]) -> float:
    """CPU seconds of verifying and keeping the bare lines."""
    db = store.plain(folder / "floor.db")
    db.execute("CREATE TABLE row (leaf TEXT, line BLOB)")
    began = time.process_time()
    with db.atomic():
        for line in lines:
            attestations.verify(line, keys)
            db.execute("INSERT INTO row VALUES (?, ?)", (merkle.leaf_hash(line).hex(), line))
    took = time.process_time() - began
    db.close()
    return took


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        with built(plan(folder / "plan", synced=True), folder / "town") as town:
            lines = spoken(town, count)
            for at in range(0, count, BATCH):
                town.server.take(*lines[at : at + BATCH])
            base = floor(folder, tlog.known_keys(town.rev.db), lines)
            before, clock = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
            began = time.process_time()
            town.rev.sync()
            took, clock = time.process_time() - began, time.monotonic() - clock
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            assert len(town.rev.words) >= count
    print(f"floor: {base:.2f} s of CPU for {count:,} records, {base / count * 1000:.2f} ms each")
    print(
        f"pull and verify: {took:.2f} s, {took / base:.2f} x the floor, {clock:.1f} s by "
        f"the clock, {grown / 1024:.0f} MiB more"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000)
