"""Third parties: who they are, what of theirs gets in here, and how it is given and taken away.

Those that a platform names and no register knows are in it too: nobody answers for them. Read
from the tables of others; nothing is written.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from passmuster import connectors, policy
from passmuster.campaigns._dossiers import dossiers
from passmuster.errors import NotFound
from passmuster.store import Database
from passmuster.text import Json, nearest, plural

MOST = 50
"""Identities and trusts of one supplier that are shown, the riskiest first."""
UNREGISTERED = "not in the register"

# a supplier's name is compared without case, as the registers are
SUPPLIERS = """
WITH theirs AS (
    SELECT lower(supplier) AS key, min(supplier) AS name, count(*) AS identities,
        sum(is_privileged) AS privileged, sum(findings) AS findings, max(risk) AS risk, 0 AS trusts
    FROM listing WHERE supplier IS NOT NULL AND absent_since IS NULL GROUP BY lower(supplier)
    UNION ALL
    SELECT lower(supplier), min(supplier), 0, 0, 0, 0, count(*) FROM trust
    WHERE supplier IS NOT NULL AND absent_since IS NULL GROUP BY lower(supplier)
    UNION ALL
    SELECT lower(uid), uid, 0, 0, 0, 0, 0 FROM supplier WHERE absent_since IS NULL),
whole AS (
    SELECT key, min(name) AS name, sum(identities) AS identities, sum(privileged) AS privileged,
        sum(findings) AS findings, max(risk) AS risk, sum(trusts) AS trusts
    FROM theirs GROUP BY key)
SELECT w.key, coalesce(x.display_name, w.name), CASE
        WHEN x.id IS NULL THEN 'not in the register'
        WHEN NOT x.active THEN 'no longer a supplier'
        WHEN x.contract_ends_at <= :now THEN 'contract is over'
        WHEN x.contract_ends_at <= :soon THEN 'contract ends soon'
        WHEN x.contract_ends_at IS NULL THEN 'no contract end known'
        ELSE 'under contract' END,
    x.contact, x.contract_ref, x.contract_ends_at, x.reviewed_at, coalesce(x.tenant_uids, '[]'),
    w.identities, w.privileged, w.findings, w.risk, w.trusts
FROM whole w LEFT JOIN supplier x ON x.id = (SELECT min(id) FROM supplier y
    WHERE y.uid = w.key AND y.absent_since IS NULL)
ORDER BY w.risk DESC, w.identities DESC, w.key
"""
TRUSTS = (
    "SELECT t.identity_id, t.from_uid, t.mechanism, t.subject_pattern, y.display_name, s.uid"
    " FROM trust t JOIN identity y ON y.id = t.identity_id JOIN source s ON s.id = y.source_id"
    " LEFT JOIN listing l ON l.identity_id = y.id"
    " WHERE t.supplier = ? COLLATE NOCASE AND t.absent_since IS NULL AND y.absent_since IS NULL"
    f" AND y.source_id = t.source_id ORDER BY l.risk DESC, y.id, t.from_uid LIMIT {MOST}"
)


@dataclass(frozen=True, slots=True)
class Vendor:
    """One supplier, as the list has it."""

    key: str
    name: str
    state: str
    """Of its contract, in words; `UNREGISTERED` where no register knows it."""
    contact: str | None
    contract: str | None
    contract_ends_at: str | None
    reviewed_at: str | None
    tenants: tuple[str, ...]
    """Accounts, tenants and domains that are theirs."""
    identities: int
    privileged: int
    findings: int
    risk: int
    trusts: int


class Path(NamedTuple):
    """How one access of a supplier was given, and how it is taken away."""

    identity: str
    source: str
    risk: int
    through: str | None
    """The party that may become it; None where the identity itself is the supplier's."""
    issued: str
    """What is known of how it was given, in words."""
    stop: tuple[connectors.Plan, ...]
    """The ways to stop it, the reversible one first; empty where muster knows none."""
    whole: bool
    """Whether they stop the whole identity, because muster knows none for the party alone."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one supplier holds."""

    identities: list[policy.IdentityRow]
    findings: list[tuple[str, str, str]]
    """Identity, title, detail."""
    paths: list[Path]


def suppliers(db: Database, now: str, soon: str) -> list[Vendor]:
    """Every supplier, the riskiest first; a contract that ends before *soon* is said to."""
    found = []
    for row in db.execute(SUPPLIERS, {"now": now, "soon": soon}):
        values = [*row]
        values[7] = tuple(map(str, json.loads(row[7])))
        found.append(Vendor(*values))
    return found


def supplier(db: Database, name: str, now: str, soon: str) -> Vendor:
    """The supplier that is called *name*; raises NotFound with the nearest one."""
    found = suppliers(db, now, soon)
    for one in found:
        if name.lower() in (one.key, one.name.lower()):
            return one
    if not found:
        raise NotFound("no supplier is known: muster import suppliers.csv --as suppliers")
    raise NotFound(f"no supplier {name!r}{nearest(name, [one.name for one in found])}")


def held(db: Database, one: Vendor) -> Held:
    """What *one* holds, with the path of each access; for a thread: it makes dossiers."""
    ids = [row[0] for row in db.execute(
        "SELECT identity_id FROM listing WHERE supplier = ? COLLATE NOCASE"
        f" AND absent_since IS NULL ORDER BY risk DESC, identity_id LIMIT {MOST}", (one.key,)
    )]  # fmt: skip
    trusts = db.execute(TRUSTS, (one.key,)).fetchall()
    made = dict(dossiers(db, list(dict.fromkeys([*ids, *(t[0] for t in trusts)]))))
    paths = [_path(made[t[0]], t[1]) for t in trusts if t[0] in made]
    trusted = {t[0] for t in trusts}
    paths += [_path(made[i], None) for i in ids if i not in trusted and i in made]
    findings = [
        (dossier["identity"]["display_name"], f["title"], f["detail"])
        for dossier in made.values() for f in dossier["findings"]
    ]  # fmt: skip
    return Held(policy.identity_rows(db, ids), findings, paths)


def _path(dossier: Json, through: str | None) -> Path:
    identity = dossier["identity"]
    alone = connectors.plan(dossier, "revoke", through) if through else []
    plans = alone or connectors.plan(dossier, "disable") or connectors.plan(dossier, "revoke")
    source = dossier["source"]
    return Path(
        identity["display_name"], source["name"] or source["uid"], dossier["risk"], through,
        _issued(dossier, through), tuple(plans), bool(through and plans and not alone),
    )  # fmt: skip


def _issued(dossier: Json, through: str | None) -> str:
    identity = dossier["identity"]
    said = []
    for t in dossier["trusts"]:
        if t["from_uid"] == through:
            subject = f" as {t['subject_pattern']}" if t["subject_pattern"] else ""
            said.append(f"{t['mechanism'].replace('_', ' ')}{subject}")
            break
    if identity["created_at"] or identity["created_by"]:
        at = f" {identity['created_at'][:10]}" if identity["created_at"] else ""
        by = f" by {identity['created_by']}" if identity["created_by"] else ""
        said.append(f"created{at}{by}")
    owners = [o["person_name"] or o["team"] or o["handle"] for o in dossier["owners"]]
    said.append(f"answered for here by {', '.join(owners[:2])}" if owners else "nobody here"
                " answers for it")  # fmt: skip
    return ", ".join(said)


def supplier_facts(one: Vendor, known: Held) -> Iterator[tuple[str, str]]:
    """Everything known of *one* as (label, words): until when, what, and how to take it away."""
    ends = f" until {one.contract_ends_at[:10]}" if one.contract_ends_at else ", no end known"
    yield "contract", (one.contract or "no reference known") + ends
    yield "contact", one.contact or "nobody: add a contact to suppliers.csv"
    yield "reviewed", one.reviewed_at[:10] if one.reviewed_at else "never, as far as is known"
    yield "theirs", ", ".join(one.tenants) or "no account, tenant or domain is registered"
    for row in known.identities:
        power = ", privileged" if row.is_privileged else ""
        yield "holds", f"{row.name} in {row.source}, risk {row.risk}{power}"
    if one.identities > len(known.identities):
        yield "holds", f"… and {plural(one.identities - len(known.identities), 'other')}"
    for identity, title, detail in known.findings:
        yield "found", f"{identity}: {title}: {detail}"
    if not known.paths:
        yield "issued", "no access of theirs is known"
    for path in known.paths:
        through = f" by {path.through}" if path.through else ""
        yield "issued", f"{path.identity}{through}: {path.issued}"
        for words in _stops(one, path):
            yield "revoke", words


def _stops(one: Vendor, path: Path) -> Iterator[str]:
    asked = f"; tell {one.contact}" if one.contact else ""
    if not path.stop:
        yield f"stop it on the platform by hand: muster knows no lines for it{asked}"
        return
    plan = path.stop[0]
    if path.whole:
        yield "muster knows no lines for that party alone; this stops the whole identity:"
    yield f"{plan.what} ({plan.undo_class}){asked}"
    for line in plan.stop:
        yield f"  {line}"
    for line in plan.undo:
        yield f"  undo: {line}"
    if plan.residual:
        yield f"  goes on nevertheless: {plan.residual}"
