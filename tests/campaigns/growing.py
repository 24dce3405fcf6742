"""What a campaign of COUNT items takes that comes: `python -m tests.campaigns.growing COUNT HEAP`.

It comes to a workspace that has nothing yet, and then a second one of the same identities. SQLite
may take HEAP bytes and fails beyond that, which can be said once in a process. The most that
Python held is printed as JSON.
"""

import json
import sys
import tempfile
import tracemalloc
from pathlib import Path

from passmuster import blobs, campaigns, config, store
from passmuster.campaigns import _dossiers, _publishing
from passmuster.inventory import _write
from tests.estates import bring_in, report
from tests.travelling import ANN, BOSS, LATER, Desk, Log, desk


def published(boss: Desk, name: str, log: Log) -> None:
    """Open a campaign of everything, for one person, and send it."""
    wanted = campaigns.Definition(name, "2026-12-31", ANN)
    campaigns.open_campaign(boss.db, wanted, boss.key, config.Settings(), LATER)
    campaigns.publish(boss.db, campaigns.campaign(boss.db, name), boss.key, LATER)
    boss.push(log)


def main(count: int, heap: int) -> None:
    """Take the measure of the first campaign that comes, and of the second."""
    blobs.PIECE = 1 << 14
    _publishing.ROWS, _dossiers.CHUNK, _write.FLUSH_ROWS, store.SPAN_ROWS = 20, 10, 50, 50
    peaks: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, log = Path(name), Log()
        boss, ann = desk(folder / "boss", BOSS), desk(folder / "ann", ANN)
        bring_in(boss.db, folder / "r.csv", report(*(f"svc-{n:05d}" for n in range(count))))
        published(boss, "first", log)
        published(boss, "second", log)
        boss.db.close()
        for pragma in ("cache_size = -500", "mmap_size = 0", f"hard_heap_limit = {heap}"):
            ann.db.execute(f"PRAGMA {pragma}")
        for record in log.records:
            with ann.db.aside():
                ann.db.execute("PRAGMA aside.cache_size = -500")
                tracemalloc.start()
                ann.take(log, record)
                kind = record.statement.kind
                peaks[kind] = max(peaks.get(kind, 0), tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
        taken = ann.db.value("SELECT count(*) FROM item")
        ann.db.close()
    print(json.dumps({"items": taken, **peaks}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
