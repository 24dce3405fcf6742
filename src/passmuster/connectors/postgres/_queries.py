"""What is asked of a cluster, by psql for a file and by muster itself: the same words."""

_TENANT = "(SELECT system_identifier FROM pg_control_system()) AS system_identifier"

ROLES = (
    "SELECT r.oid, r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb,"
    " r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolconnlimit, r.rolvaliduntil,"
    " shobj_description(r.oid, 'pg_authid') AS comment,"
    " (SELECT count(*) FROM pg_auth_members m WHERE m.roleid = r.oid) AS members,"
    f" {_TENANT} FROM pg_roles r ORDER BY r.oid"
)
# releases before 16 have no inherit_option: through JSON it is empty there, and no error
MEMBERS = (
    "SELECT r.rolname AS role, m.rolname AS member, g.rolname AS grantor, a.admin_option,"
    " to_jsonb(a)->>'inherit_option' AS inherit_option,"
    f" {_TENANT} FROM pg_auth_members a JOIN pg_roles r ON r.oid = a.roleid"
    " JOIN pg_roles m ON m.oid = a.member LEFT JOIN pg_roles g ON g.oid = a.grantor"
    " ORDER BY 1, 2, 3"
)
FIRST_OWN_OID = 16384
"""Roles below it were made by initdb (FirstNormalObjectId of PostgreSQL's sources)."""


def without_tenant(query: str) -> str:
    """*query* for a source that goes by a label of its own."""
    return query.replace(f", {_TENANT}", "")
