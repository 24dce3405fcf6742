"""Records into tables: one upsert per kind of record, made from the record's own fields.

A first import is an INSERT per row; a later one goes through the same statement, whose UPDATE
touches only the columns that the format speaks for. Triggers that live as long as the import
keep the history of what changed and report a uid that a file carries twice, so that no row is
ever read back into Python.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from passmuster import model
from passmuster.connectors import Format
from passmuster.store import Database

FLUSH_ROWS = 5_000
"""Rows held in memory before they are written."""

# the order is the order of writing: what is referred to comes first
TABLES: dict[type, str] = {
    model.Identity: "identity",
    model.Entitlement: "entitlement",
    model.Credential: "credential",
    model.Grant: "grant",
    model.Trust: "trust",
    model.Owner: "owner",
    model.Usage: "usage",
    model.Sighting: "sighting",
    model.Person: "person",
    model.Team: "team",
    model.Supplier: "supplier",
    model.Environment: "environment",
}
KEYS = {
    "identity": "source_id, uid",
    "credential": "source_id, uid",
    "entitlement": "source_id, uid",
    "grant": "source_id, principal_uid, entitlement_uid, via",
    "trust": "source_id, to_identity_uid, from_uid, mechanism, coalesce(subject_pattern, '')",
    "owner": "source_id, identity_uid, handle, role, origin",
    "usage": "source_id, identity_uid, consumer, consumer_kind",
    "sighting": "source_id, identity_uid, what, place",
    "person": "source_id, uid",
    "team": "source_id, uid",
    "supplier": "source_id, uid",
    "environment": "source_id, uid",
}
# resolved while inserting, from columns of the same row; what is not there yet, `_link` finds
RESOLVED = {
    "credential": (("identity_id", "identity", "identity_uid"),),
    "grant": (
        ("identity_id", "identity", "principal_uid"),
        ("entitlement_id", "entitlement", "entitlement_uid"),
    ),
    "trust": (("identity_id", "identity", "to_identity_uid"),),
    "owner": (("identity_id", "identity", "identity_uid"),),
    "usage": (("identity_id", "identity", "identity_uid"),),
    "sighting": (("identity_id", "identity", "identity_uid"),),
}
WATCHED = {
    "identity": (
        "display_name", "kind", "status", "is_locked", "created_by", "has_mfa", "is_external",
        "purpose", "environment", "supplier", "absent_since",
    ),
    "credential": ("status", "expires_at", "last_rotated_at", "absent_since"),
}  # fmt: skip
"""Columns whose changes are kept as observations; last use changes daily and is not."""

_IDENTITY_ALWAYS = ("line", "last_seen_run", "absent_since", "attributes")
_USE = ("last_used_at", "last_used_state", "last_used_from")
_USED = "CASE WHEN excluded.last_used_state = 'unknown' THEN {0} ELSE excluded.{0} END"
_LAST_USED = ("last_used_at", "last_used_state", "last_used_source")


class Writer:
    """Buffers records and writes them, with one source and one run at a time."""

    def __init__(self, db: Database, fmt: Format) -> None:
        self.db = db
        self.source_id = 0
        self.run_id = 0
        self.records: Counter[int] = Counter()
        """By run: a file may hold several sources."""
        self._rows: dict[type, list[Any]] = {kind: [] for kind in TABLES}
        self._held = 0
        self._sql = {kind: upsert(table, kind, fmt) for kind, table in TABLES.items()}

    def add(self, record: Any) -> None:
        """Hold *record*, writing everything held when it is enough."""
        self._rows[type(record)].append(record)
        self._held += 1
        if self._held >= FLUSH_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is held."""
        before, after = (self.source_id,), (self.run_id, self.run_id)
        for kind, rows in self._rows.items():
            if rows:
                self.db.executemany(self._sql[kind], [before + row + after for row in rows])
                rows.clear()
        self.records[self.run_id] += self._held
        self._held = 0


def upsert(table: str, kind: Any, fmt: Format) -> str:
    """The statement that puts one record of *kind* into *table*.

    Bound values, in order: source_id, the record's fields, run id twice.
    """
    fields: tuple[str, ...] = kind._fields
    names = ["source_id", *fields, "first_seen_run", "last_seen_run"]
    values = [f"?{i + 1}" for i in range(len(names))]
    if table == "identity":
        at = names.index("attributes")
        values[at] = f"'{{\"{fmt.name}\":' || {values[at]} || '}}'"
    for column, target, by in RESOLVED.get(table, ()):
        uid = values[names.index(by)]
        names.append(column)
        values.append(f"(SELECT id FROM {target} WHERE source_id = ?1 AND uid = {uid})")
    return (
        f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(values)})"
        f" ON CONFLICT ({KEYS[table]}) DO UPDATE SET {', '.join(_updates(table, fields, fmt))}"
    )


def _updates(table: str, fields: tuple[str, ...], fmt: Format) -> list[str]:
    common = ["last_seen_run = excluded.last_seen_run", "absent_since = NULL"]
    if table != "identity":
        key = KEYS[table]
        # what has no line is only mentioned: it never overwrites what was described
        new = "CASE WHEN excluded.line IS NULL THEN {0} ELSE excluded.{0} END"
        form = new if table in ("entitlement", "credential") else "excluded.{0}"
        common += [
            f"{f} = {(_USED if table == 'credential' and f in _USE else form).format(f)}"
            for f in fields
            if f not in key
        ]
        return common + [
            f"{column} = coalesce(excluded.{column}, {column})"
            for column, _, _ in RESOLVED.get(table, ())
        ]
    covered = [f for f in fields if f in fmt.covers and f not in _IDENTITY_ALWAYS]
    path = f"'$.\"{fmt.name}\"'"
    return [
        *common,
        "line = coalesce(excluded.line, line)",
        f"attributes = CASE WHEN excluded.line IS NULL OR attributes = excluded.attributes"
        f" THEN attributes ELSE"
        f" json_set(attributes, {path}, json_extract(excluded.attributes, {path})) END",
        *(f"{f} = CASE WHEN {_keeps(f)} THEN {f} ELSE excluded.{f} END" for f in covered),
    ]


def _keeps(column: str) -> str:
    """When an update leaves a covered column alone."""
    mention = "excluded.line IS NULL"
    if column in ("kind", "kind_origin"):
        return f"{mention} OR kind_origin = 'assigned'"
    if column in _LAST_USED:  # "unknown" is no statement: what was once seen stays known
        return f"{mention} OR excluded.last_used_state = 'unknown'"
    return mention


def watch(db: Database, now: str) -> None:
    """Put up the triggers that keep history for the rest of this connection's import."""
    unwatch(db)
    for table, columns in WATCHED.items():
        differs = {c: _differs(table, c) for c in columns}
        changed = " OR ".join(f"({test})" for test in differs.values())
        identity = "new.id" if table == "identity" else "new.identity_id"
        inserts = "".join(
            "INSERT INTO observation (identity_id, subject, field, old, new, run_id, observed_at)"
            f" SELECT {identity}, '{table} ' || new.uid, '{c}', old.{c}, new.{c},"
            f" new.last_seen_run, '{now}' WHERE {test};"
            for c, test in differs.items()
        )
        db.execute(
            f"CREATE TEMP TRIGGER watch_{table} AFTER UPDATE ON main.{table}"
            f" WHEN ({changed}) AND {identity} IS NOT NULL BEGIN {inserts} END"
        )
    db.execute(
        "CREATE TEMP TRIGGER watch_twice AFTER UPDATE OF line ON main.identity"
        " WHEN old.last_seen_run = new.last_seen_run AND old.line <> new.line BEGIN"
        " INSERT INTO problem (run_id, line, field, why, uid) VALUES (new.last_seen_run, new.line,"
        " 'uid', 'the same uid stands on line ' || old.line || ' too; the later row counts',"
        " new.uid); END"
    )


def _differs(table: str, column: str) -> str:
    """When a new value is a change: what was unknown or a guess is only being learned."""
    test = f"old.{column} IS NOT new.{column}"
    if table != "identity" or column == "absent_since":
        return test
    learned = f" AND old.{column} IS NOT NULL AND old.{column} <> 'unknown'"
    guess = " AND old.kind_origin <> 'inferred'" if column == "kind" else ""
    return test + learned + guess


def unwatch(db: Database) -> None:
    """Take the triggers down."""
    for name in (*WATCHED, "twice"):
        db.execute(f"DROP TRIGGER IF EXISTS temp.watch_{name}")


def add_problems(db: Database, run_id: int, problems: Iterable[model.Problem]) -> None:
    """List rows that could not be read under their run."""
    db.executemany(
        "INSERT INTO problem (run_id, line, field, why, uid) VALUES (?, ?, ?, ?, ?)",
        [(run_id, *problem) for problem in problems],
    )
