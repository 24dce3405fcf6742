"""What it opens again in a review when statements in it are void.

A void statement holds and counts for nothing: its decisions fall out, an item that it handed over
is its first reviewer's again, and an owner whom it named is none (`_owning`). The rule is that of a
pack (`evidence/_walk`): the rows of whoever had the item at the time, in the order of the log.
"""

from passmuster import attestations, blobs, tlog
from passmuster.campaigns._campaign import Campaign, campaign
from passmuster.campaigns._contested import mark_contested
from passmuster.campaigns._owning import name_anew
from passmuster.store import Database
from passmuster.text import strict_json


def _void(db: Database, at: Campaign) -> dict[int, str]:
    """The campaign's void entries, with the kind of each."""
    return dict(db.execute(
        "SELECT v.entry_id, e.predicate FROM void_entry v JOIN entry e ON e.id = v.entry_id"
        " WHERE e.campaign = ?", (at.digest,)
    ))  # fmt: skip


Turns = dict[str, list[tuple[int, str]]]
"""Item → (entry, who has it from then on), in log order."""


def _turns(db: Database, at: Campaign, void: dict[int, str]) -> Turns:
    """Who was given which items, by the owner rows that count."""
    first = dict(db.execute(
        "SELECT uri, first_reviewer FROM item WHERE campaign_id = ?"
        " AND first_reviewer IS NOT NULL", (at.id,)
    ))  # fmt: skip
    turns: Turns = {uri: [] for uri in first}
    for entry in tlog.entries(db, at.digest):
        if entry.kind != "own" or entry.id in void:
            continue
        said = attestations.unchecked(entry.envelope)
        for row in map(strict_json, blobs.get(db, said.subject[0][1]).splitlines()):
            uri, by = row["item"], str(said.predicate["principal"]).lower()
            if row["reviewer"] is not None and by == _turn(turns, first, uri, entry.id):
                turns[uri].append((entry.id, row["reviewer"]))
    return turns


def _turn(turns: Turns, first: dict[str, str], uri: str, order: int) -> str:
    """Who had an item before the entry *order*."""
    given = [who for entry, who in turns.get(uri, ()) if entry < order]
    return given[-1] if given else first[uri]


def reopen(db: Database) -> int:
    """Open again what was decided or handed over by what is void, in campaigns that are not closed;
    owners that it named are none any more, whether or not the campaign is closed.

    To be called when a roster or a witness's line has come. The number of items.
    """
    opened = 0
    rows = db.execute(
        "SELECT DISTINCT c.id, c.name FROM void_entry v JOIN entry e ON e.id = v.entry_id"
        " JOIN campaign c ON c.digest = e.campaign WHERE c.closed_at IS NULL"
    ).fetchall()
    with db.atomic():
        name_anew(db)
        for campaign_id, name in rows:
            opened += _give_back(db, campaign(db, name))
            mark_contested(db, campaign_id, [row[0] for row in db.execute(
                "SELECT d.item_id FROM item n JOIN decision d ON d.item_id = n.id"
                " WHERE n.campaign_id = ?1 AND d.entry_id IN (SELECT entry_id FROM void_entry)"
                " UNION SELECT s.item_id FROM item n JOIN countersignature s ON s.item_id = n.id"
                " WHERE n.campaign_id = ?1 AND s.entry_id IN (SELECT entry_id FROM void_entry)",
                (campaign_id,),
            )])  # fmt: skip
            opened += db.execute(
                "UPDATE item SET state = 'open' WHERE campaign_id = ? AND state = 'signed'"
                " AND NOT EXISTS (SELECT 1 FROM decision d WHERE d.item_id = item.id"
                " AND d.principal = item.reviewer"
                " AND d.entry_id NOT IN (SELECT entry_id FROM void_entry))",
                (campaign_id,),
            ).rowcount
    return opened


def _give_back(db: Database, at: Campaign) -> int:
    """Items that a void row handed over are again whose they were."""
    void = _void(db, at)
    given = 0
    for uri, turns in _turns(db, at, void).items() if "own" in void.values() else ():
        last = turns[-1][1] if turns else None
        given += db.execute(
            "UPDATE item SET reviewer = coalesce(?1, first_reviewer),"
            " assigned = 'handed over by a statement that is void', state = CASE WHEN EXISTS"
            " (SELECT 1 FROM decision d WHERE d.item_id = item.id AND d.entry_id NOT IN"
            " (SELECT entry_id FROM void_entry)"
            " AND d.principal = coalesce(?1, item.first_reviewer)) THEN 'signed' ELSE 'open' END"
            " WHERE campaign_id = ?2 AND uri = ?3 AND reviewer <> coalesce(?1, first_reviewer)",
            (last, at.id, uri),
        ).rowcount
    return given
