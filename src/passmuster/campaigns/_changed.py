"""Whether the evidence of an item is still what was frozen when the campaign was opened."""

from collections.abc import Sequence

from passmuster.campaigns import _dossiers
from passmuster.campaigns._deciding import item_dossier
from passmuster.store import Database
from passmuster.text import canonical, sha256


def changed_since(db: Database, item_ids: Sequence[int]) -> dict[int, list[str]]:
    """Items whose evidence is no longer what was frozen: id → the material parts that differ.

    Owners named by this campaign's own statements do not count (`_dossiers.outlines`).
    """
    if not item_ids:
        return {}
    campaign, of, travels = db.one(
        "SELECT c.digest, c.item_kind, c.travels FROM item i"
        " JOIN campaign c ON c.id = i.campaign_id WHERE i.id = ?",
        (item_ids[0],),
    )
    if travels == "in":  # what is here of it is the frozen evidence: nothing else is known
        return {}
    own = [
        row[0]
        for row in db.execute(
            "SELECT statement FROM entry WHERE campaign = ? AND predicate = 'own'", (campaign,)
        )
    ]
    changed: dict[int, list[str]] = {}
    marks = ",".join(map(str, item_ids))
    by_identity: dict[int, list[tuple[int, str, str]]] = {}
    for item_id, identity_id, of_uri, frozen in db.execute(
        f"SELECT id, identity_id, uri, material FROM item WHERE id IN ({marks})"
    ):
        by_identity.setdefault(identity_id, []).append((item_id, of_uri, frozen))
    for identity_id, now_dossier in _dossiers.outlines(db, list(by_identity), own):
        live = {item["uri"]: item for item in _dossiers.items(now_dossier, of)}
        for item_id, item_uri, frozen in by_identity[identity_id]:
            if item_uri not in live:
                changed[item_id] = ["it is gone"]
                continue
            material = _dossiers.material(live[item_uri])
            if sha256(canonical(material)) != frozen:
                before = _dossiers.material(item_dossier(db, item_id))
                changed[item_id] = [k for k in material if material[k] != before.get(k)]
    return changed
