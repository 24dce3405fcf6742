"""Where the sync stands, for a line on a screen: read from the workspace, without a network."""

from typing import Literal, NamedTuple

from passmuster import store, tlog
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tlog import Rejected

Kind = Literal["none", "never", "offline", "waiting", "synced", "attention", "halted"]
OFFLINE, PROBLEM = "sync.offline_since", "sync.problem"
"""Keys in the workspace's own facts."""


class State(NamedTuple):
    """Where the sync stands."""

    kind: Kind
    """The first that is true of: no central log, halted, attention, offline, never synced,
    waiting, synced."""
    url: str | None
    waiting: int
    """Records that have not been sent."""
    rejected: tuple[Rejected, ...]
    """What the server refused: somebody has to look."""
    void: int
    """Records of others in the central log that do not hold."""
    synced_at: str | None
    offline_since: str | None
    problem: str | None
    """Why it is offline or halted."""
    size: int
    """Verified entries of the central log."""

    @property
    def words(self) -> str:
        """One short line."""
        rest = f", {plural(self.waiting, 'record')} waiting" if self.waiting else ""
        words = {
            "none": "no central log", "halted": f"sync halted: {self.problem}",
            "attention": f"{plural(len(self.rejected), 'record')} refused: needs attention{rest}",
            "offline": f"offline since {self.offline_since}{rest}", "never": f"never synced{rest}",
            "waiting": rest[2:], "synced": f"synced {self.synced_at}",
        }  # fmt: skip
        return words[self.kind]


def state(db: Database) -> State:
    """Where the sync of a workspace stands."""
    at = tlog.central(db)
    if at is None:
        return State("none", None, 0, (), 0, None, None, None, 0)
    waiting, rejected = tlog.unsent(db), tuple(tlog.rejected(db))
    offline, problem = _fact(db, OFFLINE), _fact(db, PROBLEM)
    kind: Kind = "synced"
    if at.halted is not None:
        kind, problem = "halted", at.halted
    elif rejected:
        kind = "attention"
    elif offline is not None:
        kind = "offline"
    elif at.synced_at is None:
        kind = "never"
    elif waiting:
        kind = "waiting"
    return State(
        kind, at.url, waiting, rejected, len(tlog.void(db)), at.synced_at, offline, problem, at.size
    )


def _fact(db: Database, key: str) -> str | None:
    return db.value("SELECT value FROM workspace WHERE key = ?", (key,)) or None


def went_offline(db: Database, why: str, now: str) -> None:
    """The server was not reached; the first time since it was is kept."""
    with db.atomic():
        if _fact(db, OFFLINE) is None:
            store.remember(db, OFFLINE, now)
        store.remember(db, PROBLEM, why)


def came_back(db: Database) -> None:
    """The server was reached, and everything was done."""
    if _fact(db, OFFLINE) is not None:
        with db.atomic():
            store.remember(db, OFFLINE, "")
            store.remember(db, PROBLEM, "")
