"""What a company knows and no platform tells: people, owners, suppliers, environments.

CSV in UTF-8 with exactly these headers, so that a spreadsheet is enough:

    people        email,name,kind,active,left_on,manager,aliases,teams
    owners        identity,owner,role,evidence
    suppliers     name,tenants,contract,contract_ends,contact,reviewed_on,active
    environments  name,tier,matches

Several values in a cell are separated by `;`. A row of people with kind `team` is a team: `name`
is what others call it, `manager` is the e-mail of the person who decides for it, `email` may be
empty. `identity` is any handle: uid, DN, ARN, or a display name that only one identity has.
`matches` are GLOB patterns over `source` and `source/name`, such as `aws:1111*` or
`kubernetes:eu/prod-*`.
"""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from passmuster import model, text
from passmuster.connectors import Context, Format
from passmuster.connectors._mapping import ENUMS
from passmuster.connectors._secrets import REMOVED, is_secret
from passmuster.connectors._table import Row, csv_rows, not_empty
from passmuster.errors import ImportRefused
from passmuster.model import Environment, Owner, Person, Problem, Record, Source, Supplier, Team

_YES_NO = {"yes": 1, "true": 1, "1": 1, "no": 0, "false": 0, "0": 0}


class _RowError(Exception):
    """A cell that leaves its row out."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


def _person(row: Row) -> Record:
    kind = _one_of(row, "kind", ("person", "team"))
    name, email = _needed(row, "name"), _cell(row, "email")
    if kind == "team":
        return Team(name, name, _cell(row, "manager"), _list(row, "aliases"), row.line)
    if email is None or "@" not in email:
        raise _RowError("email", "a person needs an e-mail address: it is what all else matches by")
    left = _date(row, "left_on")
    active = _yes_no(row, "active", default=left is None)
    if left is not None and active:
        raise _RowError("active", "active, yet with a date of leaving: which is it?")
    return Person(
        email, email, name, active, left, _cell(row, "manager"), _list(row, "aliases"),
        _list(row, "teams"), row.line,
    )  # fmt: skip


def _owner(row: Row) -> Record:
    return Owner(
        _needed(row, "identity"), _needed(row, "owner"),
        _one_of(row, "role", ENUMS["role"]), "import", _cell(row, "evidence"), row.line,
    )  # fmt: skip


def _supplier(row: Row) -> Record:
    name = _needed(row, "name")
    return Supplier(
        name, name, _list(row, "tenants"), _cell(row, "contract"), _date(row, "contract_ends"),
        _cell(row, "contact"), _date(row, "reviewed_on"), _yes_no(row, "active"), row.line,
    )  # fmt: skip


def _environment(row: Row) -> Record:
    name = _needed(row, "name")
    tier = _one_of(row, "tier", model.TIERS)
    return Environment(name, name, tier, _list(row, "matches"), row.line)


def _cell(row: Row, name: str) -> str | None:
    value = row.values[name].strip()
    return REMOVED if is_secret(value) else value or None


def _needed(row: Row, name: str) -> str:
    value = _cell(row, name)
    if value is None:
        raise _RowError(name, f"no {name}")
    return value


def _one_of(row: Row, name: str, allowed: tuple[str, ...]) -> str:
    value = _needed(row, name)
    if value not in allowed:
        raise _RowError(name, f"unknown value {value[:40]!r}{text.nearest(value, allowed)}")
    return value


def _yes_no(row: Row, name: str, default: bool | None = None) -> int:
    value = _cell(row, name)
    if value is None and default is not None:
        return int(default)
    if value is None or value.lower() not in _YES_NO:
        raise _RowError(name, "write yes or no")
    return _YES_NO[value.lower()]


def _date(row: Row, name: str) -> str | None:
    value = _cell(row, name)
    found = text.utc(value) if value else None
    if value and found is None:
        raise _RowError(name, f"{value[:40]!r} is no date; write 2026-11-30")
    return found


def _list(row: Row, name: str) -> str:
    return text.json_text([part.strip() for part in row.values[name].split(";") if part.strip()])


def _format(name: str, title: str, header: str, make: Callable[[Row], Record]) -> Format:
    columns = header.split(",")

    def sniff(head: bytes) -> bool:
        first = head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")[0]
        return first.strip() == header.encode()

    def parse(stream: BinaryIO, context: Context) -> Iterator[Record]:
        found, rows = csv_rows(stream)
        if found != columns:
            raise ImportRefused(f"line 1: the header of {name} must be exactly: {header}")
        yield from not_empty(records(rows, context))

    def records(rows: Iterator[Row | Problem], context: Context) -> Iterator[Record]:
        yield Source("register", name, context.source_label)
        for row in rows:
            if isinstance(row, Problem):
                yield row
                continue
            try:
                yield make(row)
            except _RowError as bad:
                yield Problem(row.line, bad.field, f"{bad}; the row was left out")

    supplies = {"people": "person", "owners": "owner", "suppliers": "supplier",
                "environments": "environment"}  # fmt: skip
    return Format(
        name=name, title=title, sniff=sniff, parse=parse,
        howto=f"a CSV file with the header {header}", supplies=(supplies[name],), keeps_raw=True,
    )  # fmt: skip


FORMATS = (
    _format("people", "Register of people and teams",
            "email,name,kind,active,left_on,manager,aliases,teams", _person),
    _format("owners", "Register of owners", "identity,owner,role,evidence", _owner),
    _format("suppliers", "Register of suppliers",
            "name,tenants,contract,contract_ends,contact,reviewed_on,active", _supplier),
    _format("environments", "Register of environments", "name,tier,matches", _environment),
)  # fmt: skip
