"""A process that works in one workspace once, to be killed.

`python -m tests.sync.killed FOLDER` syncs; with `sign` it drafts and signs one decision more.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from passmuster import campaigns, store, sync
from passmuster.central import Limits
from passmuster.model import Attention, Draft
from passmuster.text import rfc3339
from tests.scene import key

WHO, SEED = "rev@example.com", 42
LATER = "2026-11-24T09:30:00Z"


def once(folder: Path) -> sync.Report:
    """Sync by small pages, so that there is much to be killed in."""
    db = store.open_(folder)
    with sync.speak(db, lambda: key(WHO, SEED)) as caller:
        work = sync.Work(
            db, caller, WHO, lambda: rfc3339(datetime.now(UTC)), limits=Limits(feed=2, records=2)
        )
        report = sync.sync(work)
    db.close()
    return report


def sign(folder: Path) -> None:
    """Approve one item, and say its name once that is signed."""
    db = store.open_(folder)
    at = campaigns.campaign(db, campaigns.campaigns(db)[0].digest)
    item, uri = db.one("SELECT id, uri FROM item WHERE state <> 'signed' ORDER BY id LIMIT 1")
    made = Draft("approve", "1", "looked", Attention(LATER, LATER, True))
    campaigns.save_draft(db, item, made, LATER)
    campaigns.sign_off(db, campaigns.prepare(db, at.id, WHO), key(WHO, SEED), LATER)
    print(uri, flush=True)
    db.close()


if __name__ == "__main__":
    {"sign": sign}.get(sys.argv[2] if len(sys.argv) > 2 else "", once)(Path(sys.argv[1]))
