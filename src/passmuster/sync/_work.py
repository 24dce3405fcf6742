"""What the parts of a sync share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from passmuster import tlog
from passmuster.central import LIMITS, Limits
from passmuster.note import Checkpoint, VerifierKey
from passmuster.store import Database
from passmuster.tlog import Contradiction
from passmuster.transport import Caller

Progress = Callable[[str, int, int | None], None]
"""(what is being done, how many are done, of how many where that is known)."""


def silent(_doing: str, _done: int, _of: int | None) -> None:
    """No progress."""


@dataclass
class Work:
    """One sync of one workspace with one server."""

    db: Database
    caller: Caller
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

    def opened(self, signed: str) -> Checkpoint:
        """A checkpoint that may be believed; a contradiction stops the sync for good."""
        try:
            return tlog.opened(self.db, signed, self.witnesses, self.quorum)
        except Contradiction as error:
            tlog.halt(self.db, str(error), signed, self.now())
            raise
