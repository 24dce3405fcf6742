"""Credentials that two exports tell of: one numbers them, the other names them, and it is one key.

AWS's credential report knows `the first access key of ci` and when it was made; `list-access-keys`
knows `AKIA…` and when it was made. The numbered one is a stand-in (`model.Credential.uid`): where
exactly one named credential of that identity and kind was made in that second, it gives way to it.

Both exports list all keys of an identity, so what the newer of them does not list is gone even if
only the other one told of it. Of files that are imported together the list of names is the newer:
it was asked for, while the report may be hours old.
"""

from passmuster import connectors
from passmuster.inventory import _link
from passmuster.store import Database

_STAND_IN = (
    "(substr({0}.uid, 1, length({0}.identity_uid) + 1) = {0}.identity_uid || '#'"
    " AND substr({0}.uid, length({0}.identity_uid) + 2) NOT GLOB '*[^0-9]*')"
)
_AT = "(SELECT imported_at FROM import_run WHERE id = {0}.last_seen_run)"


def settle(db: Database, source_id: int, fmt: str, batch: int, now: str, *, partial: bool) -> None:
    """Let stand-ins of the source give way, and mark what a whole list does not have any more."""
    details = _details(db, source_id, fmt)
    if not details:
        return
    which = ", ".join(f"'{detail}'" for detail in details)
    db.execute(
        "CREATE TABLE IF NOT EXISTS aside.named"
        " (id INTEGER, identity_id INTEGER, detail TEXT, uid TEXT, created_at TEXT)"
    )
    db.execute("DELETE FROM aside.named")
    db.execute(
        "INSERT INTO aside.named SELECT id, identity_id, credential_detail, uid, created_at"
        f" FROM credential c WHERE source_id = ? AND credential_detail IN ({which})"
        f" AND NOT {_STAND_IN.format('c')}",
        (source_id,),
    )
    if db.value("SELECT 1 FROM aside.named LIMIT 1"):
        _pair(db, source_id)
        _mark_gone(db, source_id, now, None if partial else batch)
        _give_way(db, batch, now)


def called_now(db: Database, identity_id: int, uid: str) -> str:
    """What a credential that was called *uid* when somebody decided on it is called today."""
    found = db.value(
        "SELECT new FROM observation WHERE identity_id = ? AND field = 'uid' AND old = ?"
        " AND subject = 'credential ' || new ORDER BY id DESC LIMIT 1",
        (identity_id, uid),
    )
    return uid if found is None else str(found)


def _details(db: Database, source_id: int, fmt: str) -> tuple[str, ...]:
    """Kinds of credentials that *fmt* lists whole, and another format of this source too."""
    known = connectors.formats()
    mine = known[fmt].lists if fmt in known else ()
    others = [f.name for f in known.values() if f.name != fmt and not set(mine).isdisjoint(f.lists)]
    return mine if others and db.value(
        "SELECT 1 FROM import_run WHERE source_id = ? AND format IN"
        f" ({', '.join('?' * len(others))}) LIMIT 1",
        (source_id, *others),
    ) else ()  # fmt: skip


def _pair(db: Database, source_id: int) -> None:
    _link.identities(db, "credential", "identity_uid", source_id)
    db.execute(
        "UPDATE aside.named SET identity_id ="
        " (SELECT identity_id FROM credential c WHERE c.id = named.id)"
    )
    # CROSS: from the few names to the numbers of their identities, by an index.
    # exactly one of each side: two keys of one second cannot be told apart
    db.execute("CREATE TABLE IF NOT EXISTS aside.same (named INTEGER, stand_in INTEGER)")
    db.execute("DELETE FROM aside.same")
    db.execute(
        "INSERT INTO aside.same SELECT min(n.id), s.id FROM aside.named n CROSS JOIN credential s"
        " ON s.identity_id = n.identity_id AND s.credential_detail = n.detail"
        f" AND s.created_at = n.created_at AND {_STAND_IN.format('s')}"
        " GROUP BY s.id HAVING count(*) = 1"
    )
    db.execute(
        "DELETE FROM aside.same WHERE named IN"
        " (SELECT named FROM aside.same GROUP BY named HAVING count(*) > 1)"
    )


def _mark_gone(db: Database, source_id: int, now: str, batch: int | None) -> None:
    """Whole lists of this import against what older imports, or the report beside them, had.

    *batch* is None where the format does not speak for the identities that it does not name.
    """
    listed = (
        "SELECT n.identity_id FROM aside.named n JOIN credential c ON c.id = n.id"
        f" WHERE {_AT.format('c')} = ?1"
    )
    gone = "UPDATE credential SET absent_since = ?1 WHERE absent_since IS NULL AND"
    # the names of these identities were listed now: nothing else is theirs
    db.execute(
        f"{gone} source_id = ?2 AND identity_id IN ({listed})"
        " AND credential_detail IN (SELECT detail FROM aside.named)"
        f" AND (id IN (SELECT id FROM aside.named) AND {_AT.format('credential')} < ?1"
        f"  OR {_STAND_IN.format('credential')}"
        "  AND id NOT IN (SELECT stand_in FROM aside.same))",
        (now, source_id),
    )
    if batch is None:
        return
    # only numbers were listed now: a name that no number stands for is gone
    db.execute(
        f"{gone} id IN (SELECT id FROM aside.named)"
        f" AND identity_id NOT IN ({listed})"
        " AND identity_id IN (SELECT id FROM identity WHERE source_id = ?2 AND last_seen_run >= ?3)"
        " AND id NOT IN (SELECT named FROM aside.same m JOIN credential s ON s.id = m.stand_in"
        f"  WHERE {_AT.format('s')} = ?1)",
        (now, source_id, batch),
    )


def _give_way(db: Database, batch: int, now: str) -> None:
    """Put what the stand-in knows into the named one, and take the stand-in away."""
    newer = f"{_AT.format('s')} > {_AT.format('c')}"
    used = (
        "c.last_used_state = 'unknown' OR s.last_used_state = 'known'"
        " AND (c.last_used_state <> 'known' OR s.last_used_at > c.last_used_at)"
    )
    known = ("last_used_at", "last_used_state", "last_used_from")
    db.execute(
        "INSERT INTO observation (identity_id, subject, field, old, new, run_id, observed_at)"
        " SELECT c.identity_id, 'credential ' || c.uid, 'uid', s.uid, c.uid,"
        " max(c.last_seen_run, s.last_seen_run), ? FROM aside.same m"
        " JOIN credential c ON c.id = m.named JOIN credential s ON s.id = m.stand_in"
        " WHERE s.first_seen_run < ? AND c.first_seen_run >= ?",
        (now, batch, batch),
    )
    db.execute(
        "UPDATE credential SET"
        " status = CASE WHEN x.newer AND x.status <> 'unknown' OR credential.status = 'unknown'"
        "  THEN x.status ELSE credential.status END,"
        + "".join(
            f" {f} = CASE WHEN x.used THEN x.{f} ELSE credential.{f} END," for f in known
        )
        + " first_seen_run = min(credential.first_seen_run, x.first_seen_run),"
        " last_seen_run = max(credential.last_seen_run, x.last_seen_run),"
        f" absent_since = CASE WHEN x.newer AND credential.absent_since IS NOT '{now}'"
        "  THEN x.absent_since ELSE credential.absent_since END"
        f" FROM (SELECT s.*, c.id AS named, {newer} AS newer, ({used}) AS used FROM aside.same m"
        "  JOIN credential c ON c.id = m.named JOIN credential s ON s.id = m.stand_in) x"
        " WHERE credential.id = x.named"
    )  # fmt: skip
    db.execute("DELETE FROM credential WHERE id IN (SELECT stand_in FROM aside.same)")
    # items and findings are of a row: the one that was there first goes on
    db.execute(
        "UPDATE credential SET id = m.stand_in FROM aside.same m"
        " WHERE credential.id = m.named AND m.stand_in < m.named"
    )
