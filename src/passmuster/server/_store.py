"""The port to the server's database: SQLite for one process, PostgreSQL for several replicas.

One text of SQL for both, with `?` for a value; what cannot be said in one text (the schema, bulk
rows, the lock of the head) is here. No ORM: about thirty statements. An error of the database, and
a connection that is lost, is `Unavailable`: what was being written is either there whole or not at
all, and the client sends it again.
"""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from passmuster import store
from passmuster.errors import MusterError, WorkspaceError
from passmuster.server import _pool
from passmuster.server._pool import Pool
from passmuster.text import sha256

if TYPE_CHECKING:
    import psycopg

Dialect = Literal["sqlite", "postgres"]
Row = tuple[Any, ...]
MIGRATIONS = ("CREATE TABLE IF NOT EXISTS migration"
              " (name TEXT PRIMARY KEY, sha256 TEXT NOT NULL)")  # fmt: skip
LOCK = 0x6D757374
"""Key of the advisory lock under which PostgreSQL's schema is brought up to date."""


class Unavailable(MusterError):
    """The database did not take it: disk full, connection lost, locked. Try again later."""


class Tx(Protocol):
    """One transaction: all of it or nothing."""

    for_update: str
    """What follows a SELECT whose row is to be locked; empty where the transaction locks all."""

    def alone(self) -> None:
        """Wait until nobody else brings the schema up to date, and let nobody until the end."""

    def script(self, sql: str) -> None:
        """Do several statements without values."""

    def execute(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        """The rows of a statement; none for one that returns none."""

    def change(self, sql: str, args: Sequence[Any] = ()) -> int:
        """How many rows a statement changed."""

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        """Insert many rows; *columns* as in SQL. Raises for one that is there already."""

    def among(self, values: Sequence[Any]) -> tuple[str, list[Any]]:
        """What follows a column to find many values, and its arguments.

        *values* are bytes or text without a newline, and at least one.
        """

    def among_pairs(self, pairs: Sequence[tuple[str, int]]) -> tuple[str, list[Any]]:
        """The same for two columns, text and number."""

    def one(self, sql: str, args: Sequence[Any] = ()) -> Row | None:
        """The first row."""

    def value(self, sql: str, args: Sequence[Any] = ()) -> Any:
        """The first column of the first row, None without one."""


class Store(Protocol):
    """A database of the server."""

    dialect: Dialect

    def transaction(self) -> AbstractContextManager["Tx"]:
        """A transaction that may write, durable once its block is left."""

    def reading(self) -> AbstractContextManager["Tx"]:
        """A transaction that reads one state of the database."""

    def close(self) -> None:
        """Close every connection."""


def marks(count: int) -> str:
    """`(?, ?, …)` for as many values."""
    return f"({', '.join('?' * count)})"


def connect(where: str | Path, schema: str | None = None) -> Store:
    """Open the database *where*: a path, or a `postgresql://` URL; bring its schema up to date.

    *schema* names the folder of its DDL; the dialect's own unless said.
    """
    url = str(where)
    if url.startswith(("postgresql://", "postgres://")):
        return _up_to_date(_Postgres(url), schema or "postgres")
    scheme, colon, _ = url.partition(":")
    if colon and scheme.isalnum():  # `postgresql:name` is a slip, not a file of that name
        raise WorkspaceError(f"{scheme}: no database that is known here: give a file or "
                             "postgresql://…")  # fmt: skip
    if not Path(url).parent.is_dir():
        raise WorkspaceError(f"{url}: its folder is not there: make it, or give another path")
    return _up_to_date(_Sqlite(Path(url)), schema or "sqlite")


def _up_to_date(made: Store, schema: str) -> Store:
    try:
        with made.transaction() as tx:
            tx.alone()
            for sql in _pending(tx, schema):
                tx.script(sql)
    except BaseException:
        made.close()
        raise
    return made


def _steps(schema: str) -> list[tuple[str, str]]:
    """(name, SQL) of each step of a schema, in order."""
    folder = resources.files(__package__) / "sql" / schema
    names = sorted(f.name for f in folder.iterdir() if f.name.endswith(".sql"))
    return [(f"{schema}/{n}", (folder / n).read_text("utf-8")) for n in names]


def _pending(tx: Tx, schema: str) -> Iterator[str]:
    """The SQL of each step that is to be taken; it is noted as taken after it was.

    Forward only: a database that a newer server made is refused, and one whose steps were others.
    """
    tx.execute(MIGRATIONS)
    there: dict[str, str] = dict(tx.execute("SELECT name, sha256 FROM migration"))
    steps = _steps(schema)
    if unknown := [n for n in there if n.startswith(f"{schema}/") and n not in dict(steps)]:
        raise WorkspaceError(f"the database was made by a newer passmuster ({min(unknown)}): "
                             "upgrade the server")  # fmt: skip
    for name, sql in steps:
        digest = sha256(sql.encode())
        if name not in there:
            yield sql
            tx.execute("INSERT INTO migration VALUES (?, ?)", (name, digest))
        elif there[name] != digest:
            raise WorkspaceError(f"the database's schema is another than this server's ({name})")


# --- SQLite


class _SqliteTx:
    for_update = ""

    def __init__(self, db: store.Database) -> None:
        self._db = db

    def script(self, sql: str) -> None:
        for statement in _statements(sql):
            self._db.execute(statement)

    def alone(self) -> None:
        """A transaction of SQLite is."""

    def execute(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        return list(self._db.execute(sql, args).fetchall())

    def change(self, sql: str, args: Sequence[Any] = ()) -> int:
        return int(self._db.execute(sql, args).rowcount)

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        values = marks(columns.count(",") + 1)
        self._db.executemany(f"INSERT INTO {table} ({columns}) VALUES {values}", rows)

    def among(self, values: Sequence[Any]) -> tuple[str, list[Any]]:
        return f"IN {marks(len(values))}", list(values)

    def among_pairs(self, pairs: Sequence[tuple[str, int]]) -> tuple[str, list[Any]]:
        places = ", ".join(["(?, ?)"] * len(pairs))
        return f"IN (VALUES {places})", [value for pair in pairs for value in pair]

    def one(self, sql: str, args: Sequence[Any] = ()) -> Row | None:
        found: Row | None = self._db.execute(sql, args).fetchone()
        return found

    def value(self, sql: str, args: Sequence[Any] = ()) -> Any:
        return self._db.value(sql, args)


class _Sqlite:
    """One writer, several readers; each connection is used by one thread at a time."""

    dialect: Dialect = "sqlite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = store.plain(path)
        self._lock = threading.Lock()
        self._pool: Pool[store.Database] = Pool()

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        with self._lock, _sqlite_errors(), self._writer.atomic():
            yield _SqliteTx(self._writer)

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        with self._pool.place(), _sqlite_errors():
            db = self._pool.take() or store.plain(self._path)
            try:
                db.execute("BEGIN")
                yield _SqliteTx(db)
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                self._pool.give(db)

    def close(self) -> None:
        self._pool.close()
        self._lock.acquire(timeout=_pool.CLOSE_S)
        self._writer.close()


@contextmanager
def _sqlite_errors() -> Iterator[None]:
    try:
        yield
    except store.OperationalError as error:
        raise Unavailable(f"the database: {store.refusal(error) or error}") from error


def _statements(sql: str) -> Iterator[str]:
    """The statements of a script, one by one: `executescript` would commit in between."""
    held = ""
    for piece in sql.split(";"):
        held += f"{piece};"
        if store.is_whole(held):
            yield held
            held = ""


# --- PostgreSQL


@lru_cache(maxsize=512)
def _translated(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


class _PostgresTx:
    for_update = " FOR UPDATE"

    def __init__(self, db: "psycopg.Connection[Row]", types: dict[str, list[int]]) -> None:
        self._db, self._types = db, types

    def execute(self, sql: str, args: Sequence[Any] = ()) -> list[Row]:
        cursor = self._db.execute(_translated(sql).encode(), args)
        return cursor.fetchall() if cursor.description else []

    def script(self, sql: str) -> None:
        self._db.execute(sql.encode())

    def alone(self) -> None:
        self.execute("SELECT pg_advisory_xact_lock(?)", (LOCK,))

    def change(self, sql: str, args: Sequence[Any] = ()) -> int:
        return self._db.execute(_translated(sql).encode(), args).rowcount

    def insert(self, table: str, columns: str, rows: Iterable[Row]) -> None:
        text = f"COPY {table} ({columns}) FROM STDIN (FORMAT binary)".encode()
        with self._db.cursor() as cursor:
            types = self._types_of(cursor, f"SELECT {columns} FROM {table} LIMIT 0")
            with cursor.copy(text) as copy:
                copy.set_types(types)
                for row in rows:
                    copy.write_row(row)

    def _types_of(self, cursor: "psycopg.Cursor[Row]", sql: str) -> list[int]:
        """The types of a statement's columns, which the binary form does not say itself."""
        if sql not in self._types:
            description = cursor.execute(sql.encode()).description
            assert description is not None
            self._types[sql] = [column.type_code for column in description]
        return self._types[sql]

    def among(self, values: Sequence[Any]) -> tuple[str, list[Any]]:
        if isinstance(values[0], bytes):
            hexes = "SELECT decode(x, 'hex') FROM unnest(string_to_array(?, E'\\n')) x"
            return f"= ANY(ARRAY({hexes}))", ["\n".join(value.hex() for value in values)]
        return r"= ANY(string_to_array(?, E'\n'))", ["\n".join(values)]

    def among_pairs(self, pairs: Sequence[tuple[str, int]]) -> tuple[str, list[Any]]:
        sql = r"string_to_array(?, E'\n'), string_to_array(?, E'\n')::bigint[]"
        values = ["\n".join(text for text, _ in pairs), "\n".join(str(n) for _, n in pairs)]
        return f"IN (SELECT * FROM unnest({sql}))", values

    def one(self, sql: str, args: Sequence[Any] = ()) -> Row | None:
        found = self.execute(sql, args)
        return found[0] if found else None

    def value(self, sql: str, args: Sequence[Any] = ()) -> Any:
        found = self.one(sql, args)
        return None if found is None else found[0]


class _Postgres:
    """A small pool; a connection that failed is thrown away, the next one is made anew."""

    dialect: Dialect = "postgres"

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: Pool[psycopg.Connection[Row]] = Pool()
        self._types: dict[str, list[int]] = {}

    @contextmanager
    def transaction(self) -> Iterator[Tx]:
        with self._connection("BEGIN ISOLATION LEVEL READ COMMITTED") as tx:
            yield tx

    @contextmanager
    def reading(self) -> Iterator[Tx]:
        with self._connection("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as tx:
            yield tx

    @contextmanager
    def _connection(self, begin: str) -> Iterator[Tx]:
        import psycopg

        with self._pool.place():
            try:
                db = self._begun(begin)
            except psycopg.Error as error:
                raise Unavailable(
                    f"the database: {_first_line(error)}: is it running, and the URL right?"
                ) from error
            try:
                yield _PostgresTx(db, self._types)
                db.execute("COMMIT")
            except psycopg.OperationalError as error:
                db.close()
                raise Unavailable(f"the database: {_first_line(error)}") from error
            except BaseException:
                with suppress(psycopg.Error):
                    db.execute("ROLLBACK")
                raise
            finally:
                if not db.closed:
                    self._pool.give(db)

    def _begun(self, begin: str) -> "psycopg.Connection[Row]":
        """A connection with a transaction begun; one that died while it was idle is not used."""
        import psycopg

        while db := self._pool.take():
            try:
                db.execute(begin.encode())
            except psycopg.OperationalError:
                db.close()
            else:
                return db
        db = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
        try:
            db.execute(begin.encode())
        except BaseException:
            db.close()
            raise
        return db

    def close(self) -> None:
        self._pool.close()


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).split("\n")[0]
