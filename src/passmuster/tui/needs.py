"""What needs a person: read from the workspace, in the order in which it is to be looked at.

Nothing here asks the network. What is stale is looked for by making the evidence of approvals anew,
which takes a while: in a thread, and only when it is asked for.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

from passmuster import campaigns, remediation, sync, tlog
from passmuster.campaigns import Campaign, Disputed, Unreviewed
from passmuster.store import Database
from passmuster.sync import State
from passmuster.tlog import CALLED, Halted, Rejected

Kind = Literal["halted", "declined", "refused", "contested", "urgent", "stale", "void"]
MOST = 1_000
"""Items of a campaign that are listed; there is something else wrong where there are more."""


class Void(NamedTuple):
    """A record of somebody else that does not hold."""

    place: int
    """Its index in the central log."""
    why: str


class Urgent(NamedTuple):
    """What was stopped in an emergency, and waits for its review."""

    stopped: Unreviewed
    remedy: str
    """The short id of the remediation that carried it out."""
    state: str | None
    """Where that stands; None where nothing was tried here."""

    def is_due(self, now: str) -> bool:
        """Whether it is time to give it back, and nobody has."""
        return self.stopped.is_due(now) and self.state != "reverted"


class Need(NamedTuple):
    """One thing that needs a person."""

    kind: Kind
    key: str
    """The same for the same thing as long as it is there."""
    what: str
    who: str
    """Who is to do something, or who signed it."""
    at: str | None
    about: Halted | Rejected | Disputed | Void | State | Urgent
    campaign: Campaign | None = None


def needs(db: Database, me: str, *, stale: bool) -> list[Need]:
    """Everything, what stops most first."""
    state = sync.state(db)
    found: list[Need] = []
    if state.kind == "halted":
        one = tlog.halts(db)[0]
        found.append(Need("halted", "halted", "the central log", "who runs it", one.at, one))
    if state.declined_since is not None:
        found.append(Need("declined", "declined", "the server", me, state.declined_since, state))
    for row in state.rejected:
        what = f"{CALLED.get(row.kind, row.kind)} {row.statement[:12]}"
        found.append(Need("refused", f"refused {row.statement}", what, me, row.at, row))
    later: list[Need] = []
    for at in campaigns.campaigns(db):
        if at.closed_at is not None:
            continue
        limit = MOST if stale else int(db.value(
            "SELECT count(*) FROM item WHERE campaign_id = ? AND contested = 1", (at.id,)
        ))  # fmt: skip
        for item in campaigns.disputed(db, at, min(limit, MOST)):
            kind: Kind = "contested" if item.kind == "contested" else "stale"
            last = max((row.decided_at for row in item.rows), default=None)
            made = Need(kind, f"{kind} {item.item_id}", item.display_name, item.reviewer, last,
                        item, at)  # fmt: skip
            (found if kind == "contested" else later).append(made)
    found += [
        Need("urgent", f"urgent {one.stopped.leaf}", one.stopped.name, one.stopped.principal,
             one.stopped.decided_at, one) for one in _urgent(db)
    ]  # fmt: skip
    for place, why in tlog.void(db):
        later.append(Need("void", f"void {place}", f"record {place:,} of the log", "its signer",
                          None, Void(place, why)))  # fmt: skip
    return [*found, *later]


def _urgent(db: Database) -> Iterator[Urgent]:
    for one in campaigns.unreviewed(db):
        name = remediation.wanted_by(db, one).name()
        state = db.value("SELECT state FROM remediation WHERE name = ?", (name,))
        yield Urgent(one, name, state)
