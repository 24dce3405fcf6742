"""Where the sync stands, for a line on a screen: read from the workspace, without a network.

The screen and the command say it in the same words (`State.told`), the screen with shorter times.
"""

from collections.abc import Callable
from typing import Literal, NamedTuple

from passmuster import store, tlog
from passmuster.store import Database
from passmuster.text import plural
from passmuster.tlog import Rejected

Kind = Literal["none", "never", "offline", "waiting", "synced", "attention", "halted"]
OFFLINE, PROBLEM, DECLINED = "sync.offline_since", "sync.problem", "sync.declined_since"
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
    declined_since: str | None = None
    """Since when the server answers that it will not, `problem` why."""
    contested: int = 0
    """Items of open campaigns here that people decided differently."""

    @property
    def needs(self) -> int:
        """How many things need a person before they go on."""
        return len(self.rejected) + self.contested + (self.declined_since is not None)

    def told(self, time: Callable[[str], str] = str, noun: str = "record") -> str:
        """The state in a few words, times as *time* has them; without a *noun* only numbers."""
        count = plural(self.waiting, noun) if noun else f"{self.waiting:,}"
        rest = f", {count} waiting" if self.waiting else ""
        words = {
            "none": "no central log", "halted": f"sync halted{rest}",
            "attention": f"needs attention ({self.needs:,}){rest}",
            "offline": f"offline since {time(self.offline_since or '')}{rest}",
            "never": f"never synced{rest}", "waiting": rest[2:],
            "synced": f"synced {time(self.synced_at or '')}",
        }  # fmt: skip
        return words[self.kind]

    @property
    def words(self) -> str:
        """One line: the state, and why it is so."""
        if self.kind == "halted":
            return f"{self.told()}: {self.problem}"
        if self.kind != "attention":
            return self.told()
        why = [f"{plural(len(self.rejected), 'record')} refused"] if self.rejected else []
        if self.contested:
            why.append(f"{plural(self.contested, 'item')} contested")
        if self.declined_since is not None:
            why.append(f"the server answers: {self.problem}")
        return f"{self.told()}: {'; '.join(why)}"


def state(db: Database) -> State:
    """Where the sync of a workspace stands."""
    at = tlog.central(db)
    if at is None:
        return State("none", None, 0, (), 0, None, None, None, 0)
    waiting, rejected = tlog.unsent(db), tuple(tlog.rejected(db))
    offline, problem, declined = _fact(db, OFFLINE), _fact(db, PROBLEM), _fact(db, DECLINED)
    contested = int(db.value(CONTESTED))
    kind: Kind = "synced"
    if at.halted is not None:
        kind, problem = "halted", at.halted
    elif rejected or contested or declined is not None:
        kind = "attention"
    elif offline is not None:
        kind = "offline"
    elif at.synced_at is None:
        kind = "never"
    elif waiting:
        kind = "waiting"
    return State(
        kind, at.url, waiting, rejected, len(tlog.void(db)), at.synced_at, offline, problem,
        at.size, declined, contested,
    )  # fmt: skip


CONTESTED = """
SELECT count(*) FROM campaign c JOIN item i ON i.campaign_id = c.id AND i.contested = 1
WHERE c.closed_at IS NULL
"""


def _fact(db: Database, key: str) -> str | None:
    return db.value("SELECT value FROM workspace WHERE key = ?", (key,)) or None


def went_offline(db: Database, why: str, now: str) -> None:
    """The server was not reached; the first time since it was is kept."""
    _failed(db, OFFLINE, DECLINED, why, now)


def was_declined(db: Database, why: str, now: str) -> None:
    """The server was reached and will not: somebody has to do something before it will."""
    _failed(db, DECLINED, OFFLINE, why, now)


def _failed(db: Database, how: str, other: str, why: str, now: str) -> None:
    with db.atomic():
        if _fact(db, how) is None:
            store.remember(db, how, now)
        if _fact(db, other) is not None:
            store.remember(db, other, "")
        if _fact(db, PROBLEM) != why:
            store.remember(db, PROBLEM, why)


def came_back(db: Database) -> None:
    """The server was reached, and everything was done."""
    held = [key for key in (OFFLINE, DECLINED, PROBLEM) if _fact(db, key) is not None]
    if held:
        with db.atomic():
            for key in held:
                store.remember(db, key, "")
