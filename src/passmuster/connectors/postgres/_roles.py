"""What a role is, whichever export it comes from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from passmuster import text
from passmuster.connectors import Context
from passmuster.connectors._notes import clean, said
from passmuster.connectors.postgres._queries import FIRST_OWN_OID
from passmuster.errors import ImportRefused
from passmuster.model import Credential, Entitlement, Grant, Identity, Kind, Record, Source

POWERS = {
    "SUPERUSER": ("admin", "may do everything"),
    "CREATEROLE": ("admin", "may make roles and change them"),
    "BYPASSRLS": ("admin", "no row security holds for it"),
    "REPLICATION": ("read", None),
    "CREATEDB": ("write", None),
}
"""Attributes of a role that are rights by themselves."""
_LEVELS = {
    "pg_execute_server_program": "admin", "pg_write_server_files": "admin",
    "pg_read_server_files": "admin", "pg_write_all_data": "write", "pg_maintain": "write",
    "pg_read_all_data": "read", "pg_monitor": "read", "pg_read_all_settings": "read",
    "pg_read_all_stats": "read", "pg_stat_scan_tables": "read", "pg_signal_backend": "write",
    "pg_checkpoint": "write", "pg_create_subscription": "write",
    "pg_use_reserved_connections": "read", "pg_signal_autovacuum_worker": "write",
}  # fmt: skip
"""What membership in a predefined role gives ("Predefined Roles" of PostgreSQL's manual)."""
_WHY = {
    "pg_execute_server_program": "may run programs as the server's own user",
    "pg_write_server_files": "may write files as the server's own user",
    "pg_read_server_files": "may read files as the server's own user",
}
_SHORT_ZONE = re.compile(r"[+-]\d\d$")


@dataclass
class Role:
    """One role, as far as the export tells."""

    name: str
    line: int
    oid: str | None = None
    powers: tuple[str, ...] = ()
    login: bool = False
    inherit: bool = True
    limit: str | None = None
    until: str | None = None
    comment: str | None = None
    members: int | None = None
    hashed: str | None = None
    """How a password in the dump was kept; the password itself is dropped."""

    @property
    def uid(self) -> str:
        """The oid; in a dump, which has none, the name."""
        return self.oid or self.name

    @property
    def is_builtin(self) -> bool:
        """Whether initdb made it: no name that a person gives may begin with `pg_`."""
        return self.name.startswith("pg_") or (
            self.oid is not None and int(self.oid) < FIRST_OWN_OID
        )


def tenant(context: Context, found: str | None) -> Source:
    """The cluster, by its own identifier, else by `--source`."""
    if found and not found.isdigit():
        raise ImportRefused(f"system_identifier is no number: {found[:40]!r}")
    if found:
        return Source("postgres", found, context.source_label)
    tenant = context.named(
        "this export does not name its cluster: give --source <cluster>, or add "
        "(SELECT system_identifier FROM pg_control_system()) to the query"
    )
    return Source("postgres", tenant)


def records(role: Role) -> Iterator[Record]:
    """The identity, its powers, the end of its password, its owner."""
    until = when(role.until)
    yield Identity(
        role.uid, role.name if role.oid else None, role.name, _kind(role),
        "stated" if role.is_builtin else "inferred",
        nhi_type="local_account", nhi_detail=_detail(role),
        status="enabled" if role.login else "disabled", last_used_state="not_tracked",
        purpose=clean(role.comment), attributes=_attributes(role), line=role.line,
    )  # fmt: skip
    for power in role.powers:
        level, why = POWERS[power]
        yield Entitlement(
            f"attribute:{power}", power, resource_kind="cluster", permission_level=level,
            level_reason=why, is_builtin=1, scope="cluster", line=role.line,
        )  # fmt: skip
        yield Grant(role.uid, f"attribute:{power}", line=role.line)
    if role.login and (until or role.hashed):
        yield Credential(
            role.uid, f"{role.uid}#password", "static_secret", "postgres.password", "password",
            status="enabled", expires_at=until, expires_state="set" if until else "none",
            last_used_state="not_tracked", line=role.line,
        )  # fmt: skip
    yield from said(role.uid, role.name, role.comment, role.line)


def _kind(role: Role) -> Kind:
    if role.login:
        return "system" if role.is_builtin else "service"
    if role.is_builtin or role.members:
        return "group"
    return "role" if role.members is None else "service"


def _detail(role: Role) -> str:
    if role.is_builtin:
        return "postgres.predefined_role" if role.name.startswith("pg_") else "postgres.bootstrap"
    return "postgres.login_role" if role.login else "postgres.role"


def _attributes(role: Role) -> str:
    shown = {
        "inherits": None if role.inherit else "no: it must SET ROLE first",
        "connection_limit": None if role.limit in (None, "", "-1") else role.limit,
        "members": role.members, "password_kept_as": role.hashed,
    }  # fmt: skip
    return text.json_text({k: v for k, v in shown.items() if v is not None})


def membership(role: str, member: str, condition: str | None, line: int) -> Iterator[Record]:
    """That *member* is one of *role*."""
    yield Entitlement(
        f"{role}#member", f"member of {role}", "assignment", role, "role",
        _LEVELS.get(role, "unknown"), _WHY.get(role), int(role.startswith("pg_")), "cluster",
        line=line,
    )  # fmt: skip
    yield Grant(member, f"{role}#member", condition=condition, line=line)


def when(value: str | None) -> str | None:
    """A time as PostgreSQL writes it (`2030-01-01 00:00:00+00`); None for `infinity`.

    Raises ValueError for what is none: only DateStyle ISO is understood.
    """
    if not value or value == "infinity":
        return None
    found = text.utc(f"{value}:00" if _SHORT_ZONE.search(value) else value)
    if found is None:
        raise ValueError(f"{value[:40]!r} is not a time; export with DateStyle ISO")
    return found
