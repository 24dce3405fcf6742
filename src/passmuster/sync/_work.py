"""What the parts of a sync share."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from passmuster import tlog
from passmuster.central import LIMITS, Limits
from passmuster.errors import Unreachable
from passmuster.note import Checkpoint, VerifierKey
from passmuster.store import Database
from passmuster.tlog import Contradiction, Fed
from passmuster.transport import Caller

Progress = Callable[[str, int, int | None], None]
"""(what is being done, how many are done, of how many where that is known)."""


def silent(_doing: str, _done: int, _of: int | None) -> None:
    """No progress."""


class Page(NamedTuple):
    """One page of the feed, wherever it came from."""

    first: int
    entries: list[Fed]
    signed: str
    """The newest checkpoint, which may cover more than this page."""


class Source(Protocol):
    """Where entries and bytes come from when it is not the network: a packet."""

    def page(self, after: int, limit: int) -> Page:
        """At most *limit* entries behind the first *after*."""

    def bytes_of(self, digest: str) -> Iterable[bytes] | None:
        """Bytes by their digest, None where there are none."""


@dataclass
class Work:
    """One sync of one workspace, with one server or with what somebody carried here."""

    db: Database
    network: Caller | None
    me: str
    """Whose workspace it is: what is wanted of a campaign depends on it."""
    now: Callable[[], str]
    witnesses: Sequence[VerifierKey] = ()
    quorum: int = 0
    """How many of the witnesses must have cosigned a checkpoint."""
    limits: Limits = LIMITS
    progress: Progress = silent
    before: Callable[[str], None] = lambda _step: None
    """Is told before each step that changes something, so that a test can end the process there."""
    source: Source | None = None
    """Instead of the network."""

    @property
    def caller(self) -> Caller:
        """Who speaks with the server."""
        if self.network is None:
            raise Unreachable("there is no network here: what a packet lacks has to wait")
        return self.network

    def opened(self, signed: str) -> Checkpoint:
        """A checkpoint that may be believed; a contradiction stops the sync for good."""
        try:
            return tlog.opened(self.db, signed, self.witnesses, self.quorum)
        except Contradiction as error:
            tlog.halt(self.db, str(error), signed, self.now())
            raise
