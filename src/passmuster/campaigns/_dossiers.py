"""Dossiers: everything known of an item, as one canonical JSON document.

This is the ONE place that makes them. What it returns is what the screen shows, what a packet
carries and what a decision's digest is of; nothing that renders reads the tables instead.
"""

import json
from collections.abc import Collection, Iterator, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from passmuster import policy
from passmuster.campaigns._links import links
from passmuster.store import Database
from passmuster.text import Json, canonical, sha256

CHUNK = 64
"""Identities read at a time, and dossiers stored together."""
MAX_ITEMS_PER_LIST = 10_000
"""Rows of one list (grants, consumers) in a dossier; the rest is counted in `left_out`."""

MAX_GRANTS_BESIDE = 20
"""Grants shown in the dossier of a credential or trust; privileged ones come first."""
URGENT = "an emergency"
"""In place of a campaign's name, where a decision was in none."""
_IDENTITY = (
    "uid", "uid_alt", "display_name", "kind", "kind_origin", "nhi_type", "nhi_detail",
    "external_id", "status", "is_locked", "created_at", "created_by", "last_used_at",
    "last_used_state", "last_used_source", "has_mfa", "is_external", "is_privileged",
    "privilege_reason", "purpose", "acts_for", "environment", "supplier", "review_due",
    "absent_since",
)  # fmt: skip
# what a person said goes before what the platform says, with who said it and when
_PURPOSE = (
    "coalesce((SELECT p.purpose || ' (' || p.said_by || ', ' || substr(p.said_at, 1, 10) || ')'"
    " FROM purpose p WHERE p.identity_id = i.id), i.purpose)"
)
_PARTS: dict[str, tuple[tuple[str, ...], str, str]] = {
    # name in the dossier: (columns, FROM, ORDER BY)
    "owners": (
        ("handle", "person_uid", "person_name", "person_active", "team", "role", "origin",
         "evidence"),
        # look-ups, not joins with GROUP BY: those would read every owner for each chunk
        "(SELECT o.*, o.identity_id AS iid,"
        " (SELECT display_name FROM person p WHERE p.uid = o.person_uid AND p.absent_since IS NULL"
        "  LIMIT 1) AS person_name,"
        " (SELECT active FROM person p WHERE p.uid = o.person_uid AND p.absent_since IS NULL"
        "  LIMIT 1) AS person_active,"
        " (SELECT display_name FROM team t WHERE t.uid = o.team_uid AND t.absent_since IS NULL"
        "  LIMIT 1) AS team FROM owner o WHERE o.absent_since IS NULL)",
        "role <> 'owner', origin, handle",
    ),
    "credentials": (
        ("uid", "credential_type", "credential_detail", "display_name", "hint", "status",
         "created_at", "created_by", "last_rotated_at", "expires_at", "expires_state",
         "last_used_at", "last_used_state", "last_used_from", "scopes"),
        "(SELECT c.*, identity_id AS iid FROM credential c WHERE absent_since IS NULL)",
        "status <> 'enabled', uid",
    ),
    "grants": (
        ("entitlement", "display_name", "purpose", "permission_level", "level_reason", "scope",
         "via", "condition", "expires_at"),
        "(SELECT g.identity_id AS iid, g.entitlement_uid AS entitlement,"
        " coalesce(e.display_name, g.entitlement_uid) AS display_name, e.purpose,"
        " coalesce(e.permission_level, 'unknown') AS permission_level, e.level_reason, e.scope,"
        " g.via, g.condition, g.expires_at FROM grant g"
        " LEFT JOIN entitlement e ON e.id = g.entitlement_id WHERE g.absent_since IS NULL)",
        "permission_level NOT IN ('admin', 'owner'), permission_level, entitlement, via",
    ),
    "trusts": (
        ("from_uid", "from_kind", "mechanism", "audience", "subject_pattern", "condition",
         "is_external", "is_wildcard", "supplier"),
        # another platform's word of what it means to become it is none of this one's: see links
        "(SELECT t.*, identity_id AS iid FROM trust t WHERE absent_since IS NULL"
        " AND source_id = (SELECT source_id FROM identity i WHERE i.id = t.identity_id))",
        "is_external DESC, from_uid, mechanism, subject_pattern",
    ),
    "usage": (
        ("consumer", "consumer_kind", "how", "environment", "last_at"),
        "(SELECT u.*, identity_id AS iid FROM usage u WHERE absent_since IS NULL)",
        "consumer_kind, consumer",
    ),
    "sightings": (
        ("what", "place", "seen_at", "credential_uid"),
        "(SELECT s.*, identity_id AS iid FROM sighting s WHERE absent_since IS NULL)",
        "what, place",
    ),
    "findings": (
        ("rule", "severity", "detail", "first_seen"),
        "(SELECT f.*, identity_id AS iid FROM finding f WHERE cleared_at IS NULL)",
        "rule, detail",
    ),
    "before": (
        ("verdict", "reason_text", "decided_at", "principal", "until", "campaign"),
        "(SELECT d.identity_id AS iid, d.verdict, d.reason_text, d.decided_at, d.principal,"
        " d.until, c.name AS campaign, d.leaf FROM decision d"
        " JOIN item i ON i.id = d.item_id JOIN campaign c ON c.id = i.campaign_id"
        " WHERE d.entry_id NOT IN (SELECT entry_id FROM void_entry)"
        " UNION ALL SELECT y.id, g.verdict, g.reason, g.decided_at, g.principal, NULL,"
        f" '{URGENT}', g.leaf FROM identity y CROSS JOIN source s ON s.id = y.source_id"
        " CROSS JOIN emergency g ON g.source = s.uid AND g.kind = 'identity' AND g.uid = y.uid"
        " UNION ALL SELECT x.identity_id, g.verdict, g.reason, g.decided_at, g.principal, NULL,"
        f" '{URGENT}: ' || coalesce(x.display_name, x.uid), g.leaf FROM credential x"
        " CROSS JOIN source s ON s.id = x.source_id"
        " CROSS JOIN emergency g ON g.source = s.uid AND g.kind = 'credential' AND g.uid = x.uid)",
        "decided_at DESC, leaf",
    ),
    "changed": (
        ("subject", "field", "old", "new", "observed_at"),
        "(SELECT o.*, identity_id AS iid FROM observation o WHERE o.observed_at > coalesce("
        "(SELECT max(decided_at) FROM decision d WHERE d.identity_id = o.identity_id"
        " AND d.entry_id NOT IN (SELECT entry_id FROM void_entry)), ''))",
        "observed_at DESC, id DESC",
    ),
}  # fmt: skip

# the part of a dossier whose change makes an approval stale: not last use, not risk
_MATERIAL_PARTS = ("owners", "credentials", "grants", "trusts")
_MATERIAL_CREDENTIAL = ("uid", "status", "expires_at", "expires_state")
_MATERIAL_GRANT = ("entitlement", "permission_level", "scope", "via", "condition", "expires_at")
_MATERIAL_TRUST = ("from_uid", "mechanism", "audience", "subject_pattern", "condition")


@lru_cache(maxsize=16)  # an identity's findings stand one after the other
def uri(source: str, kind: str, uid: str) -> str:
    """Subject URI: `muster:<source>/<kind>/<uid>`, percent-encoded; kind is the item's."""
    return f"muster:{quote(source, safe=':')}/{kind}/{quote(uid, safe='')}"


def dossiers(db: Database, identity_ids: Sequence[int]) -> Iterator[tuple[int, Json]]:
    """(identity id, dossier) for each of *identity_ids*, read set-wise in chunks."""
    rules = policy.load_rules()
    for start in range(0, len(identity_ids), CHUNK):
        yield from _chunk(db, identity_ids[start : start + CHUNK], rules)


def outlines(
    db: Database, identity_ids: Sequence[int], assigned_by: Collection[str]
) -> Iterator[tuple[int, Json]]:
    """The same dossiers with nothing in them but what `items` and `material` read.

    Owners that the statements *assigned_by* wrote are left out: a reviewer who names an owner
    while deciding does not make the evidence of that very decision stale.
    """
    for start in range(0, len(identity_ids), CHUNK):
        marks = ",".join(map(str, identity_ids[start : start + CHUNK]))
        parts = {name: _part(db, name, marks, assigned_by) for name in _MATERIAL_PARTS}
        others = {name: _beyond(db, name, marks) for name in _PARTS if name not in _MATERIAL_PARTS}
        for identity_id, source, uid, status, absent_since in db.execute(
            "SELECT i.id, s.uid, i.uid, i.status, i.absent_since FROM identity i"
            f" JOIN source s ON s.id = i.source_id WHERE i.id IN ({marks})"
        ):
            mine = {name: found.get(identity_id, []) for name, found in parts.items()}
            left = {n: found[identity_id] for n, found in others.items() if identity_id in found}
            yield identity_id, {
                "of": "identity", "uri": uri(source, "identity", uid), "risk": 0,
                "identity": {"uid": uid, "status": status, "absent_since": absent_since},
                "source": {"uid": source}, "left_out": _cut(mine) | left, **mine,
            }  # fmt: skip


def _beyond(db: Database, name: str, marks: str) -> dict[int, int]:
    """By identity: rows of a list that a dossier leaves out."""
    _, table, _ = _PARTS[name]
    return dict(db.execute(
        f"SELECT iid, count(*) - {MAX_ITEMS_PER_LIST} FROM {table} WHERE iid IN ({marks})"
        f" GROUP BY iid HAVING count(*) > {MAX_ITEMS_PER_LIST}"
    ))  # fmt: skip


def _chunk(db: Database, ids: Sequence[int], rules: dict[str, Any]) -> Iterator[tuple[int, Json]]:
    marks = ",".join(map(str, ids))  # integers of our own tables, never text from outside
    parts = {name: _part(db, name, marks) for name in _PARTS}
    chain = links(db, ids)
    runs = _runs(db, marks)
    risk_of = f"SELECT identity_id, risk FROM listing WHERE identity_id IN ({marks})"
    risks = dict(db.execute(risk_of))
    columns = ", ".join(_PURPOSE if c == "purpose" else f"i.{c}" for c in _IDENTITY)
    heads = {
        row[0]: row
        for row in db.execute(
            f"SELECT i.id, s.uid, s.platform, s.tenant_uid, s.name, s.usage_since, i.source_id,"
            f" i.attributes, {columns} FROM identity i JOIN source s ON s.id = i.source_id"
            f" WHERE i.id IN ({marks})"
        )
    }
    for identity_id in ids:
        if identity_id not in heads:
            continue
        row = heads[identity_id]
        mine = {name: found.get(identity_id, []) for name, found in parts.items()}
        more = {"links": chain[identity_id]} if identity_id in chain else {}
        identity = dict(zip(_IDENTITY, row[8:], strict=True))
        identity["attributes"] = _attributes(row[7])
        made = _dossier(row, identity, mine, runs, risks.get(identity_id, 0), rules)
        yield identity_id, made | more


def _dossier(
    row: Sequence[Any], identity: Json, mine: dict[str, list[Json]], runs: dict[int, list[Json]],
    risk: int, rules: dict[str, Any],
) -> Json:  # fmt: skip
    left_out = _cut(mine)
    return {
        "of": "identity",
        "uri": uri(row[1], "identity", identity["uid"]),
        "subject": None,
        "identity": identity,
        "source": dict(
            zip(("uid", "platform", "tenant_uid", "name", "usage_since"), row[1:6], strict=True)
        ),
        "runs": runs.get(row[6], []),
        **mine,
        "findings": _findings(mine["findings"], rules),
        "risk": risk,
        "left_out": left_out,
    }


def _cut(mine: dict[str, list[Json]]) -> dict[str, int]:
    """Cut lists that are too long, and say by how much."""
    left_out = {}
    for name, found in mine.items():
        if len(found) > MAX_ITEMS_PER_LIST:
            left_out[name] = len(found) - MAX_ITEMS_PER_LIST
            del found[MAX_ITEMS_PER_LIST:]
    return left_out


def _part(
    db: Database, name: str, marks: str, assigned_by: Collection[str] = ()
) -> dict[int, list[Json]]:
    columns, table, order = _PARTS[name]
    extra = ", statement" if name == "owners" else ""
    found: dict[int, list[Json]] = {}
    for row in db.execute(
        f"SELECT iid, {', '.join(columns)}{extra} FROM {table} WHERE iid IN ({marks})"
        f" ORDER BY iid, {order}"
    ):
        if extra and row[-1] in assigned_by:
            continue
        found.setdefault(row[0], []).append(dict(zip(columns, row[1:], strict=False)))
    return found


def _runs(db: Database, marks: str) -> dict[int, list[Json]]:
    """By source: the newest run of each format, which is what the dossier's facts come from."""
    out: dict[int, list[Json]] = {}
    for source_id, *run in db.execute(
        "SELECT source_id, format, file_name, sha256, imported_at, exported_at FROM import_run"
        " WHERE batch IN (SELECT max(batch) FROM import_run GROUP BY source_id, format)"
        f" AND source_id IN (SELECT source_id FROM identity WHERE id IN ({marks}))"
        " ORDER BY source_id, format, id"
    ):
        names = ("format", "file_name", "sha256", "imported_at", "exported_at")
        out.setdefault(source_id, []).append(dict(zip(names, run, strict=True)))
    return out


def _attributes(column: str) -> list[list[str]]:
    """[name, value] pairs, flattened over the formats that spoke; values as text.

    Pairs and text, not an object: a name may be any string and a value a float, which the
    canonical form does not take.
    """
    pairs: dict[str, str] = {}
    for spoken in json.loads(column).values():
        for name, value in spoken.items():
            if isinstance(value, dict):
                pairs.update({f"{name}.{k}": _words(v) for k, v in value.items()})
            else:
                pairs[name] = _words(value)
    return [[name, pairs[name]] for name in sorted(pairs)]


def _words(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    if isinstance(value, list):
        return ", ".join(_words(v) for v in value)
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _findings(rows: list[Json], rules: dict[str, Any]) -> list[Json]:
    points = policy.points([(row["rule"], row["severity"]) for row in rows])
    out = []
    for row, points_of_it in zip(rows, points, strict=True):
        rule = rules.get(row["rule"])
        out.append(
            {
                **row,
                "points": points_of_it,
                "title": rule.title if rule else row["rule"],
                "why": rule.why if rule else None,
                "fix": rule.fix if rule else None,
                "controls": [f"{c[0]} {c[1]}" for c in rule.controls] if rule else [],
            }
        )
    out.sort(key=lambda f: (policy.SEVERITY_ORDER[f["severity"]], f["rule"]))
    return out


def material(dossier: Json) -> Json:
    """The part of *dossier* whose change makes an approval stale."""

    def only(rows: list[Json], names: tuple[str, ...]) -> list[Json]:
        return [{n: row[n] for n in names} for row in rows]

    return {
        "uri": dossier["uri"],
        "status": dossier["identity"]["status"],
        "absent": dossier["identity"]["absent_since"] is not None,
        "owners": sorted({o["person_uid"] or o["team"] or o["handle"] for o in dossier["owners"]}),
        "credentials": only(dossier["credentials"], _MATERIAL_CREDENTIAL),
        "grants": only(dossier["grants"], _MATERIAL_GRANT),
        "trusts": only(dossier["trusts"], _MATERIAL_TRUST),
        # of one grant, the others are not the matter
        "left_out": {} if dossier["of"] == "grant" else dossier["left_out"],
    }


def digests(dossier: Json) -> tuple[bytes, str, str]:
    """(canonical bytes, sha256 of them, sha256 of the material part)."""
    line = canonical(dossier)
    return line, sha256(line), sha256(canonical(material(dossier)))


def parts_of(dossier: Json, kind: str) -> list[tuple[str, str]]:
    """(uid, URI) of each credential, grant or trust of *dossier*, for a campaign of that kind."""
    source = dossier["source"]["uid"]
    owner = dossier["identity"]["uid"]
    if kind == "credential":
        uids = [c["uid"] for c in dossier["credentials"]]
    elif kind == "grant":
        uids = [f"{owner} {g['entitlement']} {g['via']}" for g in dossier["grants"]]
    else:
        uids = [
            f"{owner} {t['from_uid']} {t['mechanism']} {t['subject_pattern'] or ''}".rstrip()
            for t in dossier["trusts"]
        ]
    return [(uid, uri(source, kind, uid)) for uid in uids]


def items(dossier: Json, of: str) -> Iterator[Json]:
    """The dossiers of the items that an identity makes in a campaign of kind *of*."""
    if of == "identity":
        yield dossier
        return
    for position, (uid, item_uri) in enumerate(parts_of(dossier, of)):
        item = {**dossier, "of": of, "subject": uid, "uri": item_uri}
        grants = dossier["grants"]
        # a role with 5,000 grants is 5,000 items: each carries its own grant, not all of them
        shown = [grants[position]] if of == "grant" else grants[:MAX_GRANTS_BESIDE]
        if len(shown) < len(grants):
            left = dossier["left_out"].get("grants", 0) + len(grants) - len(shown)
            item |= {"grants": shown, "left_out": {**dossier["left_out"], "grants": left}}
        yield item
