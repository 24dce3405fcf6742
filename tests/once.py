"""What many tests begin with is made once in each process, by the real functions, and then copied.

A test gets a database, and a folder where there is one, that nobody else has; what chance was asked
for in the making is asked for again, so that a count of it (`scene.freeze_chance`) goes on from
where it was.
"""

import secrets
import stat
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path

import pytest

from passmuster.store import Database


@dataclass
class _Made:
    db: Database
    chances: int
    files: list[tuple[Path, int, bytes | None]]
    """Path in the folder, mode, content of a file; a folder comes before what is in it."""


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
    for path, mode, data in made.files:
        assert folder is not None
        if data is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(data)
        (folder / path).chmod(mode)


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
    paths = [folder, *sorted(folder.rglob("*"))] if folder is not None else []
    return _Made(held, asked, [
        (path.relative_to(paths[0]), stat.S_IMODE(path.stat().st_mode),
         None if path.is_dir() else path.read_bytes())
        for path in paths
    ])  # fmt: skip
