"""What a review of COUNT items takes at most: `python -m tests.evidence.growing COUNT HEAP`.

Every item is stopped, has a signed result, open findings and one that was cleared. SQLite may take
HEAP bytes and fails beyond that, which can be said once in a process. The most that Python held in
each step is printed as JSON.
"""

import json
import sys
import tempfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from passmuster import blobs, campaigns, evidence, remediation, store
from passmuster.campaigns import _closing
from passmuster.evidence import _files, _remedies
from passmuster.keys import SigningKey
from passmuster.model import Attention, Bulk, Draft
from passmuster.remediation._table import record
from passmuster.store import Database
from tests.estates import ME, NOW, opened

FINDINGS = 6
DETAIL = "d" * 400


def decided(db: Database, folder: Path, count: int) -> SigningKey:
    """A review in which everything is to be stopped; whose it is."""
    key, at = opened(db, folder, *(f"svc-{n:05d}" for n in range(count)))
    ids = [row[0] for row in db.execute("SELECT id FROM item ORDER BY id")]
    seen = Attention(NOW, NOW, False)
    draft = Draft("revoke", "1", "not needed", seen, None, (), Bulk("b", count, "all"))
    campaigns.save_drafts(db, ids, draft, NOW)
    campaigns.sign_off(db, campaigns.prepare(db, at.id, ME), key, NOW)
    with db.atomic():
        for stop in remediation.plan(db, NOW):
            record(db, stop, "not_supported", "by hand", NOW)
    remediation.sign(db, key, NOW)
    with db.atomic():
        db.executemany(
            "INSERT INTO finding (rule, subject_kind, subject_id, identity_id, severity, detail,"
            " first_seen, cleared_at) SELECT ?, 'identity', id, id, 'low', ?, ?, ? FROM identity",
            [(f"gone-{n}", DETAIL, NOW, None if n else NOW) for n in range(FINDINGS)],
        )
    return key


def main(count: int, heap: int) -> None:
    """Take the measure of each step, once everything has been imported."""
    _closing.AT_ONCE, _remedies.AT_ONCE, blobs.PIECE = 50, 50, 1 << 14
    _files.MAX_SMALL_BYTES = 1 << 20  # what may be read whole is set aside at once
    _steps(3, 1 << 30)
    print(json.dumps(_steps(count, heap)))


def _steps(count: int, heap: int) -> dict[str, int]:
    peaks = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = store.create(folder / "workspace")
        key = decided(db, folder, count)
        db.close()
        db = store.open_(folder / "workspace")
        for pragma in ("cache_size = -500", "mmap_size = 0", f"hard_heap_limit = {heap}"):
            db.execute(f"PRAGMA {pragma}")
        at = campaigns.campaign(db)
        steps: dict[str, Callable[[], object]] = {
            "sample": lambda: evidence.sample_campaign(db, at, 5, "seed"),
            "close": lambda: campaigns.close(db, at, key, NOW),
            "build": lambda: evidence.build_pack(
                db, campaigns.campaign(db, at.name), folder / "pack", key, NOW),
            "verify": lambda: evidence.verify(folder / "pack"),
        }  # fmt: skip
        for step, work in steps.items():
            tracemalloc.start()
            work()
            peaks[step] = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        db.close()
    return peaks


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
