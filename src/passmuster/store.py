"""The workspace folder and its one SQLite file: open it, lock it down, bring it up to date.

The only module that imports a SQLite driver. Two SQLite libraries in one process silently lose
locks, and sqlite_utils takes pysqlite3 where it is installed, so this must take the same one.

Who writes what: each table is written by one module. A crash leaves either the state
before an `atomic()` block or the one after it; opening again is the ordinary path.
"""

import errno
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from passmuster.errors import MusterError, WorkspaceError

try:
    import pysqlite3.dbapi2 as sqlite3
except ImportError:
    import sqlite3

FILE = "workspace.db"
SCHEMA_VERSION = 9
"""In `PRAGMA user_version`: one for each step of `schema.migrations`. It stands here so that
opening a current workspace need not import sqlite_utils."""
BUSY_S = 300.0
"""How long a writer waits for another process, in seconds."""

SPAN_ROWS = 20_000
"""Rows that one statement changes, of many (`Database.spans`)."""

SQLITE_VERSION = sqlite3.sqlite_version
DRIVER = sqlite3.__name__.split(".")[0]
SqliteError = sqlite3.Error
OperationalError = sqlite3.OperationalError
IntegrityError = sqlite3.IntegrityError
is_whole = sqlite3.complete_statement
_REFUSED = {
    errno.ENOSPC: "the disk is full: make room",
    errno.EDQUOT: "the quota on that disk is used up: make room in it, or have it raised",
    errno.EFBIG: "a file has the largest size that it may have here: see `ulimit -f`",
    errno.EROFS: "the disk is read-only: mount it writable",
}
_BY_SQLITE = {
    "SQLITE_FULL": _REFUSED[errno.ENOSPC],
    # SQLite does not tell which error of the disk it was
    "SQLITE_IOERR": "the disk refused it (disk I/O error): see whether it is full, a quota on it is"
    " used up, a file has the largest size that it may have (`ulimit -f`), or it is failing",
    "SQLITE_READONLY": "it cannot be written: is the disk read-only?",
}


def refusal(error: Exception) -> str | None:
    """Why the disk did not take something, and what to do; None for errors of another kind."""
    if isinstance(error, OSError):
        return _REFUSED.get(error.errno or 0)
    name = getattr(error, "sqlite_errorname", None) or ""
    return next((words for known, words in _BY_SQLITE.items() if name.startswith(known)), None)


class Database(sqlite3.Connection):  # type: ignore[misc,valid-type,unused-ignore]
    """A connection whose transactions are only ever begun by `atomic`."""

    path: Path

    @contextmanager
    def atomic(self, *, durable: bool = True, joins: bool = False) -> Iterator[None]:
        """All of the block or nothing of it; nests.

        In a larger block it can be taken back alone, for which SQLite holds in memory how each
        page was that it changes; where it *joins*, a failure must end the larger block too.

        *durable* syncs the commit to the disk before returning (`synchronous=FULL`), as every
        piece of a person's work must be; an import can be repeated and need not be.
        """
        if self.in_transaction and joins:
            yield
            return
        if self.in_transaction:
            self.execute("SAVEPOINT nested")
            try:
                yield
            except BaseException:
                if self.in_transaction:  # a failing statement may have ended all of it already
                    self.execute("ROLLBACK TO nested")
                    self.execute("RELEASE nested")
                raise
            self.execute("RELEASE nested")
            return
        self.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._begin()
        try:
            yield
        except BaseException:
            # a statement that the disk refused may have ended the transaction already
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise
        try:
            self.execute("COMMIT")
        except BaseException:
            if self.in_transaction:
                self.execute("ROLLBACK")
            raise

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """The block reads one state of the workspace, whatever others write meanwhile.

        It takes nobody's turn to write: only what is `aside` can be written in it.
        """
        if self.in_transaction:
            yield
            return
        self.execute("BEGIN")
        try:
            yield
        finally:
            if self.in_transaction:
                self.execute("COMMIT")  # of nothing but what is aside

    @contextmanager
    def aside(self) -> Iterator[None]:
        """In the block tables can be made in `aside.`, a file that nobody else sees.

        A temporary table would do, but the SQLite that ships with the driver holds those in memory.
        It nests: the outermost has the file, which cannot be made inside a transaction. Once a
        transaction has been taken back, what is in it is of no use.
        """
        if self.value("SELECT 1 FROM pragma_database_list WHERE name = 'aside'"):
            yield
            return
        self.attach_aside()
        try:
            yield
        except BaseException:
            with suppress(OperationalError):  # a query that failed may still be held with its error
                self.execute("DETACH aside")
            raise
        self.execute("DETACH aside")

    def attach_aside(self) -> None:
        """Make that file; it lives as long as it is attached."""
        try:
            handle, name = tempfile.mkstemp(prefix=".aside-", dir=self.path.parent)
        except OSError:  # a workspace that can only be read is read all the same
            handle, name = tempfile.mkstemp(prefix=".aside-")
        os.close(handle)
        try:
            self.execute("ATTACH ? AS aside", (name,))
            self.execute("PRAGMA aside.journal_mode = OFF")
            self.execute("PRAGMA aside.synchronous = OFF")
            self.execute("PRAGMA aside.cache_size = -8192")
        finally:
            Path(name).unlink()

    def spans(self, table: str) -> Iterator[tuple[int, int]]:
        """The first and the last row id of each `SPAN_ROWS` rows of *table*, as it is then.

        For one statement after the other: one over a million rows holds in memory how each page
        was that it changes, since it could fail at the last.
        """
        after = self.value(f"SELECT min(rowid) - 1 FROM {table}")
        chosen = f"SELECT rowid FROM {table} WHERE rowid > ? ORDER BY rowid LIMIT {SPAN_ROWS}"
        while after is not None:
            last = self.value(f"SELECT max(rowid) FROM ({chosen})", (after,))
            if last is not None:
                yield after + 1, last
            after = last

    def _begin(self) -> None:
        try:
            self.execute("BEGIN IMMEDIATE")
        except OperationalError as error:
            if "locked" not in str(error):
                raise
            raise MusterError(
                f"another muster has been writing to {self.path.parent} for {BUSY_S:.0f} s: "
                "wait for it or stop it, then try again; nothing was changed"
            ) from None

    def one(self, sql: str, args: Any = ()) -> Any:
        """The first row of a query, or None."""
        return self.execute(sql, args).fetchone()

    def value(self, sql: str, args: Any = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.execute(sql, args).fetchone()
        return None if row is None else row[0]


def create(folder: Path) -> Database:
    """Make a workspace in *folder* (0700, files 0600) or open the one that is there."""
    if folder.exists() and not folder.is_dir():
        raise WorkspaceError(f"{folder} is a file: a workspace is a folder, name another one")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not (folder / FILE).exists():
        if stat.S_IMODE(folder.stat().st_mode) & 0o077:
            if any(folder.iterdir()):
                _refuse_open_folder(folder)
            folder.chmod(0o700)
        (folder / FILE).touch(mode=0o600)
    return open_(folder)


def open_(folder: Path, *, read_only: bool = False, check_same_thread: bool = True) -> Database:
    """Open the workspace in *folder*.

    Raises WorkspaceError when there is none, when other users may read it, or when it was made
    by a newer version.
    """
    path = folder / FILE
    if not path.is_file():
        raise WorkspaceError(f"no workspace in {folder}: make one with `muster init`")
    check_modes(folder)
    mask = os.umask(0o077)  # SQLite makes -wal and -shm beside the file
    try:
        db = _connect(path, read_only, check_same_thread)
    finally:
        os.umask(mask)
    return db


def _connect(path: Path, read_only: bool, check_same_thread: bool) -> Database:
    uri = f"{path.resolve().as_uri()}{'?mode=ro' if read_only else ''}"
    try:
        db: Database = sqlite3.connect(
            uri, uri=True, timeout=BUSY_S, isolation_level=None, factory=Database,
            check_same_thread=check_same_thread,
        )  # fmt: skip
        db.path = path
        db.execute("PRAGMA foreign_keys = ON")
        if not read_only:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = FULL")
        if read_only:  # a screen: a window of rows at a time, in little memory
            db.execute("PRAGMA cache_size = -8192")
        else:
            db.execute("PRAGMA mmap_size = 1073741824")
            db.execute("PRAGMA cache_size = -65536")
        _bring_up_to_date(db, read_only)
    except sqlite3.DatabaseError as error:
        why = refusal(error) or str(error)
        if isinstance(error, OperationalError) and not os.access(path.parent, os.W_OK):
            why = ("nothing can be written there, which SQLite needs even to read:"
                   " copy the folder to where you may write")  # fmt: skip
        raise WorkspaceError(f"{path}: cannot be opened: {why}") from None
    return db


def _bring_up_to_date(db: Database, read_only: bool) -> None:
    from_version = db.value("PRAGMA user_version")
    if from_version == SCHEMA_VERSION:
        return
    if from_version > SCHEMA_VERSION:
        raise WorkspaceError(
            f"{db.path}: made by a newer passmuster (schema {from_version}, this one knows "
            f"{SCHEMA_VERSION}): upgrade passmuster"
        )
    if read_only:
        raise WorkspaceError(f"{db.path}: of an older version: run `muster init` to upgrade it")
    from sqlite_utils import Database as UtilsDatabase

    from passmuster import schema

    with db.atomic():  # a second process waits here, then finds the work done
        if db.value("PRAGMA user_version") != SCHEMA_VERSION:
            schema.migrations.apply(UtilsDatabase(db))
            db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            db.execute(
                "INSERT OR IGNORE INTO workspace VALUES ('device', lower(hex(randomblob(16))))"
            )


def check_modes(folder: Path) -> None:
    """Refuse a workspace that other users may read: it maps every privileged account."""
    if stat.S_IMODE(folder.stat().st_mode) & 0o077:
        _refuse_open_folder(folder)
    loose = [
        path.name
        for path in folder.iterdir()
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077
    ]
    if loose:
        raise WorkspaceError(
            f"{folder / loose[0]}: other users may read it; run: "
            f"chmod 600 {' '.join(str(folder / name) for name in loose)}"
        )


def _refuse_open_folder(folder: Path) -> None:
    raise WorkspaceError(f"{folder}: other users may enter it; run: chmod 700 {folder}")


def plain(path: Path) -> Database:
    """A SQLite file of somebody else's tables (the server's), made 0600 where it is not there.

    Durable as a workspace is, and free to be used by one thread after the other.
    """
    if not path.exists():
        path.touch(mode=0o600)
    mask = os.umask(0o077)
    try:
        db: Database = sqlite3.connect(
            path, timeout=BUSY_S, isolation_level=None, factory=Database, check_same_thread=False
        )
        db.path = path
        for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON",
                       "mmap_size = 268435456", "cache_size = -32768"):  # fmt: skip
            db.execute(f"PRAGMA {pragma}")
    except sqlite3.DatabaseError as error:
        raise WorkspaceError(f"{path}: cannot be opened: {refusal(error) or error}") from None
    finally:
        os.umask(mask)
    return db


def alone() -> Database:
    """A connection to no workspace, with a file aside for what is too large for memory.

    The file is gone when it is closed, by whichever thread.
    """
    db: Database = sqlite3.connect(
        ":memory:", isolation_level=None, factory=Database, check_same_thread=False
    )
    db.path = Path(tempfile.gettempdir(), FILE)
    db.attach_aside()
    return db


def device(db: Database) -> str:
    """The random id of this workspace, in every statement that it signs."""
    return str(db.value("SELECT value FROM workspace WHERE key = 'device'"))


def remember(db: Database, key: str, value: str) -> None:
    """Keep one fact about this workspace; it replaces what was kept under *key*."""
    with db.atomic():
        db.execute(
            "INSERT INTO workspace VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
            (key, value),
        )
