"""What many tests begin with is made once in each process, by the real functions, and then copied.

A test gets a database, and a folder where there is one, that nobody else has; what chance was asked
for in the making is asked for again, so that a count of it (`scene.freeze_chance`) goes on from
where it was.
"""

import secrets
import shutil
import tempfile
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import pytest

from passmuster.store import Database


@dataclass
class _Made:
    db: Database
    chances: int
    folder: tempfile.TemporaryDirectory[str] | None


_made: dict[Hashable, _Made] = {}


def once(
    db: Database, name: Hashable, make: Callable[[], object], folder: Path | None = None
) -> None:
    """Bring *db* (and *folder*, which is not there yet) to where *make* of that *name* brings it.

    *make* must come to the same wherever it is called: whatever it depends on is in *name*.
    """
    made = _made.get(name)
    if made is None:
        _made[name] = _make(db, make, folder)
        return
    made.db.backup(db)
    for _ in range(made.chances):
        secrets.token_hex(1)
    if made.folder is not None:
        assert folder is not None
        shutil.copytree(made.folder.name, folder)


def _make(db: Database, make: Callable[[], object], folder: Path | None) -> _Made:
    chance, asked = secrets.token_hex, 0

    def counted(n: int | None = None) -> str:
        nonlocal asked
        asked += 1
        return chance(n)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "token_hex", counted)
        make()
    held = Database(":memory:")
    db.backup(held)
    kept = None
    if folder is not None:
        kept = tempfile.TemporaryDirectory()
        shutil.copytree(folder, kept.name, dirs_exist_ok=True)
    return _Made(held, asked, kept)
