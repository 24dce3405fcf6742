"""Baton (ConductorOne): the CSV that `baton export csv` makes of any of its connectors' files.

One table of three kinds of rows, told apart by `Type`: Identity, Entitlement, Grant. It names
neither the platform nor the tenant: `--source` must. It has users only, no credentials, no dates
and no kinds of account, so all of that stays unknown here; a row whose user has neither an id nor
an address is a problem, since nothing could be merged by it.
"""

import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from passmuster.connectors import Context, Format
from passmuster.connectors._input import head_text
from passmuster.connectors._secrets import REMOVED, is_secret
from passmuster.connectors._table import csv_rows, not_empty
from passmuster.errors import ImportRefused
from passmuster.model import Entitlement, Grant, Identity, Problem, Record, Source

COLUMNS = (
    "Type", "Last Name", "First Name", "User ID", "User Status", "Email Address",
    "Entitlement Display Name", "Entitlement", "Resource Type", "Resource Name",
    "Entitlement Description", "Entitlement Slug",
)  # fmt: skip
_STATUS = {"enabled": "enabled", "disabled": "disabled", "deleted": "deleted"}
_LEVELS = (
    ("owner", re.compile(r"\bowner\b", re.IGNORECASE)),
    ("admin", re.compile(r"\badmin(?:istrator)?s?\b", re.IGNORECASE)),
    ("write", re.compile(r"\b(?:write|push|edit(?:or)?|maintain)\b", re.IGNORECASE)),
    ("read", re.compile(r"\b(?:read|pull|view(?:er)?)\b", re.IGNORECASE)),
)


def _sniff(head: bytes) -> bool:
    """The very header that Baton writes."""
    line = head_text(head).partition("\n")[0].strip()
    return line.replace('"', "").split(",")[: len(COLUMNS)] == list(COLUMNS)


def _parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of the three kinds of rows."""
    header, rows = csv_rows(stream)
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise ImportRefused(f"line 1: no column {missing[0]!r}: not what `baton export csv` writes")
    tenant = context.named("Baton's CSV does not name its platform: give --source")
    yield Source("baton", tenant)
    yield from not_empty(_records(rows))


def _records(rows: Iterator[Any]) -> Iterator[Record]:
    for row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        make = _MAKERS.get(row.values["Type"])
        if make is None:
            yield Problem(
                row.line, "Type", f"{row.values['Type'][:40]!r}: a row of an unknown type"
            )
            continue
        try:
            yield from list(make(row.values, row.line))
        except ValueError as bad:
            yield Problem(row.line, row.values["Type"], str(bad))


def _user(row: dict[str, str]) -> str:
    uid = row["User ID"] or row["Email Address"]
    if not uid:
        raise ValueError("a user with neither an id nor an address")
    return uid


def _identity(row: dict[str, str], line: int) -> Iterator[Record]:
    uid, email = _user(row), row["Email Address"] or None
    name = f"{row['First Name']} {row['Last Name']}".strip()
    yield Identity(
        uid, email if email != uid else None, name or email or uid, "human", external_id=email,
        nhi_detail="baton.user", status=_STATUS.get(row["User Status"].lower(), "unknown"),
        line=line,
    )  # fmt: skip


def _entitlement(row: dict[str, str], line: int) -> Iterator[Record]:
    yield _permission(row, line)


def _permission(row: dict[str, str], line: int | None) -> Entitlement:
    uid, slug = row["Entitlement"], row["Entitlement Slug"]
    if not uid:
        raise ValueError("an entitlement without its id")
    name = row["Entitlement Display Name"] or uid
    level = next((v for v, pattern in _LEVELS if pattern.search(slug.replace("_", " "))), "unknown")
    resource = f"{row['Resource Type']} {row['Resource Name']}".strip() or None
    return Entitlement(
        uid, REMOVED if is_secret(name) else name,
        "assignment" if slug == "member" else "permission", resource, row["Resource Type"] or None,
        level, f"{slug} of {resource}" if level in ("admin", "owner") else None, None, resource,
        line=line,
    )  # fmt: skip


def _grant(row: dict[str, str], line: int) -> Iterator[Record]:
    yield _permission(row, None)
    yield Grant(_user(row), row["Entitlement"], line=line)


_MAKERS = {"Identity": _identity, "Entitlement": _entitlement, "Grant": _grant}

FORMATS = (
    Format(
        name="baton.export.csv",
        title="Baton's CSV of users, entitlements and grants",
        sniff=_sniff,
        parse=_parse,
        howto="baton -f sync.c1z export csv --out sync.csv",
        covers=("uid_alt", "display_name", "external_id", "nhi_detail", "status"),
        supplies=("grant",),
    ),
)
