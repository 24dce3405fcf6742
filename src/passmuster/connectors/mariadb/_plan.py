"""How to stop an account, or to take a role from it; nothing is dropped."""

import shlex
from collections.abc import Iterator

from passmuster.connectors import Act, Plan
from passmuster.text import Json

LOCK, ROLE = "mariadb.account.lock", "mariadb.account.role"
PROPAGATION_S = 5


def plan(dossier: Json, verb: str, target: str | None = None) -> list[Plan]:
    """ACCOUNT LOCK for the account or its password; for a role, REVOKE."""
    identity = dossier["identity"]
    if verb not in ("revoke", "disable"):
        return []
    uid: str = identity["uid"]
    user, _, host = uid.rpartition("@")
    if target is None or target == f"{uid}#password":
        if identity["nhi_detail"] != "mariadb.account" or identity["status"] == "disabled":
            return []
        return [_lock(user, host, uid)]
    return list(_leave(dossier, user, host, target))


def _lock(user: str, host: str, uid: str) -> Plan:
    who = f"{literal(user)}@{literal(host)}"
    return Plan(
        what=f"lock the account {uid} and end its sessions",
        stop=(_run(f"ALTER USER {who} ACCOUNT LOCK"), _run(f"KILL USER {literal(user)}")),
        undo=(_run(f"ALTER USER {who} ACCOUNT UNLOCK"),),
        undo_class="R1",
        propagation_s=PROPAGATION_S,
        residual=(
            "other accounts of the same user name at other hosts (KILL USER ends their sessions "
            "too, they may log in again); routines, views and events that it is the definer of"
        ),
        act=Act(LOCK, {"user": user, "host": host}, {"locked": True}, {"locked": False}),
    )


def _leave(dossier: Json, user: str, host: str, target: str) -> Iterator[Plan]:
    held = [
        g for g in dossier.get("grants") or []
        if g["entitlement"] == target and target.endswith("@#member") and not g.get("chain")
    ]  # fmt: skip
    if not held:
        return
    role = target.removesuffix("@#member")
    admin = "may pass it on" in str(held[0].get("condition") or "")
    who = f"{literal(user)}@{literal(host)}" if host else literal(user)
    option = " WITH ADMIN OPTION" if admin else ""
    yield Plan(
        what=f"take the role {role} from {user}@{host}",
        stop=(_run(f"REVOKE {literal(role)} FROM {who}"),),
        undo=(_run(f"GRANT {literal(role)} TO {who}{option}"),),
        undo_class="R2",
        propagation_s=PROPAGATION_S,
        residual="a session that has already done SET ROLE keeps the role until it ends",
        act=Act(ROLE, {"user": user, "host": host, "role": role}, None, {"admin": admin}),
    )


def literal(value: str) -> str:
    r"""*value* as a string of SQL; `\` escapes there (unless `NO_BACKSLASH_ESCAPES` is set)."""
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def _run(statement: str) -> str:
    return f"mariadb -e {shlex.quote(statement)}"
