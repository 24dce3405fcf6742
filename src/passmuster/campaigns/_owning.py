"""Owners that reviews named, as the signed rows that count say and no others.

An owner whom a void row named is nobody's owner: what imports say of the identity, and what other
rows say that count, stands again. A row counts by the rule of a pack (`evidence/_walk`): its signer
had the item at the time, in the order of the log.
"""

from collections.abc import Iterator

from passmuster import attestations, blobs, inventory, tlog
from passmuster.campaigns._votes import late
from passmuster.store import Database
from passmuster.text import strict_json


def name_anew(db: Database) -> None:
    """Name the owners of all reviews anew where a row of theirs is void, or was; inside a
    transaction.
    """
    if not db.value(
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM void_entry v JOIN entry e ON e.id = v.entry_id"
        " WHERE e.predicate = 'own')"
        " OR EXISTS (SELECT 1 FROM owner WHERE statement IS NOT NULL AND absent_since IS NOT NULL)"
    ):
        return
    inventory.unassign_owners(db)  # the rows that count take it back
    for item_id, owner, statement, by, at in _counted(db):
        inventory.assign_owner(db, item_id, owner, statement, by, at)


def _counted(db: Database) -> Iterator[tuple[int, str, str, str, str]]:
    """(item, owner, statement, by whom, when) of each row that counts, in the order of the log."""
    holders: dict[int, str] = {}
    """Items that were handed over, and to whom."""
    without = set(tlog.voids(db))
    for (digest,) in db.execute("SELECT digest FROM campaign").fetchall():
        without |= late(db, digest)
    entries = db.execute(
        "SELECT e.id, c.id, e.envelope FROM entry e JOIN campaign c ON c.digest = e.campaign"
        " WHERE e.predicate = 'own' ORDER BY e.id"
    ).fetchall()
    for index, campaign_id, envelope in entries:
        if index in without:
            continue
        said = attestations.unchecked(bytes(envelope))
        by, at = str(said.predicate["principal"]).lower(), str(said.predicate["signedAt"])
        for row in map(strict_json, blobs.get(db, said.subject[0][1]).splitlines()):
            item = db.one(
                "SELECT id, coalesce(first_reviewer, reviewer) FROM item"
                " WHERE campaign_id = ? AND uri = ?", (campaign_id, row["item"]),
            )  # fmt: skip
            if item is None or holders.get(item[0], item[1]) != by:
                continue
            if row["reviewer"] is not None:
                holders[item[0]] = row["reviewer"]
            yield item[0], row["owner"], said.name, by, at
