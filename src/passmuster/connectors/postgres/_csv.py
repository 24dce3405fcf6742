"""`pg_roles` and `pg_auth_members` as `COPY … CSV HEADER` writes them."""

from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from passmuster.connectors import Context
from passmuster.connectors._input import head_text
from passmuster.connectors._table import Row, csv_rows, not_empty
from passmuster.connectors.postgres import _roles
from passmuster.connectors.postgres._roles import Role
from passmuster.errors import ImportRefused
from passmuster.model import Problem, Record

_ROLES = frozenset(("oid", "rolname", "rolsuper", "rolcreaterole", "rolcanlogin"))
_MEMBERS = frozenset(("role", "member", "grantor", "admin_option"))
_POWERS = {
    "rolsuper": "SUPERUSER", "rolcreaterole": "CREATEROLE", "rolcreatedb": "CREATEDB",
    "rolreplication": "REPLICATION", "rolbypassrls": "BYPASSRLS",
}  # fmt: skip
_FLAG = {"t": True, "true": True, "f": False, "false": False}


def _columns(head: bytes) -> set[str]:
    return {c.strip().strip('"') for c in head_text(head).partition("\n")[0].split(",")}


def sniff_roles(head: bytes) -> bool:
    """Columns as `pg_roles` calls them."""
    return _columns(head) >= _ROLES


def sniff_members(head: bytes) -> bool:
    """Columns of the query that the format names."""
    return _columns(head) >= _MEMBERS


def parse_roles(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Roles, with what they may do."""
    yield from not_empty(_records(stream, context, _ROLES, _role))


def parse_members(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Who is a member of which role; a cluster without any is an empty table, and no mistake."""
    yield from _records(stream, context, _MEMBERS, _member)


def _records(
    stream: BinaryIO, context: Context, needed: frozenset[str],
    make: Callable[[Row], Iterable[Record]],
) -> Iterator[Record]:  # fmt: skip
    header, rows = csv_rows(stream)
    if missing := needed - set(header):
        raise ImportRefused(f"line 1: the column {min(missing)} is missing")
    named = "system_identifier" in header
    tenant: str | None = None
    if not named:
        yield _roles.tenant(context, None)
    for row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        if named and row.values["system_identifier"] != tenant:
            if tenant is not None:
                raise ImportRefused(f"line {row.line}: rows of two clusters in one file")
            tenant = row.values["system_identifier"]
            yield _roles.tenant(context, tenant)
        try:
            yield from list(make(row))
        except ValueError as bad:
            yield Problem(row.line, None, f"{bad}; the row was left out", row.values.get("rolname"))
    if named and tenant is None and needed is _MEMBERS:
        yield _roles.tenant(context, None)


def _role(row: Row) -> Iterator[Record]:
    values = row.values
    name, oid = values["rolname"], values["oid"]
    if not name or not oid.isdigit():
        raise ValueError("a role without a name or without an oid")
    members = values.get("members") or ""
    role = Role(
        name, row.line, oid,
        tuple(power for column, power in _POWERS.items() if _flag(row, column)),
        _flag(row, "rolcanlogin"), _flag(row, "rolinherit", default=True),
        values.get("rolconnlimit"), values.get("rolvaliduntil"), values.get("comment"),
        int(members) if members.isdigit() else None,
    )  # fmt: skip
    return _roles.records(role)


def _member(row: Row) -> Iterator[Record]:
    values = row.values
    if not values["role"] or not values["member"]:
        raise ValueError("a membership without a role or a member")
    said = ["may pass it on"] if _flag(row, "admin_option") else []
    if not _flag(row, "inherit_option", default=True):
        said.append("must SET ROLE first")
    return _roles.membership(values["role"], values["member"], ", ".join(said) or None, row.line)


def _flag(row: Row, column: str, *, default: bool = False) -> bool:
    value = row.values.get(column)
    if not value and default:
        return True  # a release that has no such column
    if value is None:
        return default
    if value not in _FLAG:
        raise ValueError(f"{column} is {value[:20]!r}: neither t nor f")
    return _FLAG[value]
