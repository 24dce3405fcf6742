"""Who is in a campaign, who is left out and why, and who must decide each item."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from passmuster import filters
from passmuster.errors import PreflightFailed
from passmuster.store import Database
from passmuster.text import Json, plural

ItemKind = Literal["identity", "credential", "grant", "trust"]
ITEM_KINDS: tuple[ItemKind, ...] = ("identity", "credential", "grant", "trust")
OWNER = "owner"
"""The reviewer rule that gives each item to its owner."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who must decide an item, and by which rule."""

    reviewer: str | None
    how: str
    """`named`, `owner`, `team lead`, or `unowned: <why>` when it fell to the fallback."""


def select(db: Database, scope: str, now: str) -> list[int]:
    """Identity ids in the scope, in a stable order; raises PreflightFailed for none."""
    if db.value("SELECT 1 FROM import_run LIMIT 1") is None:
        raise PreflightFailed("the inventory is empty: import an export first (`muster import`)")
    compiled = filters.compile_filter(scope, now)
    ids = [
        row[0]
        for row in db.execute(
            f"SELECT l.identity_id {filters.FRAME} WHERE {compiled.sql} ORDER BY l.identity_id",
            compiled.params,
        )
    ]
    if not ids:
        raise PreflightFailed(
            f"the scope {scope!r} matches nothing; try `muster identities {scope!r}`"
        )
    return ids


def left_out(
    db: Database, ids: list[int], scope: str, without: dict[int, str]
) -> Iterator[tuple[str, str, str]]:
    """(source, uid, why) of every identity that has no item.

    *ids* are those in the scope, *without* those of them that have nothing to decide, and why.
    """
    db.execute("CREATE TABLE IF NOT EXISTS aside.chosen (id INTEGER PRIMARY KEY)")
    db.execute("DELETE FROM aside.chosen")
    db.executemany("INSERT INTO aside.chosen VALUES (?)", ((i,) for i in ids if i not in without))
    outside = f"outside the scope {scope!r}" if scope else "outside the scope"
    rows = db.execute(
        "SELECT i.id, s.uid, i.uid, i.kind, i.absent_since FROM identity i"
        " JOIN source s ON s.id = i.source_id WHERE i.id NOT IN (SELECT id FROM aside.chosen)"
        " ORDER BY i.id"
    )
    for identity_id, source, uid, kind, absent_since in rows:
        if identity_id in without:
            yield source, uid, without[identity_id]
        elif absent_since is not None:
            yield source, uid, f"absent from the newest export since {absent_since}"
        elif kind == "group" and "kind:" not in scope:
            yield source, uid, "a group: it cannot authenticate; its members are in the population"
        else:
            yield source, uid, outside


class Assigner:
    """Finds the reviewer of an item; people are read once."""

    def __init__(self, db: Database, reviewer: str, fallback: str | None) -> None:
        self.rule, self.fallback = reviewer, fallback
        self.people: dict[str, tuple[str | None, int]] = {
            uid: (email, active)
            for uid, email, active in db.execute(
                "SELECT uid, lower(email), active FROM person WHERE absent_since IS NULL"
            )
        }
        self.leads: dict[str, str | None] = dict(
            db.execute("SELECT display_name, lower(lead) FROM team WHERE absent_since IS NULL")
        )
        self.active = {email: active for email, active in self.people.values() if email}
        for email in filter(None, (None if reviewer == OWNER else reviewer, fallback)):
            if "@" not in email:
                raise PreflightFailed(f"{email!r} is neither an e-mail address nor `owner`")
            if self.active.get(email.lower(), 1) == 0:
                raise PreflightFailed(f"{email} has left, says the register of people")

    def assign(self, dossier: Json) -> Assignment:
        """The reviewer for *dossier*; `reviewer` is None when there is no fallback either."""
        found = self._owner(dossier)
        if self.rule == OWNER:
            return found
        # a person's own account needs no owner but them
        owned = found.how in ("owner", "team lead") or dossier["identity"]["kind"] == "human"
        return Assignment(self.rule.lower(), "named" if owned else found.how)

    def _owner(self, dossier: Json) -> Assignment:
        why = "no owner"
        for owner in dossier["owners"]:
            if owner["person_uid"] is not None:
                email, active = self.people.get(owner["person_uid"], (None, 0))
                if email and active:
                    return Assignment(email, "owner")
                why = "the owner has left" if not active else "the owner has no e-mail address"
            elif owner["team"] is not None:
                lead = self.leads.get(owner["team"])
                if lead and self.active.get(lead, 0):
                    return Assignment(lead, "team lead")
                why = "the team has no person in charge"
            elif why == "no owner":
                why = f"{owner['handle']!r} is nobody in the register of people"
        return Assignment(self.fallback.lower() if self.fallback else None, f"unowned: {why}")


def refuse_unassigned(names: list[str], count: int) -> None:
    """Raise PreflightFailed when items have nobody to decide them."""
    if count:
        shown = ", ".join(names[:3]) + (" …" if count > 3 else "")
        raise PreflightFailed(
            f"{plural(count, 'item')} would have no reviewer ({shown}): give --fallback EMAIL, "
            "or assign owners first (`muster identities owner:none`)"
        )
