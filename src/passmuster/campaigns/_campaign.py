"""A campaign as it is kept, and how it is found by name."""

from dataclasses import dataclass
from typing import Any

from passmuster.errors import NotFound
from passmuster.store import Database
from passmuster.text import nearest


@dataclass(frozen=True, slots=True)
class Campaign:
    """One run of a review."""

    id: int
    name: str
    digest: str
    item_kind: str
    scope: str
    due_at: str
    opened_at: str
    opened_by: str
    closed_at: str | None
    population: int
    excluded: int
    definition: str
    travels: str | None = None
    """`out` where it was published from here, `in` where it came from elsewhere."""


_COLUMNS = ", ".join(Campaign.__dataclass_fields__)


def campaigns(db: Database) -> list[Campaign]:
    """Every campaign, newest first."""
    return [
        Campaign(*row) for row in db.execute(f"SELECT {_COLUMNS} FROM campaign ORDER BY id DESC")
    ]


def campaign(db: Database, name: str | None = None) -> Campaign:
    """The campaign called *name* (or by its digest); without a name, the one that is open.

    Raises NotFound when there is none, or several are open and none was named.
    """
    if name is None:
        found = [c for c in campaigns(db) if c.closed_at is None]
        if len(found) == 1:
            return found[0]
        if not found:
            raise NotFound("no open campaign: open one with `muster campaign open`")
        names = ", ".join(c.name for c in found)
        raise NotFound(f"several campaigns are open; say which with --campaign: {names}")
    row = db.one(
        f"SELECT {_COLUMNS} FROM campaign WHERE name = ?1 OR digest = ?1"
        " OR (length(?1) >= 8 AND substr(digest, 1, length(?1)) = ?1)",
        (name,),
    )
    if row is None:
        raise NotFound(
            f"no campaign {name!r}" + (nearest(name, [c.name for c in campaigns(db)])
                                       if campaigns(db) else ": open one first")
        )  # fmt: skip
    return Campaign(*row)


def items_in_order(
    db: Database, campaign_id: int, columns: str, joins: str = "", *values: Any
) -> Any:
    """*columns* of a campaign's items (`i`) in the order of the population, read as they lie.

    An index on the campaign would give them in another order, to be sorted in memory.
    """
    first, last = db.one("SELECT min(id), max(id) FROM item WHERE campaign_id = ?", (campaign_id,))
    return db.execute(
        f"SELECT {columns} FROM item i{joins} WHERE i.id BETWEEN ? AND ? AND +i.campaign_id = ?"
        " ORDER BY i.id",
        (*values, first, last, campaign_id),
    )
