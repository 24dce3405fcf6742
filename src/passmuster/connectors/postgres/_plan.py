"""How to stop a role, or to take it out of another one; nothing is dropped.

What initdb made has no plan: without its bootstrap superuser a cluster can be mended only in
single-user mode.
"""

import shlex
from collections.abc import Iterator

from passmuster.connectors import Act, Plan
from passmuster.text import Json

LOGIN, MEMBER = "postgres.role.login", "postgres.role.member"
_PSQL = "psql -X -v ON_ERROR_STOP=1 -d postgres -c"
PROPAGATION_S = 5
"""A new login is refused at once; a session that is told to end needs a moment to do it."""


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """NOLOGIN for the role or its password; for a membership, REVOKE."""
    identity = dossier["identity"]
    if verb not in ("revoke", "disable") or identity["nhi_detail"] not in (
        "postgres.login_role", "postgres.role",
    ):  # fmt: skip
        return []
    if target is None or target == f"{identity['uid']}#password":
        return list(_login(identity))
    return list(_leave(dossier, target))


def _login(identity: Json) -> Iterator[Plan]:
    if identity["status"] == "disabled":
        return
    name, uid = identity["display_name"], identity["uid"]
    on, known = {"role": name}, {"login": True}
    if uid != name:
        on, known = on | {"oid": uid}, known | {"oid": uid}
    end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = {literal(name)}"
    yield Plan(
        what=f"refuse logins of the role {name} (NOLOGIN) and end its sessions",
        stop=(_run(f"ALTER ROLE {quoted(name)} NOLOGIN"), _run(end)),
        undo=(_run(f"ALTER ROLE {quoted(name)} LOGIN"),),
        undo_class="R1",
        propagation_s=PROPAGATION_S,
        residual=(
            "roles that may SET ROLE to it still act with its rights; functions that it owns as "
            "SECURITY DEFINER run; a pooler may go on serving from sessions of another role"
        ),
        act=Act(LOGIN, on, {"login": False}, known),
    )


def _leave(dossier: Json, target: str) -> Iterator[Plan]:
    """Only for a membership of its own: an inherited one is the other role's."""
    held = [
        g for g in dossier.get("grants") or []
        if g["entitlement"] == target and target.endswith("#member") and not g.get("chain")
    ]  # fmt: skip
    if not held:
        return
    name, role = dossier["identity"]["display_name"], target.removesuffix("#member")
    said = str(held[0].get("condition") or "")
    option = " WITH ADMIN OPTION" if "may pass it on" in said else ""
    yield Plan(
        what=f"take {name} out of the role {role}",
        stop=(_run(f"REVOKE {quoted(role)} FROM {quoted(name)}"),),
        undo=(_run(f"GRANT {quoted(role)} TO {quoted(name)}{option}"),),
        undo_class="R2",
        propagation_s=PROPAGATION_S,
        residual=(
            "a session that has already done SET ROLE keeps the rights until it ends; the same "
            "role may also be reached through another one"
        ),
        act=Act(MEMBER, {"role": role, "member": name}, None),
    )


def quoted(name: str) -> str:
    """*name* as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """*value* as a string of SQL, whatever `standard_conforming_strings` says."""
    doubled = value.replace("'", "''")
    return "E'" + doubled.replace("\\", "\\\\") + "'" if "\\" in value else f"'{doubled}'"


def _run(statement: str) -> str:
    return f"{_PSQL} {shlex.quote(statement)}"
