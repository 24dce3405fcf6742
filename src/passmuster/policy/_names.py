"""Names that a filter could have as a value, for completing what somebody types.

Each is found by a few steps along an index, or in a table that is small by nature.
"""

from collections.abc import Iterator

from passmuster.store import Database

MOST = 20
_SMALL = {
    "source": "SELECT coalesce(name, uid) FROM source UNION SELECT platform || '-' || tenant_uid"
              " FROM source",
    "platform": "SELECT DISTINCT platform FROM source",
    "env": "SELECT uid FROM environment UNION SELECT environment FROM source"
           " WHERE environment IS NOT NULL",
    "supplier": "SELECT display_name FROM supplier WHERE absent_since IS NULL",
    "reviewer": "SELECT email FROM person WHERE email IS NOT NULL AND active LIMIT 2000",
}  # fmt: skip
NEXT_OWNER = "SELECT min(owner) FROM listing WHERE owner > ?"
FIRST_OWNER = "SELECT min(owner) FROM listing WHERE owner >= ?"


def names(db: Database, key: str, beginning: str) -> list[str]:
    """At most `MOST` values of the qualifier *key* that begin with *beginning*."""
    if key == "owner":
        return list(_owners(db, beginning))
    if key not in _SMALL:
        return []
    start = beginning.lower()
    found = (row[0] for row in db.execute(_SMALL[key]))
    return sorted(name for name in found if name.lower().startswith(start))[:MOST]


def _owners(db: Database, beginning: str) -> Iterator[str]:
    """Step from one distinct owner to the next: DISTINCT would read every row of each."""
    owner = db.value(FIRST_OWNER, (beginning,))
    for _ in range(MOST):
        if owner is None or not owner.lower().startswith(beginning.lower()):
            return
        yield owner
        owner = db.value(NEXT_OWNER, (owner,))
