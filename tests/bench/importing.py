"""Imports into a workspace over and over, each taken back: `python -m tests.bench.importing DIR`.

It holds the workspace's write lock as a real import does; the workspace stays as it was. Says a
line when it has begun, and goes on until it is killed.
"""

import sys
import tempfile
from pathlib import Path

from passmuster import inventory, store
from tests.bench import estate
from tests.bench.workspace import ME, NOW

USERS = 100_000


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        path = Path(name) / "report.csv"
        estate.credential_report(path, USERS, changed=0.5)
        db = store.open_(folder)
        print("begun", flush=True)
        while True:
            inventory.import_file(db, path, now=NOW, by=ME, dry_run=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
