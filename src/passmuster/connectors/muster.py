"""Frozen dossiers of a review: what a campaign that came from elsewhere says of its items.

A reviewer's workspace has no export of the platforms. What it shows of an item is the frozen
dossier; its lists, filters and findings are made of the same facts, brought in like any export.
A dossier is of one item: a file of them never says that something else is gone.
"""

import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from passmuster import text
from passmuster.connectors import Context, Format
from passmuster.connectors._json import MAX_VALUE
from passmuster.errors import ImportRefused
from passmuster.model import (
    Credential,
    Entitlement,
    Grant,
    Identity,
    Owner,
    Person,
    Problem,
    Record,
    Sighting,
    Source,
    Team,
    Trust,
    Usage,
)

HEAD = b'{"before":['
"""How a dossier in canonical JSON begins."""
STRONG = ("admin", "owner")
HELD = "privileges of other holdings"
"""Stands for what makes an identity privileged where its dossier does not list it: a group's
rights, or more grants than the dossier of a part shows."""


def parse(stream: BinaryIO, _: Context) -> Iterator[Record]:
    """Records of each dossier, a line of canonical JSON."""
    last: Source | None = None
    number = 0
    while line := stream.readline(MAX_VALUE + 1):
        number += 1
        if len(line) > MAX_VALUE:
            raise ImportRefused(f"line {number} is longer than {MAX_VALUE >> 20} MiB")
        try:
            source, records = _records(text.strict_json(line.removesuffix(b"\n")), number)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            yield Problem(number, None, f"no dossier: {error!r}"[:200])
            continue
        if source != last:
            yield source
            last = source
        yield from records


def _records(dossier: text.Json, line: int) -> tuple[Source, list[Record]]:
    said, of = dossier["identity"], dossier["source"]
    source = Source(_text(of["platform"]), _text(of["tenant_uid"]), of["name"])
    uid = _text(said["uid"])
    found: list[Record] = [_identity(said, line)]
    found += [Credential(uid, **_fields(Credential, c), line=line) for c in dossier["credentials"]]
    found += _grants(dossier, uid, line)
    found += [Trust(uid, **_fields(Trust, t), line=line) for t in dossier["trusts"]]
    for o in dossier["owners"]:
        found += [Owner(uid, **_fields(Owner, o), line=line), *_holder(o, line)]
    found += [Usage(uid, **_fields(Usage, u), line=line) for u in dossier["usage"]]
    found += [Sighting(uid, **_fields(Sighting, s), line=line) for s in dossier["sightings"]]
    for record in found:
        _plain(record)
    return source, found


def _identity(said: text.Json, line: int) -> Identity:
    attributes = text.json_text(dict(said["attributes"]))
    return Identity(**{**_fields(Identity, said), "attributes": attributes}, line=line)


def _grants(dossier: text.Json, uid: str, line: int) -> Iterator[Record]:
    strong = False
    for g in dossier["grants"]:
        strong |= g["permission_level"] in STRONG
        yield Entitlement(
            _text(g["entitlement"]), g["display_name"], g["purpose"] or "permission",
            permission_level=g["permission_level"], level_reason=g["level_reason"],
            scope=g["scope"], line=line,
        )  # fmt: skip
        yield Grant(uid, g["entitlement"], g["via"], g["condition"], None, g["expires_at"], line)
    if dossier["identity"]["is_privileged"] and not strong:
        why = dossier["identity"]["privilege_reason"]
        yield Entitlement(HELD, HELD, permission_level="admin", level_reason=why, line=line)
        yield Grant(uid, HELD, line=line)


def _holder(owner: text.Json, line: int) -> Iterator[Record]:
    """The person or team of an owner, as the registers knew them when it was frozen."""
    aliases = json.dumps([owner["handle"]])
    if owner["person_uid"] is not None:
        email = owner["handle"] if "@" in owner["handle"] else None
        yield Person(
            owner["person_uid"], email, owner["person_name"] or owner["handle"],
            int(owner["person_active"] != 0), aliases=aliases, line=line,
        )  # fmt: skip
    elif owner["team"] is not None:
        yield Team(owner["team"], owner["team"], aliases=aliases, line=line)


def _fields(kind: Any, said: text.Json) -> dict[str, Any]:
    """What *said* has of the fields of a record."""
    return {name: said[name] for name in kind._fields if name in said and name != "attributes"}


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("a name is missing")
    return value


def _plain(record: Record) -> None:
    """Refuse what is no column: a dossier has text and numbers in it."""
    if not all(isinstance(value, str | int | None) for value in record):
        raise ValueError(f"a {type(record).__name__} with a field of another form")


FORMATS = (
    Format(
        name="muster.dossiers.jsonl",
        title="Frozen dossiers of a review",
        sniff=lambda head: head.startswith(HEAD),
        parse=parse,
        howto="dossiers.jsonl of an evidence pack: statements/NNNNNN-campaign/dossiers.jsonl",
        covers=tuple(n for n in Identity._fields if n not in ("uid", "line", "person_uid")),
        supplies=("usage", "credential", "grant", "trust", "owner", "person"),
        partial=True,
    ),
)
