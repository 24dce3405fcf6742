"""A disk that forgets what was not synced: what SQLite wrote, cut off at any write, as files.

Real: the schema, the functions, every statement that they run with its values, the bytes that
SQLite writes for them, and what opens the file afterwards. Simulated: the disk. The driver of the
workspace takes no file system of ours, so the statements are run a second time through another
driver (apsw) that does. After SQLite's own tests of power loss: of what was not synced, each sector
of 512 bytes has reached the disk or not, by lot.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from passmuster.store import FILE, Database

SECTOR = 512
NAME = f"/{FILE}"
Step = list[tuple[str, list[Any]]]
"""Statements, each with the values of every time that it was run."""


class Op(NamedTuple):
    """One thing that SQLite asks of a file: write, truncate, sync or delete."""

    kind: str
    name: str
    at: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """Files as SQLite sees them, and all that was done to them."""

    files: dict[str, bytearray]
    ops: list[Op] = field(default_factory=list)

    def do(self, op: Op) -> None:
        """Note an operation, and do it."""
        self.ops.append(op)
        if op.kind == "delete":
            self.files.pop(op.name, None)
            return
        there = self.files.setdefault(op.name, bytearray())
        if op.kind == "write":
            _write(there, op.at, op.data)
        elif op.kind == "truncate":
            del there[op.at :]


def _write(there: bytearray, at: int, data: bytes) -> None:
    if len(there) < at:
        there.extend(bytes(at - len(there)))
    there[at : at + len(data)] = data


def image(begin: dict[str, bytes], ops: Sequence[Op], draw: random.Random) -> dict[str, bytes]:
    """What may be on the disk when the power goes after *ops*."""
    safe = {name: bytearray(data) for name, data in begin.items()}
    pending: dict[str, list[Op]] = {}
    for op in ops:
        if op.kind == "delete":
            safe.pop(op.name, None)
            pending.pop(op.name, None)
        elif op.kind == "sync":
            for one in pending.pop(op.name, []):
                _reach(safe.setdefault(op.name, bytearray()), one, lambda: True)
        else:
            pending.setdefault(op.name, []).append(op)
    share = draw.choice((0.1, 0.5, 0.5, 0.9))
    for name, rest in pending.items():
        for op in rest:
            _reach(safe.setdefault(name, bytearray()), op, lambda: draw.random() < share)
    return {name: bytes(data) for name, data in safe.items()}


def _reach(there: bytearray, op: Op, reaches: Any) -> None:
    if op.kind == "truncate":
        if reaches():
            del there[op.at :]
        return
    for start in range(0, len(op.data), SECTOR):
        if reaches():
            _write(there, op.at + start, op.data[start : start + SECTOR])


class _Vfs(apsw.VFS):
    """SQLite's way to the disk."""

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        super().__init__("power-loss")

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's names
        path = name.filename() if hasattr(name, "filename") else name
        flags[1] = flags[0]
        return _File(self.disk, path or f"/tmp{random.getrandbits(60)}")

    def xAccess(self, path: str, _flags: int) -> bool:  # noqa: N802
        return path in self.disk.files

    def xFullPathname(self, name: str) -> str:  # noqa: N802
        return name

    def xDelete(self, name: str, _sync: bool) -> None:  # noqa: N802
        self.disk.do(Op("delete", name))


class _File:
    """An open file."""

    def __init__(self, disk: Disk, name: str) -> None:
        self.disk, self.name = disk, name
        disk.files.setdefault(name, bytearray())

    def xRead(self, amount: int, at: int) -> bytes:  # noqa: N802
        return bytes(self.disk.files[self.name][at : at + amount])

    def xWrite(self, data: bytes, at: int) -> None:  # noqa: N802
        self.disk.do(Op("write", self.name, at, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        self.disk.do(Op("truncate", self.name, size))

    def xSync(self, _flags: int) -> None:  # noqa: N802
        self.disk.do(Op("sync", self.name))

    def xFileSize(self) -> int:  # noqa: N802
        return len(self.disk.files[self.name])

    def xLock(self, level: int) -> None:  # noqa: N802
        """There is one connection."""

    xUnlock = xLock  # noqa: N815

    def xCheckReservedLock(self) -> bool:  # noqa: N802
        return False

    def xFileControl(self, _op: int, _pointer: int) -> bool:  # noqa: N802
        return False

    def xSectorSize(self) -> int:  # noqa: N802
        return SECTOR

    def xDeviceCharacteristics(self) -> int:  # noqa: N802
        return 0

    def xClose(self) -> None:  # noqa: N802
        """Nothing is lost by it."""


class Recording(Database):
    """A workspace that notes what is run in it; a connection is made one with `record`."""

    said: Step
    functions: list[tuple[str, int, Any]]

    def create_function(self, name: str, count: int, does: Any, **more: Any) -> None:
        self.functions.append((name, count, does))
        super().create_function(name, count, does, **more)

    def execute(self, sql: str, args: Any = ()) -> Any:
        self.said.append((sql, [args]))
        return super().execute(sql, args)

    def executemany(self, sql: str, args: Any) -> Any:
        rows = list(args)
        self.said.append((sql, rows))
        return super().executemany(sql, rows)


def record(db: Database) -> Recording:
    """From now on note every statement of *db*."""
    db.__class__ = Recording
    assert isinstance(db, Recording)
    db.said, db.functions = [], []
    return db


def replay(
    begin: dict[str, bytes], steps: Sequence[Step],
    functions: Sequence[tuple[str, int, Any]],
) -> Iterator[list[Op]]:  # fmt: skip
    """Run the statements of each step over *begin*; all operations so far after each.

    *functions* are those that the workspace has given its connection.
    """
    disk = Disk({name: bytearray(data) for name, data in begin.items()})
    vfs = _Vfs(disk)
    db = apsw.Connection(NAME, vfs="power-loss")
    for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL",
                   "foreign_keys = ON", "wal_autocheckpoint = 40"):  # fmt: skip
        db.execute(f"PRAGMA {pragma}").fetchall()
    for name, count, does in functions:
        db.create_scalar_function(name, does, count, deterministic=True)
    for step in steps:
        for sql, many in step:
            if sql.lstrip().upper().startswith(("SELECT", "WITH")):
                continue
            for args in many:
                db.execute(sql, args).fetchall()
        yield list(disk.ops)
    disk.ops = []  # what closing does comes after the last acknowledgement
    db.close()
    vfs.unregister()


def put(files: dict[str, bytes], folder: Path) -> None:
    """The image as the files of a workspace."""
    folder.mkdir(mode=0o700)
    for name, data in files.items():
        path = folder / name.strip("/")
        path.touch(mode=0o600)
        path.write_bytes(data)
