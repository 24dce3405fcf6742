"""Bring exports in: who and what is there, since when, and what changed since the last time.

One import is one transaction, and the files of one import are one snapshot: a refused file leaves
the inventory as it was. What a platform says is kept as it says it; owners found in tags are tied
to people afterwards (`_link`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from passmuster import __version__, connectors, text
from passmuster.connectors import Context, Format
from passmuster.errors import ImportRefused, OlderExport
from passmuster.inventory import _write
from passmuster.inventory._counted import Progress
from passmuster.inventory._handles import Match, is_secret, matches, only, secret_matches
from passmuster.inventory._importing import Batches, Importing, Run
from passmuster.inventory._purpose import MAX_PURPOSE, say_purpose
from passmuster.inventory._same import called_now
from passmuster.inventory._settle import settle
from passmuster.store import Database

__all__ = [
    "MAX_PURPOSE", "Match", "Run", "assign_owner", "called_now", "email_of", "import_file",
    "import_files", "is_secret", "matches", "only", "say_purpose", "secret_matches",
    "unassign_owners",
]  # fmt: skip

PACKED = (b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""What zip, gzip, bzip2, xz and zstd files begin with."""


class DryRun(Exception):
    """Ends the transaction of a dry run without keeping anything."""


@dataclass(frozen=True, slots=True)
class _File:
    """One file of an import, looked at."""

    path: Path
    format: Format
    size: int
    sha256: str


def import_file(
    db: Database, path: Path, *, now: str, by: str | None, format_name: str | None = None,
    context: Context | None = None, dry_run: bool = False, progress: Progress | None = None,
) -> list[Run]:  # fmt: skip
    """`import_files` of one file."""
    return import_files(
        db, [path], now=now, by=by, format_name=format_name, context=context, dry_run=dry_run,
        progress=progress,
    )  # fmt: skip


def import_files(
    db: Database, paths: Sequence[Path], *, now: str, by: str | None,
    format_name: str | None = None, context: Context | None = None, dry_run: bool = False,
    progress: Progress | None = None, just_made: bool = False,
) -> list[Run]:  # fmt: skip
    """Import the exports at *paths* as one snapshot; a `Run` for each file and source in it.

    All or nothing: raises ImportRefused, with nothing changed, when a file is not what it claims
    to be. Files that are the newest of their sources already change nothing, and older ones are
    refused; unless they were *just_made*, for then they say how it is now, as it may have been
    before.
    """
    context = context or Context()
    files = [_look(path, format_name, context) for path in paths]
    options = _options(context)
    if not just_made and (done := _already(db, files, options)):
        return done
    try:
        with db.aside(), db.atomic(durable=False, joins=not dry_run):
            runs = _import(db, files, context, options, now, by, progress)
            if dry_run:
                raise DryRun
    except DryRun:
        pass
    finally:
        if not db.in_transaction:
            _write.unwatch(db)
    return runs


def _import(
    db: Database, files: list[_File], context: Context, options: str, now: str, by: str | None,
    progress: Progress | None,
) -> list[Run]:  # fmt: skip
    batches: Batches = {}
    started: dict[tuple[int, str], dict[int, Run]] = {}
    _write.watch(db, now)
    for f in files:
        importing = Importing(db, f.path, f.format, context, f.sha256, f.size, now, by, batches)
        try:
            importing.run(options, progress)
        except ImportRefused as error:  # a parser does not know the file's name
            named = str(error).startswith(f"{f.path.name}: ")
            also = "; none of the files was imported" if len(files) > 1 else ""
            why = str(error) if named else f"{f.path.name}: {error}"
            raise ImportRefused(why + also) from None
        if context.label_is_tenant and context.source_label is None and len(importing.sources) == 1:
            # of one snapshot: an empty table that stands beside it is of the same server
            (source_id,) = importing.sources
            tenant = db.value("SELECT tenant_uid FROM source WHERE id = ?", (source_id,))
            context = replace(context, source_label=tenant)
        for source_id, run_id in importing.sources.items():
            group = started.setdefault((source_id, f.format.name), {})
            group[run_id] = importing.runs[run_id]
    partial = {f.format.name for f in files if f.format.partial}
    for (source_id, fmt), runs in started.items():
        batch = batches[source_id, fmt]
        settle(db, source_id, fmt, runs, batch, now, partial=fmt in partial)
    _write.unwatch(db)  # the transaction may be a larger one, and go on
    return [run for runs in started.values() for run in runs.values()]


def _look(path: Path, format_name: str | None, context: Context) -> _File:
    size, digest, head = _read(path)
    fmt = connectors.named(format_name) if format_name else connectors.recognise(head, path.name)
    if fmt.narrowed:
        fmt = fmt.narrowed(fmt, context)
    return _File(path, fmt, size, digest)


def _read(path: Path) -> tuple[int, str, bytes]:
    if not path.exists():
        raise ImportRefused(f"{path}: no such file")
    if not path.is_file():
        raise ImportRefused(f"{path}: not a regular file; name the export itself")
    if path.stat().st_size == 0:
        raise ImportRefused(f"{path}: the file is empty")
    try:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            stream.seek(0)
            head = stream.read(connectors.SNIFF_BYTES)
    except OSError as error:
        raise ImportRefused(f"{path}: cannot be read: {error.strerror}") from None
    if head.startswith(PACKED):
        raise ImportRefused(f"{path.name}: is compressed: unpack it first")
    return path.stat().st_size, digest, head


def _options(context: Context) -> str:
    return text.json_text(
        {
            "source": None if context.label_is_tenant else context.source_label,
            "mapping": text.sha256(text.canonical(repr(sorted(context.mapping.items())))),
            "tool": __version__,
        }
    )


def _already(db: Database, files: list[_File], options: str) -> list[Run]:
    """Runs of these very files, if all are still the newest of their sources; else none."""
    done: list[Run] = []
    old: list[str] = []
    for f in files:
        rows = db.execute(
            "SELECT s.uid, max(r.imported_at), r.identities, max(r.batch) = (SELECT max(batch)"
            "  FROM import_run n WHERE n.source_id = r.source_id AND n.format = r.format)"
            " FROM import_run r JOIN source s ON s.id = r.source_id"
            " WHERE r.sha256 = ? AND r.format = ? AND r.options = ? GROUP BY s.id",
            (f.sha256, f.format.name, options),
        ).fetchall()
        if not rows:
            return []
        old += [f"{f.path.name}: imported on {at} already, and a newer export of {uid} since"
                for uid, at, _, newest in rows if not newest]  # fmt: skip
        done += [
            Run(uid, f.format.name, f.path.name, f.sha256, identities=count, unchanged_since=at)
            for uid, at, count, _ in rows
        ]
    if old:
        raise OlderExport(
            f"{old[0]}; importing it again would go back in time, unless it was made just now and "
            "all is as it was then: --just-made"
        )
    return done


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


def unassign_owners(db: Database) -> None:
    """Nobody is an owner by a signed statement any more: from the day on that each was logged."""
    db.execute(
        "UPDATE owner SET absent_since = (SELECT logged_at FROM entry e"
        " WHERE e.statement = owner.statement) WHERE statement IS NOT NULL"
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
