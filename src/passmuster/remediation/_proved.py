"""What an import says of a remediation: done, or alive again. Read from the inventory, not stored.

An import proves something only where it was made after what it is to prove; of many exports only
the time of the import is known, and then that counts.
"""

from dataclasses import dataclass
from typing import Protocol

from passmuster import inventory
from passmuster.remediation._remedy import STOPPED, TASKS, Remedy
from passmuster.store import Database

OFF = ("disabled", "deleted")
TABLES = {
    # kind of the item: (table, how it is called in what is said)
    "identity": "identity", "credential": "credential", "grant": "grant", "trust": "trust",
}  # fmt: skip
PARTS = (("credential", "uid"), ("grant", "entitlement_uid"), ("trust", "from_uid"))
SEEN = "coalesce(r.exported_at, r.imported_at)"
"""When what a run shows was so."""


class About(Protocol):
    """What is asked for: a stop that is wanted, or a remediation."""

    @property
    def identity_id(self) -> int | None: ...
    @property
    def item_kind(self) -> str: ...
    @property
    def subject_id(self) -> int | None: ...
    @property
    def verb(self) -> str: ...
    @property
    def part(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Proof:
    """What an import shows."""

    at: str
    """When it was made."""
    words: str


@dataclass(frozen=True, slots=True)
class _Row:
    """A thing as its source had it last."""

    status: str | None
    absent_since: str | None
    seen_at: str
    created_at: str | None = None
    rotated_at: str | None = None
    kind: str | None = None

    @property
    def off(self) -> bool:
        return self.absent_since is not None or self.status in OFF

    @property
    def words(self) -> str:
        return "it is absent" if self.absent_since is not None else f"it is {self.status}"

    @property
    def at(self) -> str:
        return self.absent_since or self.seen_at


def proof_of(db: Database, about: About, since: str) -> Proof | None:
    """The import after *since* that shows it done; None where none does."""
    identity = _identity(db, about)
    if identity is None:
        return None
    if identity.off and identity.at > since:
        return Proof(identity.at, identity.words)
    thing = _thing(db, about)
    if about.verb == "rotate":
        return _rotated(db, about, thing, since)
    if about.verb == "right_size":
        return _cut(thing, since)
    if thing is not None and thing.off and thing.at > since:
        return Proof(thing.at, thing.words)
    return None


def alive_of(db: Database, about: Remedy, since: str) -> Proof | None:
    """The import after *since* that shows what was stopped alive; None where none does.

    Where an export does not tell the stop itself, it counts only when one had it off meanwhile.
    """
    identity, thing = _identity(db, about), _thing(db, about)
    if about.verb in TASKS or identity is None or identity.off or thing is None or thing.off:
        return None
    if thing.seen_at <= since or not (about.in_export or _was_off(db, about, since)):
        return None
    return Proof(thing.seen_at, "the export has it active")


def _was_off(db: Database, about: Remedy, since: str) -> bool:
    """Whether an import after *since* saw it come back."""
    return bool(db.value(
        "SELECT 1 FROM observation WHERE identity_id = ? AND observed_at > ?"
        " AND (field = 'status' AND old IN ('disabled', 'deleted') AND new = 'enabled'"
        " OR field = 'absent_since' AND old IS NOT NULL AND new IS NULL) LIMIT 1",
        (about.identity_id, since),
    ))  # fmt: skip


def is_alive(db: Database, remedy: Remedy) -> bool:
    """Whether an import since it was stopped shows it active: then it is to be stopped again."""
    since = remedy.sent_at or remedy.state_at
    return remedy.state in STOPPED and alive_of(db, remedy, since) is not None


def _identity(db: Database, about: About) -> _Row | None:
    row = db.one(
        f"SELECT x.status, x.absent_since, {SEEN} FROM identity x"
        " JOIN import_run r ON r.id = x.last_seen_run WHERE x.id = ?", (about.identity_id,),
    )  # fmt: skip
    return None if row is None else _Row(*row)


def _thing(db: Database, about: About) -> _Row | None:
    """What the remediation is about: the item, or the part of it that is named."""
    if about.part is None:
        if about.item_kind == "identity":
            return _identity(db, about)
        return _read(db, about.item_kind, "x.id = ?", about.subject_id)
    part = _called_now(db, about)
    for table, column in PARTS:
        found = _read(db, table, f"x.identity_id = ? AND x.{column} = ?", about.identity_id,
                      part)  # fmt: skip
        if found is not None:
            return found
    return None


def _called_now(db: Database, about: About) -> str | None:
    """AWS's report numbers keys, and its list names them: a number may have a name by now."""
    if about.part is None or about.identity_id is None:
        return about.part
    return inventory.called_now(db, about.identity_id, about.part)


def _read(db: Database, table: str, where: str, *values: object) -> _Row | None:
    """Of several (one grant by two ways) one that is still there goes first."""
    more = (
        "x.status, x.absent_since, {0}, x.created_at, x.last_rotated_at, x.credential_detail"
        if table == "credential" else "NULL, x.absent_since, {0}"
    ).format(SEEN)  # fmt: skip
    row = db.one(
        f"SELECT {more} FROM {table} x JOIN import_run r ON r.id = x.last_seen_run"
        f" WHERE {where} ORDER BY x.absent_since IS NOT NULL, x.id LIMIT 1", values,
    )  # fmt: skip
    return None if row is None else _Row(*row)


def _rotated(db: Database, about: About, old: _Row | None, since: str) -> Proof | None:
    """The old one is gone or off and a new one of its kind is there, or it has a newer date."""
    if old is None:
        return None
    newer = max(filter(None, (old.rotated_at, old.created_at)), default="")
    if not old.off and newer > since and old.seen_at > since:
        return Proof(old.seen_at, f"it is of {newer[:10]}")
    if not old.off or old.at <= since:
        return None
    new = db.one(
        "SELECT coalesce(x.display_name, x.uid) FROM credential x"
        " JOIN import_run r ON r.id = x.first_seen_run WHERE x.identity_id = ?"
        " AND x.absent_since IS NULL AND x.status NOT IN ('disabled', 'deleted')"
        " AND x.credential_detail IS ? AND x.uid <> ?"
        f" AND (coalesce(x.created_at, '') > ? OR {SEEN} > ?) ORDER BY x.id LIMIT 1",
        (about.identity_id, old.kind, _called_now(db, about), since, since),
    )  # fmt: skip
    return None if new is None else Proof(old.at, f"{old.words}, and {new[0]} is there")


def _cut(thing: _Row | None, since: str) -> Proof | None:
    """What was too much is gone; whether what is left is right, people see."""
    if thing is None or not thing.off or thing.at <= since:
        return None
    return Proof(thing.at, f"{thing.words}: compare what is left with the decision")
