"""Any CSV or JSON-lines file, by a mapping that says which column is what.

    muster import keys.csv --as generic.csv --mapping keys.toml

The mapping is TOML. It names the source once, then what each row is made into:

    delimiter = ";"                     # CSV only; a comma unless said otherwise
    drop = ["internal_note"]            # columns to leave out

    [source]
    platform = "acme-pay"               # lower case
    tenant = "example-org"              # or --source on the command line

    [identity]                          # one for each row
    uid = "id"                          # a column ...
    kind = { constant = "service" }     # ... or the same for every row
    display_name = "label"
    status = { column = "state", map = { live = "enabled", off = "disabled" } }
    created_at = { column = "made", format = "%d/%m/%Y" }     # or "epoch", "epoch_ms"
    last_used_at = { column = "seen", map = { "" = "never" } }
    purpose = { column = "note", default = "(none given)" }   # for empty cells

    [credential]                        # and [entitlement], [grant], [trust], [owner], [usage],
    uid = "key_id"                      # [sighting]; [[credential]] when a row holds several
    credential_type = { constant = "static_secret" }
    credential_detail = { constant = "acme.api_key" }
    hint = "key_tail"                   # its last four characters at most are kept

    [grant]
    entitlement_uid = { column = "roles", split = "," }       # one grant for each role
    permission_level = { column = "level" }

Without [identity] the rows are about identities of other sources, such as the findings of a
secret scanner: then each section names `identity_uid` itself, and `platform = "register"` lets it
be a uid, another handle or a unique name of any source.

Fields are those of the records in `passmuster.model`. A section's key column may be empty in a
row: then that row has no such part. A list, from JSON or by `split`, makes one record for each
element. In JSON lines `owner.email` reaches into an object. A date column may hold the word
`never`, `not_tracked`, `none` or `unknown`, by its own or through `map`.

Columns that no field names go into the identity's attributes, unless `drop` names them or their
name sounds like a secret; values with the marks of a token, a key or a password hash are removed
wherever they stand. An unknown status, level or state is a problem and reads "unknown"; an
unknown kind or type is a problem and its record is left out.
"""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors import Context, Format, _secrets
from passmuster.connectors._mapping import SECTIONS, Maker, compile_section
from passmuster.connectors._table import Row, csv_rows, json_rows, not_empty
from passmuster.errors import ImportRefused, UsageError
from passmuster.model import Entitlement, Identity, Problem, Record, Source

_TOP = ("source", "delimiter", "drop", *SECTIONS)
_ROWS_TO_SUGGEST_FROM = 100
_STRENGTH = {"unknown": 0, "read": 1, "write": 2, "admin": 3, "owner": 4}
# a grant may describe its entitlement on the spot
_OF_ENTITLEMENT = (
    "display_name", "purpose", "resource_uid", "resource_kind", "permission_level", "level_reason",
    "scope", "environment",
)  # fmt: skip


class Mapping:
    """A mapping file, checked."""

    def __init__(self, context: Context) -> None:
        given: dict[str, Any] = dict(context.mapping)
        if not given:
            raise UsageError("a generic file needs --mapping FILE.toml; "
                             "`muster import --formats` shows one")  # fmt: skip
        for name in given:
            if name not in _TOP:
                raise UsageError(f"mapping: {name}{text.nearest(name, _TOP)}")
        self.source = _source(given.get("source"), context.source_label)
        self.delimiter = given.get("delimiter", ",")
        if not isinstance(self.delimiter, str) or len(self.delimiter) != 1:
            raise UsageError("mapping: delimiter must be one character")
        self.drop = given.get("drop", [])
        if not isinstance(self.drop, list):
            raise UsageError("mapping: drop must be a list of columns")
        self.identity: Maker | None = None
        if "identity" in given:
            self.identity = compile_section("identity", given["identity"])
        self.parts: list[Maker] = []
        for title in SECTIONS:
            tables = given.get(title, []) if title != "identity" else []
            for table in tables if isinstance(tables, list) else [tables]:
                self.parts += _makers(title, table)
        makers = [self.identity, *self.parts] if self.identity else self.parts
        self._check_whose()
        cells = [cell for maker in makers for cell in maker.cells]
        self.columns = {c.column for c in cells if c.column is not None}
        self.used = self.columns | {c.partition(".")[0] for c in self.columns} | set(self.drop)

    def _check_whose(self) -> None:
        """Without [identity] every section has to say itself whose it is."""
        if self.identity is not None:
            return
        if not self.parts:
            raise UsageError("mapping: there is no [identity]")
        for maker in self.parts:
            refers = maker.section.refers
            if refers and not any(cell.name == refers for cell in maker.cells):
                raise UsageError(f"mapping: without [identity], [{maker.title}] must name {refers}")

    def check(self, header: list[str]) -> None:
        """ImportRefused when the mapping names a column that the file lacks."""
        for column in sorted((self.columns | set(self.drop)) - set(header)):
            raise ImportRefused(
                f"the mapping names a column {column!r} that the file lacks"
                f"{text.nearest(column, header)}"
            )


def _source(table: Any, label: str | None) -> Source:
    table = table if isinstance(table, dict) else {}
    platform, tenant = table.get("platform"), table.get("tenant") or label
    if not isinstance(platform, str) or not re.fullmatch(r"[a-z][a-z0-9_-]*", platform):
        raise UsageError('mapping: [source] platform must be a name such as "acme-pay"')
    if not isinstance(tenant, str):
        raise UsageError("name the tenant: tenant in [source] of the mapping, or --source")
    return Source(platform, tenant, label)


def _makers(title: str, table: Any) -> list[Maker]:
    """The section itself and, of a grant, the entitlement that it describes."""
    if title != "grant" or not isinstance(table, dict):
        return [compile_section(title, table)]
    described = {n: spec for n, spec in table.items() if n in _OF_ENTITLEMENT}
    grant = {n: spec for n, spec in table.items() if n not in _OF_ENTITLEMENT}
    maker = compile_section("grant", grant)
    of = compile_section("entitlement", {"uid": grant["entitlement_uid"], **described})
    return [of, maker]


def parse_csv(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of a CSV file."""
    mapping = Mapping(context)
    header, rows = csv_rows(stream, mapping.delimiter)
    mapping.check(header)
    yield from not_empty(_records(mapping, rows))


def parse_jsonl(stream: BinaryIO, context: Context) -> Iterator[Record]:
    """Records of a file with one JSON object on each line."""
    mapping = Mapping(context)
    seen: set[str] = set()
    yield from not_empty(_records(mapping, _watched(json_rows(stream), mapping, seen)))
    # only now is it known which columns no row had; the import is undone as a whole
    mapping.check(sorted(seen))


def _watched(
    rows: Iterator[Row | Problem], mapping: Mapping, seen: set[str]
) -> Iterator[Row | Problem]:
    """*rows*, noting which columns they have: all that are mapped, and some to suggest."""
    looked_for = mapping.columns | set(mapping.drop)
    for number, row in enumerate(rows):
        if isinstance(row, Row):
            if number < _ROWS_TO_SUGGEST_FROM:
                seen.update(row.values)
            for column in looked_for - seen:
                if column in row.values or column.partition(".")[0] in row.values:
                    seen.add(column)
        yield row


def _records(mapping: Mapping, rows: Iterator[Row | Problem]) -> Iterator[Record]:
    yield mapping.source
    known: dict[str, int] = {}
    levels: dict[str, int] = {}
    for row in rows:
        if isinstance(row, Problem):
            yield row
            continue
        uid: str | None = None
        for record in mapping.identity.records(row, None) if mapping.identity else ():
            if isinstance(record, Identity):
                uid = record.uid
                whole = record._replace(attributes=_attributes(row, mapping.used))
                # the same identity again, only to list another grant of it, is no second row
                print_ = hash(whole._replace(line=None))
                if known.get(uid) != print_:
                    known[uid] = print_
                    yield whole
            else:
                yield record
        if uid is None and mapping.identity is not None:
            continue
        for maker in mapping.parts:
            yield from _part(maker, row, uid, levels)


def _part(maker: Maker, row: Row, uid: str | None, levels: dict[str, int]) -> Iterator[Record]:
    """What one section makes of *row*; an entitlement only when it is new or stronger."""
    for record in maker.records(row, uid):
        if isinstance(record, Entitlement):
            # rows that disagree on a permission's level: the strongest is believed
            level = _STRENGTH[record.permission_level]
            if level <= levels.get(record.uid, -1):
                continue
            levels[record.uid] = level
        yield record


def _attributes(row: Row, used: set[str]) -> str:
    left = {
        name: _secrets.without(value)
        for name, value in row.values.items()
        if name not in used and value not in ("", None) and not _secrets.names_secret(name)
    }
    return text.json_text(left) if left else "{}"


def _never(_: bytes) -> bool:
    """Content alone cannot tell whose table it is: these formats are always named."""
    return False


_STATES = {"last_used_at": "last_used_state"}


def narrowed(fmt: Format, context: Context) -> Format:
    """*fmt* as the mapping of *context* makes it: what no section maps is not spoken of.

    A rule must read "not evaluated", never 0, when nothing could have fed it.
    """
    mapping = context.mapping
    identity = _fields_of(mapping, "identity")
    covers = {*identity, *(_STATES[f] for f in identity if f in _STATES), "attributes"}
    sections = ("credential", "grant", "trust", "owner", "sighting")
    supplies: set[str] = {name for name in sections if name in mapping}
    if "last_used_at" in {*identity, *_fields_of(mapping, "credential")}:
        supplies.add("usage")
    if "created_by" in identity:
        supplies.add("automation")
    if "has_mfa" in identity:
        supplies.add("auth")
    if "usage" in mapping:
        who = _fields_of(mapping, "usage").get("consumer_kind")
        constant = who.get("constant") if isinstance(who, dict) else None
        supplies |= {"person_use"} if constant == "person" else (
            {"consumer"} if constant else {"consumer", "person_use"}
        )  # fmt: skip
    return dataclasses.replace(fmt, covers=tuple(sorted(covers - {"uid"})),
                               supplies=tuple(sorted(supplies)))  # fmt: skip


def _fields_of(mapping: dict[str, object], section: str) -> dict[str, Any]:
    found = mapping.get(section)
    return found if isinstance(found, dict) else {}


FORMATS = (
    Format(
        name="generic.csv",
        title="Any CSV file, by a mapping",
        sniff=_never,
        parse=parse_csv,
        howto="any export as CSV in UTF-8, with --as generic.csv --mapping FILE.toml",
        narrowed=narrowed,
    ),
    Format(
        name="generic.jsonl",
        title="Any file of JSON lines, by a mapping",
        sniff=_never,
        parse=parse_jsonl,
        howto="jq -c '.[]' export.json > export.jsonl; --as generic.jsonl --mapping FILE.toml",
        narrowed=narrowed,
    ),
)
