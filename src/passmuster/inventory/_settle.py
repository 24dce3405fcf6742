"""The end of an import: what is gone, what belongs together, what to tell about it."""

from passmuster.inventory import _link, _same
from passmuster.inventory._importing import Run
from passmuster.inventory._write import TABLES
from passmuster.model import Problem
from passmuster.store import Database

OF_IDENTITY = ("credential", "grant", "trust", "owner", "usage", "sighting")
"""Tables of parts, each of one identity."""
REGISTERS = ("owner", "person", "team", "supplier", "environment")
TWICE = "the same uid"
"""How the problem of a uid that a file carries twice begins; its rows were read all the same."""


def settle(
    db: Database, source_id: int, fmt: str, runs: dict[int, Run], batch: int, now: str,
    *, partial: bool = False,
) -> None:  # fmt: skip
    """Finish the *runs* (run id → run) of one source and format, imported together.

    A *partial* format says nothing of the identities that it does not list; of those that it does,
    it lists every part.
    """
    unread = db.value(
        f"SELECT count(*) FROM problem WHERE run_id IN ({','.join(map(str, runs))})"
        " AND why NOT LIKE ?",
        (f"{TWICE}%",),
    )
    last = list(runs.values())[-1]
    _same.settle(db, source_id, fmt, batch, now, partial=partial)
    if partial:
        _mark_parts(db, source_id, fmt, batch, now)
    elif unread and _would_miss(db, source_id, fmt, batch):
        # a row that cannot be read is no proof that what it held is gone
        db.execute(
            "INSERT INTO problem (run_id, why) VALUES (?, ?)",
            (max(runs), "not every row could be read, so nothing was marked as gone"),
        )
    else:
        last.absent = _mark_absent(db, source_id, fmt, batch, now)
    _link.link(db, source_id)
    _observe_parts(db, source_id, fmt, batch, now)
    register = db.value("SELECT platform = 'register' FROM source WHERE id = ?", (source_id,))
    for run_id, run in runs.items():
        if register:
            _tell_unmatched(db, run_id)
        _count(db, source_id, run_id, run)
    if register:
        _count_register(db, source_id, batch, last, now)
    for run_id, run in runs.items():
        _keep(db, run_id, run)


def _would_miss(db: Database, source_id: int, fmt: str, batch: int) -> bool:
    return bool(
        db.value(
            "SELECT 1 FROM identity WHERE source_id = ? AND absent_since IS NULL"
            " AND last_seen_run < ? AND id IN (SELECT identity_id FROM seen WHERE format = ?)",
            (source_id, batch, fmt),
        )
    )


def _tell_unmatched(db: Database, run_id: int) -> None:
    """A register's row that ties to nobody must not vanish."""
    db.execute(
        "INSERT INTO problem (run_id, line, field, why, uid) SELECT last_seen_run, line,"
        " 'identity', 'no identity, or more than one, is called ' || identity_uid, identity_uid"
        " FROM owner WHERE last_seen_run = ? AND identity_id IS NULL",
        (run_id,),
    )
    db.execute(
        "INSERT INTO problem (run_id, line, field, why, uid) SELECT last_seen_run, line,"
        " 'owner', 'no person or team in the registers is called ' || handle, identity_uid"
        " FROM owner WHERE last_seen_run = ? AND person_uid IS NULL AND team_uid IS NULL",
        (run_id,),
    )


def _count(db: Database, source_id: int, run_id: int, run: Run) -> None:
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


def _count_register(db: Database, source_id: int, batch: int, run: Run, now: str) -> None:
    """A register has no identities of its own: count its rows instead."""
    for table in REGISTERS:
        run.new += db.value(
            f"SELECT count(*) FROM {table} WHERE source_id = ? AND first_seen_run >= ?",
            (source_id, batch),
        )
        run.absent += db.value(
            f"SELECT count(*) FROM {table} WHERE source_id = ? AND absent_since = ?",
            (source_id, now),
        )


def _keep(db: Database, run_id: int, run: Run) -> None:
    run.problem_count = db.value("SELECT count(*) FROM problem WHERE run_id = ?", (run_id,))
    run.problems = [
        Problem(*row)
        for row in db.execute(
            "SELECT line, field, why, uid FROM problem WHERE run_id = ? ORDER BY id LIMIT 20",
            (run_id,),
        )
    ]
    db.execute(
        "UPDATE import_run SET identities = ?, records = ?, new = ?, changed = ?, absent = ?,"
        " problems = ? WHERE id = ?",
        (run.identities, run.records, run.new, run.changed, run.absent,
         run.problem_count, run_id),
    )  # fmt: skip


def _mark_absent(db: Database, source_id: int, fmt: str, batch: int, now: str) -> int:
    """Set `absent_since` on what earlier runs of this source and format had and this has not."""
    db.execute(
        "UPDATE identity SET absent_since = ? WHERE source_id = ? AND absent_since IS NULL"
        " AND last_seen_run < ? AND id IN (SELECT identity_id FROM seen WHERE format = ?)",
        (now, source_id, batch, fmt),
    )
    gone = int(db.value("SELECT changes()"))
    _see(db, source_id, fmt, batch)
    earlier = "SELECT id FROM import_run WHERE source_id = ? AND format = ? AND id < ?"
    for table in TABLES.values():
        if table != "identity":
            db.execute(
                f"UPDATE {table} SET absent_since = ? WHERE source_id = ? AND absent_since IS NULL"
                f" AND last_seen_run IN ({earlier})",
                (now, source_id, source_id, fmt, batch),
            )
    return gone


def _see(db: Database, source_id: int, fmt: str, batch: int) -> None:
    db.execute(
        "INSERT OR REPLACE INTO seen SELECT id, ?, last_seen_run FROM identity"
        " WHERE source_id = ? AND last_seen_run >= ?",
        (fmt, source_id, batch),
    )


def _mark_parts(db: Database, source_id: int, fmt: str, batch: int, now: str) -> None:
    """Set `absent_since` on parts of listed identities that earlier runs had and this has not."""
    _see(db, source_id, fmt, batch)
    for table in OF_IDENTITY:
        db.execute(
            f"UPDATE {table} SET absent_since = ?1 WHERE source_id = ?2 AND absent_since IS NULL"
            " AND last_seen_run IN (SELECT id FROM import_run WHERE source_id = ?2 AND format = ?3"
            "  AND id < ?4)"
            " AND identity_id IN (SELECT id FROM identity WHERE source_id = ?2"
            "  AND last_seen_run >= ?4)",
            (now, source_id, fmt, batch),
        )


def _observe_parts(db: Database, source_id: int, fmt: str, batch: int, now: str) -> None:
    """Keep as observations which parts of a known identity this import added or missed.

    The first run of a format only fills in what was not known; nothing changed by it.
    """
    first = db.value(
        "SELECT NOT EXISTS (SELECT 1 FROM import_run"
        " WHERE source_id = ? AND format = ? AND id < ?)",
        (source_id, fmt, batch),
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
            " AND i.source_id = x.source_id"
            f" WHERE x.source_id = ? AND i.first_seen_run < {int(batch)} AND "
        )
        insert = (
            "INSERT INTO observation (identity_id, subject, field, old, new, run_id, observed_at)"
            f" SELECT i.id, '{table} ' || {name}, '{table}', "
        )
        db.execute(
            f"{insert} NULL, {name}, ?, ? {known} x.first_seen_run >= ?",
            (batch, now, source_id, batch),
        )
        if table != "credential":  # a credential's absence is observed by its trigger
            db.execute(
                f"{insert} {name}, NULL, ?, ? {known} x.absent_since = ?",
                (batch, now, source_id, now),
            )
