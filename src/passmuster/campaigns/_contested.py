"""Which items read `contested`: noted on each when its rows change, for lists and counts.

The note is what `outcomes` says and never its source; it is written in the transaction of the rows
that it follows from, for items on which people, or devices of one person, may contradict each
other at all: few, so that those alone are folded.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from passmuster.campaigns import _countersigning
from passmuster.campaigns._campaign import campaign
from passmuster.campaigns._votes import Votes
from passmuster.store import Database

if TYPE_CHECKING:
    from passmuster.outcomes import Second, Vote

AT_ONCE = 10_000
_OTHER = {"concur": "object", "object": "concur"}
# several decisions, or what second persons said differently of one
_SEVERAL = (
    "SELECT item_id FROM decision WHERE item_id IN ({0}) GROUP BY item_id HAVING count(*) > 1"
    " UNION SELECT item_id FROM countersignature WHERE item_id IN ({0})"
    " GROUP BY item_id, decision HAVING min(verdict) <> max(verdict)"
)


def mark_contested(db: Database, campaign_id: int, item_ids: Iterable[int]) -> None:
    """Note on each of the items whether it is contested; inside the transaction of their rows."""
    from passmuster import outcomes

    several: list[int] = []
    rest = iter(item_ids)
    while chunk := list(islice(rest, AT_ONCE)):
        marks = ",".join(map(str, chunk))
        several += [row[0] for row in db.execute(_SEVERAL.format(marks))]
    if not several:
        return
    digest = db.value("SELECT digest FROM campaign WHERE id = ?", (campaign_id,))
    found = Votes(db, campaign_id, digest)
    for item_id in several:
        cast = found.on(item_id)
        contested = outcomes.heads(cast)[1] or bool(seconds_at_odds(db, item_id, cast))
        db.execute("UPDATE item SET contested = ? WHERE id = ?", (contested, item_id))


def seconds_at_odds(db: Database, item_id: int, cast: "Sequence[Vote]") -> "list[Second]":
    """What makes an item contested whose decisions (*cast*, all that may count) are not: the
    countersignatures of those who contradict themselves, in log order.
    """
    from passmuster import outcomes, seconds

    apart = db.value(
        "SELECT 1 FROM countersignature WHERE item_id = ? GROUP BY decision"
        " HAVING min(verdict) <> max(verdict)", (item_id,),
    )  # fmt: skip
    if apart is None:
        return []
    digest, uri = db.one(
        "SELECT c.digest, n.uri FROM item n JOIN campaign c ON c.id = n.campaign_id"
        " WHERE n.id = ?", (item_id,),
    )  # fmt: skip
    at = campaign(db, digest)
    entries = {row[0] for row in db.execute(
        "SELECT entry_id FROM countersignature WHERE item_id = ?", (item_id,)
    )}  # fmt: skip
    signers = _countersigning.signers_of(db, digest, entries | {vote.order for vote in cast})
    said = _countersigning.countersigned(db, at, item_id, item_id, signers)
    votes = _countersigning.signed_by(cast, signers)
    needed = _countersigning.needed(db, at, item_id, item_id)
    asked = {uri: {vote.principal for vote in cast}}
    outcome = outcomes.fold(votes, asked, said, needed)[uri]
    counted = [one for one in said if one.leaf in outcome.seconds]
    return [
        one for one in counted if outcome.effect == "contested" and any(
            (other.row, other.verdict) == (one.row, _OTHER[one.verdict])
            and seconds.same_person(one.signer, other.signer) for other in counted
        )
    ]  # fmt: skip
