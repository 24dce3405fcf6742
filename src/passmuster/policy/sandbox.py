"""Run a rule that somebody else wrote: read-only, in a child process, within limits.

Why a child: pysqlite3 has no `setlimit`, so one `replace` can ask for gigabytes; a process has
limits of its own. Why (table, column) pairs: "may read this view" is bypassed by a CTE that
bears the view's name, because the authorizer is told the innermost name only. Each was
tried against it in the tests.

The child answers on stdout with one JSON document; `child` is its body.
"""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from passmuster import store
from passmuster.errors import MusterError, UsageError

SECONDS = 10.0
"""Of clock for the statement; the child's start is not counted."""
MEMORY_BYTES = 1 << 30
"""Of address space, POSIX only."""
PROGRESS_OPS = 1000
"""SQLite's instructions between looks at the clock; costs nothing measurable."""
MAX_CHARACTERS = 100_000

# SQLite's action codes, part of its file-stable interface; the driver's names are the same numbers
_OK, _DENY = 0, 1
_READ, _SELECT, _FUNCTION, _RECURSIVE = 20, 21, 31, 33

TABLES: dict[str, frozenset[str] | None] = {
    **dict.fromkeys((
        "source", "identity", "principal", "credential", "entitlement", "grant", "trust", "usage",
        "sighting", "owner", "person", "team", "alias", "supplier", "environment", "observation",
        "finding", "listing",
    )),
    "import_run": frozenset((
        "id", "source_id", "format", "exported_at", "imported_at", "supplies", "identities",
    )),
    "campaign": frozenset(("id", "name", "item_kind", "opened_at", "closed_at", "due_at")),
    "item": frozenset(("id", "campaign_id", "subject_id", "identity_id", "uri", "state")),
    "remediation": frozenset((
        "name", "uri", "identity_id", "source", "item_kind", "subject_id", "verb", "part",
        "campaign", "due", "decided_at", "undo_class", "in_export", "planned_at", "sent_at",
        "state", "verdict", "state_at",
    )),
    "decision": frozenset((
        "item_id", "entry_id", "identity_id", "uri", "verdict", "until", "changes", "reason_code",
        "decided_at",
    )),
    "emergency": frozenset((
        "entry_id", "uri", "source", "kind", "uid", "verdict", "restore_due", "decided_at",
    )),
    "void_entry": frozenset(("entry_id",)),
    "json_each": None, "json_tree": None,
}  # fmt: skip
"""What may be read: a table with its columns, None for all of them. Not the log, the keys, the
drafts, the raw files, nor who reviews what."""

FUNCTIONS = frozenset((
    "abs", "avg", "coalesce", "count", "date", "datetime", "dense_rank", "first_value", "glob",
    "group_concat", "ifnull", "iif", "instr", "json_array_length", "json_each", "json_extract",
    "json_tree", "json_type", "json_valid", "->", "->>", "julianday", "lag", "last_value", "lead",
    "length", "like", "lower", "ltrim", "max", "min", "nullif", "rank", "replace", "round",
    "row_number", "rtrim", "strftime", "substr", "substring", "sum", "time", "total", "trim",
    "typeof", "unixepoch", "upper",
))  # fmt: skip
"""Functions that read their arguments and nothing else; not those that make text of any size."""


def run_untrusted(
    db_path: Path, sql: str, params: dict[str, str | int], limit: int, seconds: float = SECONDS
) -> list[tuple[Any, ...]]:
    """At most *limit* rows of the one SELECT in *sql*, over the workspace file *db_path*.

    Raises UsageError for a statement that is wrong or not allowed, MusterError for one that takes
    too long or too much memory. Nothing is changed, whatever the statement is.
    """
    if len(sql) > MAX_CHARACTERS:
        raise UsageError(f"the rule is longer than {MAX_CHARACTERS} characters")
    task = {
        "folder": str(db_path.parent), "sql": sql, "params": params, "limit": limit,
        "seconds": seconds, "path": [p for p in sys.path if p],
    }  # fmt: skip
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter, our own code
            [sys.executable, "-c", _CHILD],
            input=json.dumps(task).encode(), capture_output=True, check=False,
            timeout=seconds + 20,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        raise MusterError(_too_long(seconds)) from None
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        # killed by a limit before it could answer
        raise MusterError("the rule was stopped: it took too much memory or time") from None
    if "rows" in answer:
        return [tuple(row) for row in answer["rows"]]
    raise (UsageError if answer["kind"] == "usage" else MusterError)(answer["error"])


def _too_long(seconds: float) -> str:
    return f"the rule was stopped: it took more than {seconds:g} s"


# the parent's search path first: the child must find this very code
_CHILD = (
    "import json, sys; task = json.load(sys.stdin.buffer); sys.path[:] = task['path']; "
    "from passmuster.policy import sandbox; sandbox.child(task)"
)


def child(task: dict[str, Any]) -> None:
    """Answer *task* on stdout; the body of the child process."""
    try:
        rows = _rows(task)
        answer: dict[str, Any] = {"rows": rows}
    except MemoryError:
        answer = {"kind": "failed", "error": "the rule was stopped: it took too much memory"}
    except MusterError as error:
        answer = {
            "kind": "usage" if isinstance(error, UsageError) else "failed", "error": str(error)
        }  # fmt: skip
    sys.stdout.write(json.dumps(answer))


def _rows(task: dict[str, Any]) -> list[list[Any]]:
    db = store.open_(Path(task["folder"]), read_only=True)
    db.execute("PRAGMA mmap_size = 0")  # the address space is for the statement
    db.execute("PRAGMA query_only = ON")
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute("SELECT 1 FROM json_each('[]'), json_tree('[]')").fetchall()  # 3.40 makes them here
    names = {str(name) for (name,) in db.execute("SELECT name FROM sqlite_master")}
    _limit(task["seconds"])
    db.set_authorizer(_authorizer(frozenset(names | {"sqlite_master", "sqlite_schema"})))
    end = time.monotonic() + task["seconds"]
    db.set_progress_handler(lambda: int(time.monotonic() > end), PROGRESS_OPS)
    try:
        cursor = db.execute(task["sql"], task["params"])
        if cursor.description is None:
            raise UsageError("a rule is one SELECT statement")
        return [[_plain(v) for v in row] for row in cursor.fetchmany(task["limit"])]
    except store.SqliteError as error:
        words = str(error)
        if "interrupted" in words:
            raise MusterError(_too_long(task["seconds"])) from None
        raise UsageError(f"the rule cannot run: {words}") from None
    except (ValueError, db.Warning) as error:  # two statements, a zero byte
        raise UsageError(f"the rule cannot run: {error}") from None


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def _authorizer(schema: frozenset[str]) -> Any:
    def allowed(action: int, first: str | None, second: str | None, *_: Any) -> int:
        if action in (_SELECT, _RECURSIVE):
            return _OK
        if action == _FUNCTION:
            return _OK if (second or "").lower() in FUNCTIONS else _DENY
        if action != _READ or first is None:
            return _DENY
        if first not in TABLES:
            # count(*) reads no column; over a CTE the name is the CTE's own
            return _OK if second == "" and first.lower() not in schema else _DENY
        columns = TABLES[first]
        return _OK if second == "" or columns is None or second in columns else _DENY

    return allowed


def _limit(seconds: float) -> None:
    """Limits of the operating system, where there are any."""
    try:
        import resource
    except ImportError:  # not POSIX: the clock above is the only limit
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    cpu = int(seconds) + 5
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
