"""What is asked of a server, by its own client for a file and by muster itself: the same words.

The hash never leaves the server: whether there is one does.
"""

_TENANT = "@@global.server_uid AS server_uid"

ACCOUNTS = (
    "SELECT Host, User, JSON_REMOVE(Priv, '$.authentication_string', '$.auth_or') AS Priv,"
    " JSON_EXTRACT(Priv, '$.auth_or[*].plugin') AS auth_or,"
    " COALESCE(JSON_VALUE(Priv, '$.authentication_string'), '') <> '' AS has_password,"
    f" {_TENANT} FROM mysql.global_priv ORDER BY User, Host"
)
ROLES = (
    f"SELECT Host, User, Role, Admin_option, {_TENANT} FROM mysql.roles_mapping"
    " ORDER BY Role, User, Host"
)


def without_tenant(query: str) -> str:
    """*query* for a source that goes by a label of its own, or a server that has no uid."""
    return query.replace(f", {_TENANT}", "")
