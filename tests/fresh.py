"""An empty workspace in a millisecond: making its tables anew costs more than most tests do."""

import tempfile
from functools import cache
from pathlib import Path

from passmuster import store
from passmuster.store import Database


@cache
def _empty() -> bytes:
    with tempfile.TemporaryDirectory() as base:
        folder = Path(base) / "workspace"
        store.create(folder).close()
        assert [path.name for path in folder.iterdir()] == [store.FILE]
        return (folder / store.FILE).read_bytes()


def fresh(folder: Path) -> Database:
    """As `store.create` makes and opens it in a new *folder*, with a device of its own."""
    folder.mkdir(parents=True, mode=0o700)
    path = folder / store.FILE
    path.touch(mode=0o600)
    path.write_bytes(_empty())
    db = store.open_(folder)
    db.execute("UPDATE workspace SET value = lower(hex(randomblob(16))) WHERE key = 'device'")
    return db
