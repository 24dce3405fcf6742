"""Bring exports in: who and what is there, since when, and what changed since the last time.

One import is one transaction: a refused file leaves the inventory as it was. What a platform
says is kept as it says it; owners found in tags are tied to people afterwards (`_link`).
"""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

from passmuster import __version__, blobs, connectors, text
from passmuster.connectors import Context, Format
from passmuster.errors import ImportRefused
from passmuster.inventory import _link, _write
from passmuster.inventory._counted import Counted, Progress
from passmuster.model import Problem, Source
from passmuster.store import Database

MAX_RAW_BYTES = 32 * 1024 * 1024
"""The bytes of a file are kept as evidence up to this size; its digest always is."""


@dataclass(slots=True)
class Run:
    """What one import did to one source."""

    source: str
    format: str
    file_name: str
    sha256: str
    identities: int = 0
    records: int = 0
    new: int = 0
    changed: int = 0
    absent: int = 0
    problems: list[Problem] = field(default_factory=list)
    """The first of them; `problem_count` is how many there are."""
    problem_count: int = 0
    unchanged_since: str | None = None
    """When this very file was imported already: then nothing was done."""


class DryRun(Exception):
    """Ends the transaction of a dry run without keeping anything."""


def import_file(
    db: Database,
    path: Path,
    *,
    now: str,
    by: str | None,
    format_name: str | None = None,
    context: Context | None = None,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> list[Run]:
    """Import the export at *path*; one `Run` for each source that it names.

    Raises ImportRefused, with nothing changed, when the file is not what it claims to be.
    """
    context = context or Context()
    size, digest, head = _look(path)
    fmt = connectors.named(format_name) if format_name else connectors.recognise(head, path.name)
    if fmt.narrowed:
        fmt = fmt.narrowed(fmt, context)
    options = _options(context)
    if done := _already(db, fmt, digest, options, path.name):
        return done
    try:
        with db.atomic(durable=False):
            runs = _Import(db, path, fmt, context, digest, size, now, by).run(options, progress)
            if dry_run:
                raise DryRun
    except DryRun:
        pass
    except ImportRefused as error:  # a parser does not know the file's name
        named = str(error).startswith(f"{path.name}: ")
        raise ImportRefused(str(error) if named else f"{path.name}: {error}") from None
    finally:
        if not db.in_transaction:
            _write.unwatch(db)
    return runs


def _look(path: Path) -> tuple[int, str, bytes]:
    if not path.is_file():
        raise ImportRefused(f"{path}: no such file")
    if path.stat().st_size == 0:
        raise ImportRefused(f"{path}: the file is empty")
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            return path.stat().st_size, digest, stream.read(connectors.SNIFF_BYTES)
    except OSError as error:
        raise ImportRefused(f"{path}: cannot be read: {error.strerror}") from None


def _options(context: Context) -> str:
    return text.json_text(
        {
            "source": context.source_label,
            "mapping": text.sha256(text.canonical(repr(sorted(context.mapping.items())))),
            "tool": __version__,
        }
    )


def _already(db: Database, fmt: Format, digest: str, options: str, name: str) -> list[Run]:
    """Runs of this very file, if it is still the newest of its sources; else an empty list."""
    rows = db.execute(
        "SELECT s.uid, r.imported_at, r.identities, r.id = (SELECT max(id) FROM import_run n"
        "  WHERE n.source_id = r.source_id AND n.format = r.format)"
        " FROM import_run r JOIN source s ON s.id = r.source_id"
        " WHERE r.sha256 = ? AND r.format = ? AND r.options = ?"
        " AND r.id IN (SELECT max(id) FROM import_run WHERE sha256 = ? GROUP BY source_id)",
        (digest, fmt.name, options, digest),
    ).fetchall()
    if rows and not all(row[3] for row in rows):
        raise ImportRefused(
            f"{name}: imported on {rows[0][1]} already, and a newer export of {rows[0][0]} "
            "since; importing it again would go back in time"
        )
    return [
        Run(uid, fmt.name, name, digest, identities=count, unchanged_since=at)
        for uid, at, count, _ in rows
    ]


class _Import:
    """The state of one import, from the first record to the last."""

    def __init__(
        self, db: Database, path: Path, fmt: Format, context: Context,
        digest: str, size: int, now: str, by: str | None,
    ) -> None:  # fmt: skip
        self.db, self.path, self.fmt, self.context = db, path, fmt, context
        self.digest, self.size, self.now, self.by = digest, size, now, by
        self.writer = _write.Writer(db, fmt)
        self.runs: dict[int, Run] = {}
        self.sources: dict[int, int] = {}
        self.problems: list[Problem] = []

    def run(self, options: str, progress: Progress | None) -> list[Run]:
        _write.watch(self.db, self.now)
        with self.path.open("rb") as file:
            counted = Counted(file, self.size, progress)
            for record in connectors.read(self.fmt, counted, self.context):  # type: ignore[arg-type]
                if type(record) is Source:
                    self._switch(record, options)
                elif type(record) is Problem:
                    self.problems.append(record)
                    if self.writer.run_id and len(self.problems) >= _write.FLUSH_ROWS:
                        self._list_problems()
                elif not self.writer.run_id:
                    raise ImportRefused(f"{self.path.name}: names no source; give --source")
                else:
                    self.writer.add(record)
            counted.finish(self.digest, self.path.name)
        if not self.runs:
            why = f": {self.problems[0].why}" if self.problems else ""
            raise ImportRefused(f"{self.path.name}: nothing in it can be imported{why}")
        self.writer.flush()
        self._list_problems()
        for run_id, run in self.runs.items():
            self._settle(run_id, run)
        return list(self.runs.values())

    def _switch(self, source: Source, options: str) -> None:
        """Go on with *source*: its row and its run are made when first met."""
        self.writer.flush()
        self._list_problems()
        uid = f"{source.platform}:{source.tenant_uid}"
        label = self.context.source_label
        self.db.execute(
            "INSERT INTO source (uid, platform, tenant_uid, name) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (uid) DO UPDATE SET name = coalesce(excluded.name, name)",
            (uid, source.platform, source.tenant_uid, label or source.name),
        )
        source_id = int(self.db.value("SELECT id FROM source WHERE uid = ?", (uid,)))
        if source_id not in self.sources:
            self.sources[source_id] = self._start(source_id, options)
            self.runs[self.sources[source_id]] = Run(
                uid, self.fmt.name, self.path.name, self.digest
            )
        self.writer.source_id = source_id
        self.writer.run_id = self.sources[source_id]

    def _start(self, source_id: int, options: str) -> int:
        raw = None
        if self.fmt.keeps_raw and self.size <= MAX_RAW_BYTES:
            raw = blobs.put(self.db, self.path.read_bytes())
        cursor = self.db.execute(
            "INSERT INTO import_run (source_id, format, file_name, sha256, size, imported_at,"
            " imported_by, tool_version, supplies, options, raw)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                source_id, self.fmt.name, text.visible(self.path.name), self.digest, self.size,
                self.now, self.by, __version__, json.dumps(self.fmt.supplies), options, raw,
            ),
        )  # fmt: skip
        return int(cursor.lastrowid or 0)

    def _list_problems(self) -> None:
        if self.writer.run_id:
            _write.add_problems(self.db, self.writer.run_id, self.problems)
            self.problems.clear()

    def _settle(self, run_id: int, run: Run) -> None:
        """Mark what is gone, tie references, count."""
        source_id = next(s for s, r in self.sources.items() if r == run_id)
        run.absent = mark_absent(self.db, source_id, self.fmt.name, run_id, self.now)
        _link.link(self.db, source_id)
        observe_parts(self.db, source_id, run_id, self.now)
        db = self.db
        run.identities = db.value(
            "SELECT count(*) FROM identity WHERE source_id = ? AND last_seen_run = ?",
            (source_id, run_id),
        )
        run.new = db.value(
            "SELECT count(*) FROM identity WHERE source_id = ? AND first_seen_run = ?",
            (source_id, run_id),
        )
        run.changed = db.value(
            "SELECT count(DISTINCT o.identity_id) FROM observation o JOIN identity i"
            " ON i.id = o.identity_id WHERE o.run_id = ? AND o.field <> 'absent_since'"
            " AND i.first_seen_run < ?",
            (run_id, run_id),
        )
        run.records = self.writer.records
        run.problem_count = db.value("SELECT count(*) FROM problem WHERE run_id = ?", (run_id,))
        run.problems = [Problem(*row) for row in _problems(db, run_id, 20)]
        db.execute(
            "UPDATE import_run SET identities = ?, records = ?, new = ?, changed = ?, absent = ?,"
            " problems = ? WHERE id = ?",
            (run.identities, run.records, run.new, run.changed, run.absent,
             run.problem_count, run_id),
        )  # fmt: skip


def mark_absent(db: Database, source_id: int, fmt: str, run_id: int, now: str) -> int:
    """Set `absent_since` on what earlier runs of this source and format had and this has not."""
    db.execute(
        "UPDATE identity SET absent_since = ? WHERE source_id = ? AND absent_since IS NULL"
        " AND last_seen_run < ? AND id IN (SELECT identity_id FROM seen WHERE format = ?)",
        (now, source_id, run_id, fmt),
    )
    gone = int(db.value("SELECT changes()"))
    db.execute(
        "INSERT OR REPLACE INTO seen SELECT id, ?, ? FROM identity"
        " WHERE source_id = ? AND last_seen_run = ?",
        (fmt, run_id, source_id, run_id),
    )
    earlier = "SELECT id FROM import_run WHERE source_id = ? AND format = ? AND id < ?"
    for table in _write.TABLES.values():
        if table != "identity":
            db.execute(
                f"UPDATE {table} SET absent_since = ? WHERE source_id = ? AND absent_since IS NULL"
                f" AND last_seen_run IN ({earlier})",
                (now, source_id, source_id, fmt, run_id),
            )
    return gone


def observe_parts(db: Database, source_id: int, run_id: int, now: str) -> None:
    """Keep as observations which parts of a known identity this run added or missed.

    The first run of a format only fills in what was not known; nothing changed by it.
    """
    first = db.value(
        "SELECT NOT EXISTS (SELECT 1 FROM import_run e, import_run r WHERE r.id = ?"
        " AND e.source_id = r.source_id AND e.format = r.format AND e.id < r.id)",
        (run_id,),
    )
    if first:
        return
    parts = {
        "credential": "x.uid",
        "grant": "x.entitlement_uid || ' via ' || x.via",
        "trust": "x.from_uid || ' ' || x.mechanism",
    }
    for table, name in parts.items():
        known = (
            f" FROM {table} x JOIN identity i ON i.id = x.identity_id"
            f" WHERE x.source_id = ? AND i.first_seen_run < {int(run_id)} AND "
        )
        insert = (
            "INSERT INTO observation (identity_id, subject, field, old, new, run_id, observed_at)"
            f" SELECT i.id, '{table} ' || {name}, '{table}', "
        )
        db.execute(
            f"{insert} NULL, {name}, ?, ? {known} x.first_seen_run = ?",
            (run_id, now, source_id, run_id),
        )
        if table != "credential":  # a credential's absence is observed by its trigger
            db.execute(
                f"{insert} {name}, NULL, ?, ? {known} x.absent_since = ?",
                (run_id, now, source_id, now),
            )


def _problems(db: Database, run_id: int, limit: int) -> list[tuple[int, str, str, str]]:
    return list(
        db.execute(
            "SELECT line, field, why, uid FROM problem WHERE run_id = ? ORDER BY id LIMIT ?",
            (run_id, limit),
        )
    )


def assign_owner(db: Database, item_id: int, owner: str, statement: str, by: str, now: str) -> None:
    """Record that *owner* answers for the identity of an item, as a signed statement says."""
    db.execute(
        "INSERT INTO source (uid, platform, tenant_uid, name) VALUES"
        " ('register:assigned', 'register', 'assigned', 'assigned in reviews')"
        " ON CONFLICT (uid) DO NOTHING"
    )
    db.execute(
        "INSERT INTO owner (source_id, identity_uid, handle, role, origin, evidence, identity_id,"
        " person_uid, team_uid, statement, first_seen_run, last_seen_run)"
        " SELECT s.id, y.uid, ?1, 'owner', 'assigned', ?2, y.id, a.person_uid, a.team_uid, ?3,"
        " 0, 0 FROM item n JOIN identity y ON y.id = n.identity_id"
        " JOIN source s ON s.uid = 'register:assigned' LEFT JOIN alias a ON a.name = ?1"
        " WHERE n.id = ?4 ON CONFLICT DO UPDATE SET statement = excluded.statement,"
        " evidence = excluded.evidence, absent_since = NULL",
        (owner, f"assigned by {by} on {now[:10]}", statement, item_id),
    )


def email_of(db: Database, owner: str) -> str | None:
    """The address at which *owner* (a person, an alias, a team's lead) can be asked."""
    row = db.one(
        "SELECT lower(coalesce(p.email, t.lead)) FROM alias a"
        " LEFT JOIN person p ON p.uid = a.person_uid AND p.absent_since IS NULL"
        " LEFT JOIN team t ON t.uid = a.team_uid AND t.absent_since IS NULL"
        " WHERE a.name = ? ORDER BY p.email IS NULL LIMIT 1",
        (owner,),
    )
    if row is not None and row[0]:
        return str(row[0])
    return owner.lower() if "@" in owner else None
