"""What stands around an item today: who might answer for it, and what hangs on it.

Looked up beside the frozen dossier, never put into it: a decision's digest is of the dossier, and
the screen says of this that it is of today. Every query is by a key and limited, so that it costs
a fraction of a millisecond among a million identities; none guesses: a candidate is a name with
its evidence, and a person accepts it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from passmuster.store import Database
from passmuster.text import Json

MOST_CANDIDATES = 9
"""One digit each."""
SIBLINGS = 100
"""A beginning of a name that more share is a habit of the house and no sign of an owner."""
FEW_SIBLINGS, SHARE = 2, 3
"""So many of them, and one in so many, must have the same owner."""
GRANTS_READ = 200
"""Of one identity, when looking for its groups."""
NAMED = 20
"""Dependants of each sort that are named; `more` says that there are others."""
COUNTED = 200
"""Members that are counted."""
_SEPARATED = re.compile(r"(.{2,}[-_.:/ ])[^-_.:/ ]+")
_SHORT_NAME = re.compile(r"[^/\\:]+\Z")

IDENTITY = (
    "SELECT y.id, y.source_id FROM source s JOIN identity y ON y.source_id = s.id"
    " WHERE s.uid = ? AND y.uid = ?"
)
KNOWN = (
    "SELECT a.person_uid, a.team_uid, (SELECT email FROM person p WHERE p.uid = a.person_uid"
    "  AND p.absent_since IS NULL AND p.email <> '' LIMIT 1),"
    " EXISTS (SELECT 1 FROM person p WHERE p.uid = a.person_uid"
    "  AND p.absent_since IS NULL AND NOT p.active),"
    " (SELECT lead FROM team t WHERE t.uid = a.team_uid AND t.absent_since IS NULL LIMIT 1),"
    " (SELECT display_name FROM team t WHERE t.uid = a.team_uid AND t.absent_since IS NULL LIMIT 1)"
    " FROM alias a WHERE a.name = ?"
)
LEFT_BEHIND = (
    "SELECT display_name, manager, teams FROM person"
    " WHERE uid = ? AND absent_since IS NULL ORDER BY active, manager IS NULL LIMIT 1"
)
MAKER = "SELECT person_uid FROM identity WHERE source_id = ? AND uid = ?"
GROUPS = (
    "SELECT r.display_name, o.handle FROM (SELECT entitlement_id FROM grant"
    f"  WHERE identity_id = ? AND absent_since IS NULL LIMIT {GRANTS_READ}) g"
    " CROSS JOIN entitlement e ON e.id = g.entitlement_id AND e.purpose = 'assignment'"
    " CROSS JOIN identity r ON r.id = e.resource_id"
    " CROSS JOIN owner o ON o.identity_id = r.id AND o.absent_since IS NULL"
    " ORDER BY o.person_uid IS NULL AND o.team_uid IS NULL LIMIT 20"
)
SAME_PREFIX = (
    "SELECT identity_id, source, owner, owner_state, absent_since FROM listing"
    f" WHERE name >= ? AND name < ? LIMIT {SIBLINGS + 1}"
)
SUPPLIER = (
    "SELECT x.display_name, x.contact FROM source s CROSS JOIN supplier x ON x.source_id = s.id"
    " AND x.uid = ? WHERE x.absent_since IS NULL LIMIT 1"
)
LETS_IN = (
    "SELECT DISTINCT y.kind, y.display_name FROM trust t JOIN identity y ON y.id = t.identity_id"
    " AND y.source_id = t.source_id"
    " WHERE t.from_uid = ? AND t.absent_since IS NULL AND y.absent_since IS NULL"
    f" AND y.id <> ? LIMIT {NAMED + 1}"
)
MEMBERS = (
    "SELECT m.kind, m.display_name FROM entitlement e CROSS JOIN grant g ON g.entitlement_id = e.id"
    " CROSS JOIN identity m ON m.id = g.identity_id WHERE e.resource_id = ?"
    " AND e.purpose = 'assignment' AND e.absent_since IS NULL AND g.absent_since IS NULL"
    f" AND m.absent_since IS NULL LIMIT {COUNTED + 1}"
)


class Candidate(NamedTuple):
    """Somebody who may be the owner."""

    who: str
    """What `check_own` takes: an e-mail address, a team, else the handle as it was found."""
    brief: str
    """The best evidence, short; it is signed with the owner."""
    why: str
    """All the evidence, and whether the registers know them."""
    known: bool = True
    """Whether the registers do."""


@dataclass(frozen=True, slots=True)
class Around:
    """What is known beside a dossier, today."""

    candidates: list[Candidate] = field(default_factory=list)
    lets_in: list[tuple[str, str]] = field(default_factory=list)
    """(kind, name) of what trusts it, at most `NAMED` + 1: the last means that there are more."""
    members: list[tuple[str, str]] = field(default_factory=list)
    """(kind, name) of who is in it, when it is a group or a role, at most `COUNTED` + 1."""


def around(db: Database, dossier: Json) -> Around:
    """Everything of today that helps to judge the item of *dossier*."""
    row = db.one(IDENTITY, (dossier["source"]["uid"], dossier["identity"]["uid"]))
    if row is None:
        return Around(candidates(db, dossier))
    handles = filter(None, (dossier["identity"]["uid"], dossier["identity"]["uid_alt"]))
    lets_in = [tuple(r) for handle in handles for r in db.execute(LETS_IN, (handle, row[0]))]
    members = [tuple(r) for r in db.execute(MEMBERS, (row[0],))]
    return Around(candidates(db, dossier), lets_in[: NAMED + 1], members)


class _Found:
    """Candidates in the order of their best evidence; one who is found twice has both."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.evidence: dict[str, list[str]] = {}
        self.who: dict[str, tuple[str, bool]] = {}

    def add(self, handle: str | None, evidence: str, *, only_known: bool = False) -> None:
        """Note *evidence* for *handle*; who has left is never noted."""
        if not handle:
            return
        row = self.db.one(KNOWN, (handle,))
        if row is None:
            if not only_known:
                self._note(f"?{handle.lower()}", handle, evidence, known=False)
        elif row[0] is not None and not row[3]:
            self._note(f"p{row[0]}", row[2] or handle, evidence, known=True)
        elif row[1] is not None:
            self._note(f"t{row[1]}", self._team(row[1], row[5], handle), evidence, known=True)

    def _team(self, uid: str, name: str | None, handle: str) -> str:
        """The team's name, unless that means somebody else too."""
        found = self.db.one(KNOWN, (name,)) if name else None
        return str(name) if found is not None and found[1] == uid else handle

    def _note(self, key: str, who: str, evidence: str, *, known: bool) -> None:
        self.who.setdefault(key, (who, known))
        said = self.evidence.setdefault(key, [])
        if evidence not in said:
            said.append(evidence)

    def listed(self) -> list[Candidate]:
        """At most nine; those whom the registers know first, each kind in its order."""
        out = []
        for key in sorted(self.who, key=lambda k: not self.who[k][1]):
            (who, known), said = self.who[key], self.evidence[key]
            why = "; ".join(said[:3]) + ("" if known else "; not in the registers")
            out.append(Candidate(who, said[0], why, known))
        return out[:MOST_CANDIDATES]


def candidates(db: Database, dossier: Json) -> list[Candidate]:
    """Who might answer for the identity of *dossier*, the best evidence first; nobody who left."""
    found = _Found(db)
    row = db.one(IDENTITY, (dossier["source"]["uid"], dossier["identity"]["uid"]))
    identity_id, source_id = row or (None, None)
    for owner in dossier["owners"][:NAMED]:
        found.add(owner["handle"], owner["evidence"] or owner["origin"])
    found.add(dossier["identity"]["acts_for"], "it acts for them", only_known=True)
    for handle, evidence in _left_behind(db, dossier):
        found.add(handle, evidence, only_known=True)
    _made_and_used(found, dossier, source_id)
    last = next((b for b in dossier["before"] if b["verdict"] != "abstain"), None)
    if last is not None:
        found.add(last["principal"], f"last reviewer, {last['decided_at'][:10]}: {last['verdict']}")
    for group, handle in db.execute(GROUPS, (identity_id,)):
        found.add(handle, f"owner of its group {group}", only_known=True)
    for lead, evidence in _leads(db, dossier):
        found.add(lead, evidence)
    for handle, evidence in _siblings(db, dossier, identity_id):
        found.add(handle, evidence, only_known=True)
    for name in _suppliers(dossier):
        for supplier, contact in db.execute(SUPPLIER, (name,)):
            found.add(contact, f"contact of the supplier {supplier}")
    return found.listed()


def _leads(db: Database, dossier: Json) -> Iterator[tuple[str | None, str]]:
    """Who leads the teams that are said to own it."""
    for owner in dossier["owners"][:NAMED]:
        row = db.one(KNOWN, (owner["handle"],)) if owner["team"] else None
        if row is not None:
            yield row[4], f"lead of {owner['team']}"


def _left_behind(db: Database, dossier: Json) -> Iterator[tuple[str, str]]:
    """The manager and the teams of an owner who has left."""
    for owner in dossier["owners"][:NAMED]:
        if owner["person_uid"] and owner["person_active"] == 0:
            for name, manager, teams in db.execute(LEFT_BEHIND, (owner["person_uid"],)):
                if manager:
                    yield manager, f"manager of {name}, who has left"
                for team in json.loads(teams)[:2]:
                    yield str(team), f"team of {name}, who has left"


def _made_and_used(found: _Found, dossier: Json, source_id: int | None) -> None:
    """Who made it or one of its credentials, and which people use it."""
    identity = dossier["identity"]
    made = [(identity["created_by"], identity["created_at"], "it")]
    made += [(c["created_by"], c["created_at"], "its credential") for c in dossier["credentials"]]
    for maker, at, what in made[:NAMED]:
        if maker and not maker.startswith("automation:"):
            evidence = f"created {what}{f' {at[:10]}' if at else ''}"
            found.add(_person(found.db, maker, source_id), evidence)
    for user in dossier["usage"][:NAMED]:
        if user["consumer_kind"] == "person":
            found.add(user["consumer"], "uses it", only_known=True)


def _person(db: Database, maker: str, source_id: int | None) -> str:
    """A name that the registers know for *maker*, which may be an account of the platform."""
    if db.one(KNOWN, (maker,)) is None:
        account = db.value(MAKER, (source_id, maker)) if source_id is not None else None
        short = _SHORT_NAME.search(maker)
        for name in (account, short[0] if short else None):
            if name and db.one(KNOWN, (name,)) is not None:
                return str(name)
    return maker


def _siblings(db: Database, dossier: Json, identity_id: int | None) -> Iterator[tuple[str, str]]:
    """Owners of identities of the same source that are named alike up to the last separator."""
    named = _SEPARATED.fullmatch(dossier["identity"]["display_name"])
    if named is None:
        return
    prefix = named[1]
    rows = db.execute(SAME_PREFIX, (prefix, prefix[:-1] + chr(ord(prefix[-1]) + 1))).fetchall()
    if len(rows) > SIBLINGS:
        return
    source = dossier["source"]["name"] or dossier["source"]["uid"]
    beside = [r for r in rows if r[0] != identity_id and r[1] == source and r[4] is None]
    owners = Counter(r[2] for r in beside if r[3] == "known")
    for owner, count in owners.most_common(2):
        if count >= FEW_SIBLINGS and count * SHARE >= len(beside):
            yield owner, f"owns {count} of {len(beside)} others named {prefix}*"


def _suppliers(dossier: Json) -> list[str]:
    named = [dossier["identity"]["supplier"], *(t["supplier"] for t in dossier["trusts"][:NAMED])]
    return list(dict.fromkeys(filter(None, named)))
