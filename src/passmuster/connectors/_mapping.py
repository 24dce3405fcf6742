"""From a row and a mapping to records: the engine behind the generic formats.

Everything that can be known to be wrong before the first row is refused then, with the nearest
right word. What only a row can show becomes a problem of that row.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, get_args

from passmuster import model, text
from passmuster.connectors import _secrets
from passmuster.connectors._table import Row
from passmuster.errors import UsageError
from passmuster.model import Kind, Problem, Record

ENUMS: dict[str, tuple[str, ...]] = {
    "kind": get_args(Kind),
    "kind_origin": model.KIND_ORIGINS,
    "status": model.STATUSES,
    "last_used_state": model.LAST_USED_STATES,
    "credential_type": model.CREDENTIAL_TYPES,
    "expires_state": model.EXPIRES_STATES,
    "permission_level": model.PERMISSION_LEVELS,
    "entitlement.purpose": ("assignment", "permission", "ownership"),
    "role": ("owner", "sponsor", "technical", "backup"),
    "what": ("plain_text", "leak", "misuse"),
    "consumer_kind": ("workload", "host", "person"),
    "from_kind": (
        "account", "oidc_issuer", "saml", "tenant", "service", "spiffe_domain", "ssh_ca",
        "workload",
    ),
    "mechanism": (
        "assume_role", "federated_credential", "workload_identity", "consent", "delegation",
        "management",
    ),
}  # fmt: skip
_BOOLEANS = frozenset({"has_mfa", "is_locked", "is_external", "is_wildcard", "is_builtin"})
_TRUTH = {"true": 1, "yes": 1, "1": 1, "y": 1, "false": 0, "no": 0, "0": 0, "n": 0}
# an empty or worded date says something; which column keeps what it says
_STATE_OF = {
    "last_used_at": ("last_used_state", "known"),
    "expires_at": ("expires_state", "set"),
}
_DATES = frozenset({"review_due"})


@dataclass(frozen=True, slots=True)
class Section:
    """What one section of a mapping makes."""

    makes: type[Any]
    fields: tuple[str, ...]
    needs: tuple[str, ...]
    """Fields that every mapping must name; a row where one is empty yields no such record."""
    refers: str | None = None
    """The field that holds the identity's uid unless the mapping says otherwise."""


def _but(kind: type[Any], *left_out: str) -> tuple[str, ...]:
    return tuple(f for f in kind._fields if f not in (*left_out, "attributes", "line"))


SECTIONS: dict[str, Section] = {
    "identity": Section(model.Identity, _but(model.Identity), ("uid", "kind")),
    "credential": Section(
        model.Credential, _but(model.Credential),
        ("uid", "credential_type", "credential_detail"), "identity_uid",
    ),
    "entitlement": Section(
        model.Entitlement, _but(model.Entitlement), ("uid",),
    ),
    "grant": Section(
        model.Grant, _but(model.Grant), ("entitlement_uid",), "principal_uid",
    ),
    "trust": Section(
        model.Trust, _but(model.Trust), ("from_uid", "from_kind", "mechanism"), "to_identity_uid",
    ),
    "owner": Section(model.Owner, _but(model.Owner), ("handle",), "identity_uid"),
    "usage": Section(
        model.Usage, _but(model.Usage), ("consumer", "consumer_kind"), "identity_uid",
    ),
    "sighting": Section(
        model.Sighting, _but(model.Sighting), ("what", "place"), "identity_uid",
    ),
}  # fmt: skip


class CellError(Exception):
    """A cell that cannot be read; `value` is what stands for it, None to leave the record out."""

    def __init__(self, why: str, value: str | None = None) -> None:
        super().__init__(why)
        self.value = value


@dataclass(frozen=True, slots=True)
class Cell:
    """Where a field's value comes from."""

    name: str
    column: str | None = None
    constant: Any = None
    default: Any = None
    map: Mapping[str, Any] = field(default_factory=dict)
    format: str | None = None
    split: str | None = None

    def raw(self, values: Mapping[str, Any]) -> Any:
        """The value as the row has it, after the map; "" for an empty one."""
        if self.column is None:
            return self.constant
        found = values.get(self.column)
        if found is None and "." in self.column and self.column not in values:
            found = _inside(values, self.column.split("."))
        if isinstance(found, str) and self.split:
            found = found.split(self.split)
        if isinstance(found, list):
            return [one for each in found if (one := self._mapped(each)) != ""]
        return self._mapped(found)

    def _mapped(self, value: Any) -> Any:
        if value is None:
            value = ""
        elif isinstance(value, str):
            value = value.strip()
        elif type(value) is bool:
            value = str(value).lower()
        if isinstance(value, str | int) and str(value) in self.map:
            return self.map[str(value)]
        return self.default if value == "" and self.default is not None else value


def _inside(values: Any, path: list[str]) -> Any:
    for step in path:
        values = values.get(step) if isinstance(values, dict) else None
    return values


@dataclass(frozen=True, slots=True)
class Maker:
    """One section of one mapping, ready to be applied to rows."""

    title: str
    section: Section
    cells: tuple[Cell, ...]

    def records(self, row: Row, uid: str | None) -> Iterator[Record]:
        """Records of *row*; several where a cell holds a list, such as the roles of an agent."""
        given: dict[str, Any] = {}
        for cell in self.cells:
            raw = cell.raw(row.values)
            if raw not in ("", None):
                given[cell.name] = raw
            elif cell.name in _STATE_OF and cell.name not in given:
                given[cell.name] = ""
        missing = [name for name in self.section.needs if not given.get(name)]
        if not missing and uid is None and not given.get(self.section.refers or "uid"):
            missing = [str(self.section.refers)]
        if missing:
            if uid is None:
                yield Problem(row.line, missing[0], f"no {missing[0]}; the row was left out")
            return
        lists = {name: value for name, value in given.items() if isinstance(value, list)
                 and name != "scopes"}  # fmt: skip
        for index in range(max([1, *map(len, lists.values())])):
            one = given | {n: v[index] if index < len(v) else None for n, v in lists.items()}
            yield from self._record(row, one, uid)

    def _record(self, row: Row, given: dict[str, Any], uid: str | None) -> Iterator[Record]:
        built: dict[str, Any] = {}
        formats = {cell.name: cell.format for cell in self.cells}
        whose = uid or str(given.get("uid", ""))
        whose = _secrets.REMOVED if _secrets.is_secret(whose) else whose
        for name, raw in given.items():
            try:
                value = convert(self.title, name, raw, formats.get(name))
            except CellError as bad:
                shown = f"{self.title}.{name}"
                decisive = name in self.section.needs or _allowed(self.title, name)
                if bad.value is None and decisive:
                    yield Problem(row.line, shown, f"{bad}; the {self.title} was left out", whose)
                    return
                yield Problem(row.line, shown, str(bad), whose)
                value = bad.value
            if name in _STATE_OF:
                self._dated(built, name, value)
            else:
                built[name] = value
        if self.section.refers:
            built.setdefault(self.section.refers, uid)
        if self.title in ("identity", "entitlement") and not built.get("display_name"):
            built["display_name"] = built["uid"]
        if self.title == "identity":
            built.setdefault("uid_alt", None)
        if self.title == "owner":
            built.setdefault("origin", "import")
        yield self.section.makes(**built, line=row.line)

    def _dated(self, built: dict[str, Any], name: str, value: str | None) -> None:
        """A date that may be a word instead, with the state that either means."""
        is_date = bool(value and value[0].isdigit())
        built[name] = value if is_date else None
        state, present = _STATE_OF[name]
        if state not in self.section.makes._fields:
            return  # a grant may end, but has no state of ending
        if is_date:
            built[state] = present
        else:
            built.setdefault(state, value or "unknown")


def _allowed(title: str, name: str) -> tuple[str, ...] | None:
    """The only values that a field may have; an identity's purpose is free, others' is not."""
    return ENUMS.get(f"{title}.{name}") or ENUMS.get(name)


def convert(title: str, name: str, raw: Any, form: str | None) -> Any:
    """*raw* as field *name* of a record; CellError when it is not one."""
    if name == "hint":
        return _tail(str(raw))
    if isinstance(raw, str) and _secrets.is_secret(raw):
        raise CellError("the value looks like a secret; it was not read")
    if name.endswith("_at") or name in _DATES:
        return _time(name, raw, form)
    if name in _BOOLEANS:
        truth = _TRUTH.get(str(raw).strip().lower())
        if truth is None:
            raise CellError(f"{str(raw)[:40]!r} is neither yes nor no; taken as unknown")
        return truth
    if name == "scopes":
        return text.json_text(raw if isinstance(raw, list) else [str(raw)])
    allowed = _allowed(title, name)
    if isinstance(raw, dict | list):
        raise CellError("a nested value where a plain one belongs")
    value = str(raw)
    if allowed is not None and value not in allowed:
        known = text.nearest(value, allowed)
        if "unknown" in allowed:
            raise CellError(f"unknown value {value[:40]!r}{known}; taken as unknown", "unknown")
        raise CellError(f"unknown value {value[:40]!r}{known}")
    return value


def _tail(value: str) -> str | None:
    """The last four characters, unless they would be half of a short secret."""
    value = text.visible(value)
    masked = not value[:-4].strip("*•.…xX")
    return value[-4:] if len(value) <= 4 or len(value) >= 12 or masked else None


def _time(name: str, raw: Any, form: str | None) -> str:
    """A time as we store it, or the word that stands for "no date" in this field."""
    words = {"last_used_at": model.LAST_USED_STATES[1:], "expires_at": model.EXPIRES_STATES[1:]}
    if raw == "" or raw in words.get(name, ()):
        return str(raw) or "unknown"
    found: str | None = None
    try:
        if form in ("epoch", "epoch_ms"):
            seconds = float(raw) / (1000 if form == "epoch_ms" else 1)
            if math.isfinite(seconds):
                found = text.rfc3339(datetime.fromtimestamp(seconds, UTC))
        elif form:
            moment = datetime.strptime(str(raw), form)
            zoned = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            found = text.rfc3339(zoned)
        else:
            found = text.utc(str(raw))
    except (ValueError, OverflowError, OSError):
        found = None
    if found is None:
        raise CellError(f"{str(raw)[:40]!r} is no date{f' of the form {form}' if form else ''}; "
                  "taken as unknown", "unknown" if name in _STATE_OF else None)  # fmt: skip
    return found


def compile_section(title: str, table: Any) -> Maker:
    """The section *title* of a mapping; UsageError with the nearest right word."""
    section = SECTIONS[title]
    if not isinstance(table, dict):
        raise UsageError(f"mapping: [{title}] must be a table")
    for name in table:
        if name not in section.fields:
            raise UsageError(f"mapping: [{title}] {name}{text.nearest(name, section.fields)}")
    for name in section.needs:
        if name not in table:
            raise UsageError(f"mapping: [{title}] needs {name}")
    cells = tuple(_cell(title, name, spec) for name, spec in table.items())
    return Maker(title, section, cells)


_KEYS = ("column", "constant", "default", "map", "format", "split", "safe")


def _cell(title: str, name: str, spec: Any) -> Cell:
    where = f"mapping: [{title}] {name}"
    if isinstance(spec, str):
        spec = {"column": spec}
    if not isinstance(spec, dict):
        raise UsageError(f"{where}: write a column's name or a table such as {{ constant = … }}")
    for key in spec:
        if key not in _KEYS:
            raise UsageError(f"{where}: {key}{text.nearest(key, _KEYS)}")
    column, constant = spec.get("column"), spec.get("constant")
    if (column is None) == (constant is None):
        raise UsageError(f"{where}: name either a column or a constant")
    if column and _secrets.names_secret(column) and name != "hint" and not spec.get("safe"):
        raise UsageError(
            f"{where}: column {column!r} looks like a secret, and none may be imported; "
            "map an id or a fingerprint, or say safe = true if it only sounds like one"
        )
    allowed = _allowed(title, name)
    for value in (constant, spec.get("default"), *spec.get("map", {}).values()):
        if allowed is not None and value not in (None, "", *allowed):
            raise UsageError(f"{where}: {value!r} is no {name}{text.nearest(str(value), allowed)}")
    return Cell(
        name,
        column,
        constant,
        spec.get("default"),
        spec.get("map", {}),
        spec.get("format"),
        spec.get("split"),
    )
