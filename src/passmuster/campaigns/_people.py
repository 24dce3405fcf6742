"""Who answers for something: people, teams and suppliers, with what they have to decide.

Also the names that sources give and nobody here is called: nobody can be asked about what they
own, and that is the hole to close. Read from the tables of others; nothing is written.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from passmuster import attestations, filters, policy, tlog
from passmuster.errors import VerificationFailed
from passmuster.filters import FRAME
from passmuster.store import Database

PEOPLE = 100_000
"""People that are read, those with the riskiest first; they are held in memory, 300 bytes each."""
OWNS, DECIDES, SIGNED = 30, 8, 3
"""How much of each is shown of one of them."""

HERE, LEFT, ENDED, NO_LEAD, NOT_KNOWN = "here", "left", "ended", "no lead", "not in the registers"

# A key is a letter and what the thing is called: p a person's uid, t a team's, s a supplier's,
# h a handle that nobody here has. Several sources may name the same owner: grouped in the order
# of the index, which costs a fifth of a sort.
_OWNERS = """
SELECT coalesce('p' || o.person_uid, 't' || o.team_uid, 'h' || lower(o.handle)) AS key,
    o.identity_id AS iid
FROM owner o WHERE o.absent_since IS NULL AND o.identity_id IS NOT NULL
GROUP BY o.identity_id, o.person_uid, o.team_uid,
    CASE WHEN o.person_uid IS NULL AND o.team_uid IS NULL THEN lower(o.handle) END
"""
_TODO = """
SELECT coalesce('p' || a.person_uid, 'h' || lower(n.reviewer)) AS key, 0 AS identities,
    0 AS privileged, 0 AS unused, 0 AS risk, count(*) AS todo
FROM campaign c CROSS JOIN item n ON n.campaign_id = c.id AND n.state = 'open'
    LEFT JOIN alias a ON a.name = n.reviewer
WHERE c.closed_at IS NULL GROUP BY 1
"""
# of several rows of one person the one that the registers know the state of, as the dossier has it
_NAMED = """
SELECT w.key, coalesce(p.display_name, t.display_name, s.display_name, substr(w.key, 2)),
    coalesce(p.email, lower(t.lead), s.contact), p.id IS NOT NULL, p.active, t.id IS NOT NULL,
    EXISTS (SELECT 1 FROM person x WHERE x.email = t.lead AND x.active AND x.absent_since IS NULL),
    s.id IS NOT NULL, s.active AND coalesce(s.contract_ends_at >= :now, 1),
    w.identities, w.privileged, w.unused, w.risk, w.todo
FROM ({whose}) w
LEFT JOIN person p ON w.key LIKE 'p%' AND p.id = (SELECT min(id) FROM person x
    WHERE x.uid = substr(w.key, 2) AND x.absent_since IS NULL)
LEFT JOIN team t ON w.key LIKE 't%' AND t.id = (SELECT min(id) FROM team x
    WHERE x.uid = substr(w.key, 2) AND x.absent_since IS NULL)
LEFT JOIN supplier s ON w.key LIKE 's%' AND s.id = (SELECT min(id) FROM supplier x
    WHERE x.uid = substr(w.key, 2) AND x.absent_since IS NULL)
WHERE w.identities OR :everybody
ORDER BY w.risk DESC, w.identities DESC, w.key LIMIT {most}
"""


@dataclass(frozen=True, slots=True)
class Answering:
    """Somebody, or something, that answers for identities or has to decide about some."""

    key: str
    name: str
    email: str | None
    """Where it can be asked: of a team its lead's, of a supplier its contact."""
    kind: str
    """person, team, supplier, or unknown: a name that nobody here has."""
    state: str
    identities: int
    privileged: int
    unused: int
    risk: int
    """Of the riskiest."""
    todo: int
    """Undecided items in open campaigns."""

    @property
    def filter(self) -> str:
        """What shows its identities in the inventory."""
        if self.kind == "supplier":
            return filters.whole("supplier", self.name)
        if self.kind == "person" and self.email:
            return filters.whole("owner", self.email)
        return filters.whole("owner", self.name)


_FACTS = (
    "l.is_privileged AS privileged, CASE l.last_used_state"
    "  WHEN 'known' THEN l.last_used_at < :unused_before"
    "  WHEN 'never' THEN coalesce((SELECT x.created_at FROM identity x"
    "   WHERE x.id = l.identity_id) < :unused_before, 0) ELSE 0 END AS unused, l.risk AS risk"
)
_COUNTS = (
    "SELECT key, count(*) AS identities, sum(privileged) AS privileged, sum(unused) AS unused,"
    " max(risk) AS risk, 0 AS todo"
)


def people_sql(where: str) -> str:
    """The one query: who answers for what matches *where*, and what they have to decide."""
    # a CROSS JOIN is read in the order that it is written in: once through the owners. A LIMIT
    # keeps the inner query apart: only there does SQLite leave out joins that nobody asks for.
    owned = FRAME.replace("FROM listing l", f"FROM ({_OWNERS}) w CROSS JOIN listing l")
    return _NAMED.format(most=PEOPLE, whose=(
        "SELECT key, sum(identities) AS identities, sum(privileged) AS privileged,"
        " sum(unused) AS unused, max(risk) AS risk, sum(todo) AS todo FROM ("
        f"{_COUNTS} FROM (SELECT w.key AS key, {_FACTS} {owned}"
        f"  WHERE l.identity_id = w.iid AND ({where}) LIMIT -1) GROUP BY key"
        f" UNION ALL {_COUNTS} FROM (SELECT 's' || lower(l.supplier) AS key, {_FACTS} {FRAME}"
        f"  WHERE l.supplier IS NOT NULL AND ({where}) LIMIT -1) GROUP BY key"
        f" UNION ALL {_TODO}) GROUP BY key"
    ))  # fmt: skip


def people(db: Database, expression: str, now: str, unused_before: str) -> list[Answering]:
    """Everybody who answers for an identity that *expression* matches, the riskiest first.

    Without a filter, those who have only something to decide are in it too. Meant for a thread:
    it reads all owners.
    """
    compiled = filters.compile_filter(expression, now)
    named = {f"w{n}": value for n, value in enumerate(compiled.params)}
    marks = iter(named)
    where = re.sub(r"\?", lambda _: f":{next(marks)}", compiled.sql)
    rows = db.execute(people_sql(where), {
        "now": now, "unused_before": unused_before, "everybody": not expression.strip(), **named,
    })  # fmt: skip
    return [_answering(*row) for row in rows]


_KINDS = {"p": "person", "t": "team", "s": "supplier", "h": "unknown"}


def _answering(
    key: str, name: str, email: str | None, person: int, active: int | None, team: int, led: int,
    supplier: int, contract: int | None, *counts: int,
) -> Answering:  # fmt: skip
    state = NOT_KNOWN
    if person:
        state = HERE if active else LEFT
    elif team:
        state = HERE if led else NO_LEAD
    elif supplier:
        state = HERE if contract else ENDED
    kind = _KINDS[key[0]]
    if kind == "unknown" and "@" in name:
        email = name
    return Answering(key, name, email, kind, state, *counts)


class Todo(NamedTuple):
    """What somebody has to decide in one campaign."""

    campaign: str
    due_at: str
    names: list[tuple[str, int]]
    """The riskiest few: name and risk."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """What is known of one of them, beyond the row of the list."""

    owns: list[policy.IdentityRow]
    """The riskiest first; the first `OWNS`."""
    manager: str | None
    teams: list[str]
    aliases: list[str]
    """Other names that sources may call them by."""
    left_at: str | None
    contract: str | None
    """A supplier's: what it is, and until when."""
    todo: list[Todo]
    signed: list[tuple[str, str | None, int | None]]
    """When, in which campaign, how many decisions; newest first."""


# what each kind of key owns
OWNED = {
    "p": "SELECT identity_id FROM owner WHERE person_uid = ? AND absent_since IS NULL",
    "t": "SELECT identity_id FROM owner WHERE person_uid IS NULL AND team_uid = ?"
         " AND absent_since IS NULL",
    "h": "SELECT identity_id FROM owner WHERE person_uid IS NULL AND team_uid IS NULL"
         " AND handle = ? COLLATE NOCASE AND absent_since IS NULL",
    "s": "SELECT identity_id FROM listing WHERE supplier = ? COLLATE NOCASE",
}  # fmt: skip


def portrait(db: Database, who: Answering, now: str) -> Portrait:
    """What *who* owns, is called, has to decide and signed last; for a thread: it scans owners."""
    letter, uid = who.key[0], who.key[1:]
    compiled = filters.compile_filter("", now)
    ids = [row[0] for row in db.execute(
        f"SELECT l.identity_id FROM listing l WHERE l.identity_id IN ({OWNED[letter]})"
        f" AND {compiled.sql} ORDER BY l.risk DESC, l.identity_id LIMIT {OWNS:d}",
        (uid, *compiled.params),
    )]  # fmt: skip
    manager, left_at, contract = None, None, None
    teams: list[str] = []
    aliases: list[str] = []
    if letter == "p":
        manager, teams, aliases, left_at = _person(db, uid)
    elif letter == "t":
        row = db.one(
            "SELECT lead, aliases FROM team WHERE uid = ? AND absent_since IS NULL", (uid,)
        )
        manager, aliases = (row[0], json.loads(row[1])) if row else (None, [])
    elif letter == "s":
        contract = db.value(
            "SELECT coalesce(contract_ref, 'contract') || coalesce(' until '"
            " || substr(contract_ends_at, 1, 10), ', no end known') FROM supplier"
            " WHERE uid = ? AND absent_since IS NULL", (uid,)
        )  # fmt: skip
    asked = who.email if letter in "ph" else None
    return Portrait(
        policy.identity_rows(db, ids), manager, teams, aliases, left_at, contract,
        list(_todo(db, asked)) if asked else [], list(_signed(db, asked)) if asked else [],
    )  # fmt: skip


def _person(db: Database, uid: str) -> tuple[str | None, list[str], list[str], str | None]:
    row = db.one(
        "SELECT manager, teams, aliases, left_at FROM person WHERE uid = ?"
        " AND absent_since IS NULL ORDER BY id LIMIT 1", (uid,)
    )  # fmt: skip
    if row is None:
        return None, [], [], None
    return row[0], json.loads(row[1]), json.loads(row[2]), row[3]


TODO_NAMES = (
    "SELECT l.name, n.risk FROM item n JOIN listing l ON l.identity_id = n.identity_id"
    " WHERE n.campaign_id = ? AND n.reviewer = ? AND n.state = 'open'"
    f" ORDER BY n.risk DESC, n.id LIMIT {DECIDES:d}"
)


def _todo(db: Database, email: str) -> Iterator[Todo]:
    for campaign, name, due_at in db.execute(
        "SELECT id, name, due_at FROM campaign WHERE closed_at IS NULL ORDER BY due_at"
    ).fetchall():
        rows: list[Any] = db.execute(TODO_NAMES, (campaign, email.lower())).fetchall()
        if rows:
            yield Todo(name, due_at, rows)


def _signed(db: Database, email: str) -> Iterator[tuple[str, str | None, int | None]]:
    known = tlog.known_keys(db)
    for logged_at, campaign, envelope in db.execute(
        "SELECT e.logged_at, c.name, e.envelope FROM entry e LEFT JOIN campaign c"
        " ON c.digest = e.campaign WHERE e.predicate = 'decisions'"
        f" AND e.principal = ? COLLATE NOCASE ORDER BY e.id DESC LIMIT {SIGNED:d}",
        (email,),
    ).fetchall():
        try:
            count = attestations.verify(bytes(envelope), known).predicate["count"]
        except VerificationFailed:
            count = None
        yield logged_at, campaign, count
