"""`mysql.global_priv` and `mysql.roles_mapping` as `mariadb -B` writes them.

Privileges are bits of one number (`privilege_t` in MariaDB's sources). What `Priv` holds beside
what is read here is left where it is: hashes above all.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, NamedTuple

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._input import head_text
from passmuster.connectors._json import when
from passmuster.connectors._table import lines, not_empty
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Kind, Problem, Record, Source

_ACCOUNTS = frozenset(("Host", "User", "Priv"))
_ROLES = frozenset(("Host", "User", "Role", "Admin_option"))
PRIVILEGES = (
    "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "RELOAD", "SHUTDOWN", "PROCESS",
    "FILE", "GRANT OPTION", "REFERENCES", "INDEX", "ALTER", "SHOW DATABASES", "SUPER",
    "CREATE TEMPORARY TABLES", "LOCK TABLES", "EXECUTE", "REPLICATION SLAVE", "BINLOG MONITOR",
    "CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "CREATE USER", "EVENT",
    "TRIGGER", "CREATE TABLESPACE", "DELETE HISTORY", "SET USER", "FEDERATED ADMIN",
    "CONNECTION ADMIN", "READ_ONLY ADMIN", "REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN",
    "BINLOG ADMIN", "BINLOG REPLAY", "SLAVE MONITOR", "SHOW CREATE ROUTINE",
)  # fmt: skip
"""By bit, from the lowest."""
GRANT_OPTION = 1 << 10
_ALL = (1 << 31) - 1 & ~GRANT_OPTION
"""What `GRANT ALL` has set in every release."""
_ADMIN = {
    "SUPER": "may do everything that an administrator may", "CREATE USER": "may make accounts",
    "GRANT OPTION": "may pass on all that it has", "FILE": "may read and write the server's files",
    "SET USER": "may act as another account", "SHUTDOWN": "may stop the server",
    "CONNECTION ADMIN": "may end others' sessions",
}  # fmt: skip
_READ = frozenset((
    "SELECT", "PROCESS", "SHOW DATABASES", "SHOW VIEW", "REFERENCES", "REPLICATION SLAVE",
    "BINLOG MONITOR", "SLAVE MONITOR", "SHOW CREATE ROUTINE",
))  # fmt: skip
_NO_PASSWORD = frozenset(("unix_socket", "gssapi", "pam", "named_pipe"))
_ESCAPED = re.compile(r"\\([0tn\\])")
_MEANT = {"0": "\0", "t": "\t", "n": "\n", "\\": "\\"}


class _Row(NamedTuple):
    line: int
    values: dict[str, str]


def account_uid(user: str, host: str) -> str:
    """`user@host`; a role has no host."""
    return f"{user}@{host}"


def _columns(head: bytes) -> set[str]:
    return set(head_text(head).partition("\n")[0].rstrip("\r").split("\t"))


def sniff_accounts(head: bytes) -> bool:
    """Columns as `mysql.global_priv` calls them, separated by tabs."""
    return _columns(head) >= _ACCOUNTS


def sniff_roles(head: bytes) -> bool:
    """Columns as `mysql.roles_mapping` calls them, separated by tabs."""
    return _columns(head) >= _ROLES


def parse_accounts(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Accounts and roles, with their global privileges."""
    yield from not_empty(_records(stream, context, _ACCOUNTS, _account))


def parse_roles(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Who has which role; a server without any is an empty table, and no mistake."""
    yield from _records(stream, context, _ROLES, _mapping)


def _records(
    stream: BinaryIO, context: Context, needed: frozenset[str],
    make: Callable[[_Row], Iterable[Record]],
) -> Iterator[Record]:  # fmt: skip
    tenant: str | None = None
    for row in _rows(stream, needed):
        found = row.values.get("server_uid") if isinstance(row, _Row) else None
        if tenant is None and isinstance(row, _Row):
            tenant = found or context.source_label
            if not tenant:
                break
            yield Source("mariadb", tenant, context.source_label if found else None)
        if isinstance(row, Problem):
            yield row
            continue
        if found and found != tenant:
            raise ImportRefused(f"line {row.line}: rows of two servers in one file")
        try:
            yield from list(make(row))
        except (ValueError, TypeError, RecursionError) as bad:
            why = "nested too deeply" if isinstance(bad, RecursionError) else str(bad)
            yield Problem(row.line, None, f"{why[:120]}; the row was left out")
    if tenant is None:
        if context.source_label:
            yield Source("mariadb", context.source_label)
            return
        raise ImportRefused(
            "this export does not name its server: give --source <server>, or add "
            "@@global.server_uid AS server_uid to the query"
        )


def _rows(stream: BinaryIO, needed: frozenset[str]) -> Iterator[_Row | Problem]:
    header: list[str] | None = None
    for number, line in enumerate(lines(stream), 1):
        cells = line.rstrip("\r\n").split("\t")
        if header is None:
            header = cells
            if missing := needed - set(header):
                raise ImportRefused(f"line 1: the column {min(missing)} is missing")
        elif not line.endswith("\n"):
            raise ImportRefused(f"line {number}: the file ends inside a row")
        elif len(cells) != len(header):
            why = f"{len(cells)} columns where the header has {len(header)}; the row was left out"
            yield Problem(number, None, why)
        else:
            plain = (_ESCAPED.sub(lambda m: _MEANT[m[1]], c) if "\\" in c else c for c in cells)
            yield _Row(number, dict(zip(header, plain, strict=True)))
    if header is None:
        raise ImportRefused("the file is empty")


def _account(row: _Row) -> Iterator[Record]:
    user, host = row.values["User"], row.values["Host"]
    priv = json.loads(row.values["Priv"])
    if not isinstance(priv, dict):
        raise TypeError("Priv is no JSON object")
    uid, access = account_uid(user, host), priv.get("access", 0)
    if type(access) is not int or access < 0:
        raise ValueError("access is no number")
    is_role, locked = priv.get("is_role") is True, priv.get("account_locked") is True
    methods, password = _methods(row, priv)
    shown = {
        "logs_in_by": None if is_role else methods or "nothing: without a password",
        "default_role": priv.get("default_role"), "tls": priv.get("ssl_type") or None,
        "release": priv.get("version_id"),
    }  # fmt: skip
    yield Identity(
        uid, None, user if is_role else uid, _kind(user, is_role), _origin(user, is_role),
        nhi_type="local_account", nhi_detail=_detail(user, is_role),
        status="disabled" if locked else "enabled", is_locked=int(locked),
        last_used_state="not_tracked",
        attributes=text.json_text({k: v for k, v in shown.items() if v is not None}), line=row.line,
    )  # fmt: skip
    if password:
        yield _password(uid, priv, locked, row.line)
    yield from _granted(uid, access, row.line)


def _kind(user: str, is_role: bool) -> Kind:
    return "group" if is_role else "system" if user in ("root", "mariadb.sys") else "service"


def _origin(user: str, is_role: bool) -> str:
    return "stated" if is_role or user in ("root", "mariadb.sys") else "inferred"


def _detail(user: str, is_role: bool) -> str:
    if is_role:
        return "mariadb.role"
    return "mariadb.internal" if user == "mariadb.sys" else "mariadb.account"


def _methods(row: _Row, priv: dict[str, Any]) -> tuple[str, bool]:
    """How it may log in, in words, and whether by a password; hashes are looked at, not kept."""
    others = priv.get("auth_or")
    if others is None and row.values.get("auth_or", "NULL") != "NULL":
        others = [{"plugin": name} for name in json.loads(row.values["auth_or"])]
    plugin = str(priv.get("plugin") or "mysql_native_password")
    password = bool(priv.get("authentication_string")) or row.values.get("has_password") == "1"
    if (
        plugin in _NO_PASSWORD
        or plugin == "invalid"
        or priv.get("authentication_string") == "invalid"
    ):
        password = False
    found = [plugin] if password or plugin in _NO_PASSWORD or plugin == "invalid" else []
    for other in others if isinstance(others, list) else ():
        name = str(other.get("plugin") or "") if isinstance(other, dict) else ""
        if name and name not in found:
            found.append(name)
            password = password or bool(other.get("authentication_string"))
    return ", ".join(found), password


def _password(uid: str, priv: dict[str, Any], locked: bool, line: int) -> Credential:
    changed = when(priv.get("password_last_changed") or None)
    days, expires = priv.get("password_lifetime"), None
    if changed and type(days) is int and 0 < days < 100_000:
        expires = text.from_epoch(text.epoch(changed) + days * 86_400)
    return Credential(
        uid, f"{uid}#password", "static_secret", "mariadb.password", "password",
        status="disabled" if locked else "enabled", last_rotated_at=changed, expires_at=expires,
        expires_state="set" if expires else "none" if days == 0 else "unknown",
        last_used_state="not_tracked", line=line,
    )  # fmt: skip


def _granted(uid: str, access: int, line: int) -> Iterator[Record]:
    names = [name for bit, name in enumerate(PRIVILEGES) if access >> bit & 1]
    if access & _ALL == _ALL:
        names = ["ALL PRIVILEGES", *(["GRANT OPTION"] if access & GRANT_OPTION else [])]
    for name in names:
        why = "may do everything" if name == "ALL PRIVILEGES" else _ADMIN.get(name)
        yield Entitlement(
            f"global:{name}", f"{name} on *.*", resource_kind="server",
            permission_level="admin" if why else "read" if name in _READ else "write",
            level_reason=why, is_builtin=1, scope="server", line=line,
        )  # fmt: skip
        yield Grant(uid, f"global:{name}", line=line)


def _mapping(row: _Row) -> Iterator[Record]:
    values = row.values
    role, option = values["Role"], values["Admin_option"]
    if not role or option not in ("Y", "N"):
        raise ValueError("a mapping without a role, or whose Admin_option is neither Y nor N")
    uid = f"{account_uid(role, '')}#member"
    yield Entitlement(
        uid, f"role {role}", "assignment", account_uid(role, ""), "role", scope="server",
        line=row.line,
    )  # fmt: skip
    holder = account_uid(values["User"], values["Host"])
    yield Grant(holder, uid, condition="may pass it on" if option == "Y" else None, line=row.line)
