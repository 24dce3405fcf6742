"""The short names that items go by in commands and on the screen."""

import base64
import hashlib

from passmuster.store import Database

NAME_LENGTH = 12
"""Base32 characters of an item's short name; longer where two would be the same."""

_TWICE = "SELECT name FROM item GROUP BY name HAVING count(*) > 1"
"""Of all campaigns: an index has them side by side, so that nothing is sorted."""


def name_items(db: Database, campaign_id: int, digest: str) -> None:
    """Give every item its short name: base32 of sha256(campaign digest + URI)."""

    def full(item_uri: str) -> str:
        raw = hashlib.sha256((digest + item_uri).encode()).digest()
        return base64.b32encode(raw).decode().lower().rstrip("=")

    db.create_function("item_name", 2, lambda u, n: full(u)[:n], deterministic=True)
    for span in db.spans("item"):
        db.execute(
            "UPDATE item SET name = item_name(uri, ?) WHERE campaign_id = ? AND id BETWEEN ? AND ?",
            (NAME_LENGTH, campaign_id, *span),
        )
    while twins := db.execute(
        "SELECT id, uri, length(name) FROM item WHERE campaign_id = ?1 AND name IN (SELECT name"
        f" FROM item WHERE campaign_id = ?1 AND name IN ({_TWICE}) GROUP BY name"
        " HAVING count(*) > 1)",
        (campaign_id,),
    ).fetchall():
        db.executemany(
            "UPDATE item SET name = item_name(uri, ?) WHERE id = ?",
            [(length + 4, item_id) for item_id, _, length in twins],
        )
