"""A process that syncs one workspace once: `python -m tests.sync.killed FOLDER`, to be killed."""

import sys
from datetime import UTC, datetime
from pathlib import Path

from passmuster import store, sync
from passmuster.central import Limits
from passmuster.text import rfc3339
from tests.scene import key

WHO, SEED = "rev@example.com", 42


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


if __name__ == "__main__":
    once(Path(sys.argv[1]))
