"""After an import: tie rows to each other, set-based; what cannot be tied stays visibly untied.

Matching an owner to a person is by e-mail, stable id or a registered alias. A name that two
people share matches nobody: an access decision is never addressed by a guess.
"""

from passmuster.inventory._join import join
from passmuster.store import Database

_LINKED = {
    "credential": "identity_uid",
    "grant": "principal_uid",
    "trust": "to_identity_uid",
    "owner": "identity_uid",
    "usage": "identity_uid",
    "sighting": "identity_uid",
}


def link(db: Database, source_id: int) -> None:
    """Resolve every reference that an import of *source_id* may have made resolvable."""
    for table, column in _LINKED.items():
        identities(db, table, column, source_id)
    db.execute(
        "UPDATE grant SET entitlement_id = (SELECT id FROM entitlement e"
        " WHERE e.source_id = grant.source_id AND e.uid = entitlement_uid)"
        " WHERE source_id = ? AND entitlement_id IS NULL",
        (source_id,),
    )
    db.execute(
        "UPDATE entitlement SET resource_id = coalesce("
        " (SELECT id FROM identity i WHERE i.source_id = entitlement.source_id"
        "  AND i.uid = resource_uid),"
        " (SELECT id FROM identity i WHERE i.source_id = entitlement.source_id"
        "  AND i.uid_alt = resource_uid))"
        " WHERE source_id = ? AND resource_id IS NULL AND purpose = 'assignment'",
        (source_id,),
    )
    join(db, source_id)
    _registers(db)
    _aliases(db)
    _environments(db, source_id)
    _suppliers(db)
    privileges(db)
    db.execute(
        "UPDATE source SET usage_since = (SELECT min(last_used_at) FROM identity"
        " WHERE source_id = source.id AND last_used_state = 'known') WHERE id = ?",
        (source_id,),
    )


def identities(db: Database, table: str, column: str, source_id: int) -> None:
    """Tie the rows of *table* to the identity that *column* calls by its uid or other handle."""
    db.execute(
        f"UPDATE {table} SET identity_id = coalesce("
        f" (SELECT id FROM identity i WHERE i.source_id = {table}.source_id AND i.uid = {column}),"
        f" (SELECT id FROM identity i WHERE i.source_id = {table}.source_id"
        f"  AND i.uid_alt = {column} LIMIT 1))"
        f" WHERE source_id = ? AND identity_id IS NULL"
        # what code makes lives elsewhere, though the code's own row may bear its name
        + (" AND mechanism <> 'management'" if table == "trust" else ""),
        (source_id,),
    )


def _registers(db: Database) -> None:
    """A register names identities of any platform: by uid, other handle, or a unique name."""
    for table in ("owner", "usage", "sighting"):
        for handle in ("i.uid = h.uid", "i.uid_alt = h.uid", "i.display_name = h.uid"):
            db.execute(
                f"UPDATE {table} SET identity_id = (SELECT min(i.id) FROM (SELECT identity_uid"
                f" AS uid) h JOIN source s JOIN identity i ON i.source_id = s.id AND {handle}"
                f" HAVING count(*) = 1)"
                f" WHERE identity_id IS NULL"
                f" AND source_id IN (SELECT id FROM source WHERE platform = 'register')"
            )


def _aliases(db: Database) -> None:
    """Rebuild who is meant by which name, and tie owners to them."""
    db.execute("DELETE FROM alias")
    # a register's word on a person goes before a directory's; both have the e-mail in common
    db.execute(
        """
        INSERT OR IGNORE INTO alias (name, person_uid, team_uid)
        WITH best AS (
            SELECT p.*, first_value(p.uid) OVER (PARTITION BY coalesce(p.email, p.uid)
                ORDER BY s.platform <> 'register', p.id) AS person_uid
            FROM person p JOIN source s ON s.id = p.source_id WHERE p.absent_since IS NULL),
        name AS (
            SELECT email AS name, person_uid, NULL AS team_uid FROM best WHERE email <> ''
            UNION SELECT uid, person_uid, NULL FROM best
            UNION SELECT value, person_uid, NULL FROM best, json_each(best.aliases)
            UNION SELECT uid, NULL, uid FROM team WHERE absent_since IS NULL
            UNION SELECT display_name, NULL, uid FROM team WHERE absent_since IS NULL
            UNION SELECT value, NULL, uid FROM team, json_each(team.aliases)
                WHERE absent_since IS NULL)
        SELECT name, max(person_uid), max(team_uid) FROM name
        GROUP BY name COLLATE NOCASE
        HAVING count(DISTINCT coalesce('p' || person_uid, 't' || team_uid)) = 1
        """
    )
    db.execute(
        "UPDATE owner SET (person_uid, team_uid) = (SELECT person_uid, team_uid FROM alias"
        " WHERE name = handle) WHERE (person_uid, team_uid) IS NOT"
        " (SELECT person_uid, team_uid FROM alias WHERE name = handle)"
    )
    # a directory names a person by its own id: say who that is, where a register knows
    db.execute(
        "UPDATE identity SET person_uid = a.person_uid FROM alias a"
        " WHERE identity.person_uid IS NOT NULL AND a.name = identity.person_uid"
        " AND a.person_uid IS NOT NULL AND a.person_uid <> identity.person_uid"
    )


def _environments(db: Database, source_id: int) -> None:
    """Where the platform names no environment, a registered pattern may."""
    if db.value("SELECT 1 FROM environment LIMIT 1") is None:
        return
    registered = db.value("SELECT platform = 'register' FROM source WHERE id = ?", (source_id,))
    where = "" if registered else f"AND source_id = {int(source_id)}"
    match = (
        "(SELECT e.uid FROM environment e, json_each(e.matches) m, source s"
        " WHERE s.id = {table}.source_id AND e.absent_since IS NULL"
        " AND (s.uid GLOB m.value OR s.uid || '/' || {scope} GLOB m.value) LIMIT 1)"
    )
    for table, scope in (("identity", "display_name"), ("entitlement", "coalesce(scope, '')")):
        found = match.format(table=table, scope=scope)
        db.execute(f"UPDATE {table} SET environment = {found} WHERE environment IS NULL {where}")


def _suppliers(db: Database) -> None:
    """Whose tenant stands between separators in the other end: an account in an ARN, a host in an
    issuer's URL. The rule third-party-unreviewed reads it the same way.
    """
    db.execute(
        "UPDATE trust SET supplier = (SELECT sp.uid FROM supplier sp, json_each(sp.tenant_uids) t"
        " WHERE sp.absent_since IS NULL AND t.value <> '' AND instr("
        "  ':' || replace(replace(replace(from_uid, '/', ':'), '@', ':'), '#', ':') || ':',"
        "  ':' || t.value || ':') > 0 ORDER BY sp.uid LIMIT 1)"
        " WHERE supplier IS NULL AND is_external"
    )
    db.execute(
        "UPDATE identity SET supplier = (SELECT min(t.supplier) FROM trust t"
        " WHERE t.identity_id = identity.id AND t.supplier IS NOT NULL)"
        " WHERE supplier IS NULL AND id IN (SELECT identity_id FROM trust"
        " WHERE supplier IS NOT NULL)"
    )


def privileges(db: Database) -> None:
    """Who holds an admin or owner entitlement, directly or through groups of groups.

    From the few strong entitlements down to their holders, so the cost follows the privileged,
    not the population.
    """
    db.execute(
        "CREATE TABLE IF NOT EXISTS aside.strong (identity_id INTEGER PRIMARY KEY, entitlement_id)"
    )
    db.execute("DELETE FROM aside.strong")
    db.execute(
        """
        INSERT INTO aside.strong
        WITH RECURSIVE holds (identity_id, entitlement_id) AS (
            SELECT g.identity_id, e.id FROM entitlement e JOIN grant g ON g.entitlement_id = e.id
            WHERE e.permission_level IN ('admin', 'owner') AND g.identity_id IS NOT NULL
                AND e.absent_since IS NULL AND g.absent_since IS NULL
            UNION
            SELECT g.identity_id, h.entitlement_id FROM holds h
            JOIN entitlement e ON e.resource_id = h.identity_id
            JOIN grant g ON g.entitlement_id = e.id
            WHERE e.purpose = 'assignment' AND g.identity_id IS NOT NULL
                AND e.absent_since IS NULL AND g.absent_since IS NULL)
        SELECT identity_id, min(entitlement_id) FROM holds GROUP BY identity_id
        """
    )
    db.execute(
        "UPDATE identity SET is_privileged = 0, privilege_reason = NULL WHERE is_privileged"
        " AND id NOT IN (SELECT identity_id FROM aside.strong) AND nhi_detail IS NOT 'aws.root'"
    )
    db.execute(
        "UPDATE identity SET is_privileged = 1, privilege_reason = found.reason"
        " FROM (SELECT s.identity_id AS id, e.display_name || coalesce(': ' || e.level_reason, '')"
        " AS reason FROM aside.strong s JOIN entitlement e ON e.id = s.entitlement_id) found"
        " WHERE identity.id = found.id AND privilege_reason IS NOT found.reason"
    )
    db.execute(
        "UPDATE identity SET is_privileged = 1, privilege_reason = 'the account root'"
        " WHERE nhi_detail = 'aws.root' AND NOT is_privileged"
    )
