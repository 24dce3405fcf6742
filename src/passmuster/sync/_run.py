"""The loop: look at the newest checkpoint, send what is ours, fetch and check what is there."""

import contextlib
from dataclasses import dataclass, field

from passmuster import tlog
from passmuster.errors import Declined, Unreachable, VerificationFailed
from passmuster.lock import alone
from passmuster.sync._pull import Pulled, pull
from passmuster.sync._push import Pushed, push
from passmuster.sync._recovering import Recovered, recover
from passmuster.sync._state import came_back, was_declined, went_offline
from passmuster.sync._work import Work
from passmuster.text import canonical, plural
from passmuster.tlog import Contradiction


@dataclass
class Report:
    """What one sync did."""

    pushed: Pushed = field(default_factory=Pushed)
    pulled: Pulled = field(default_factory=Pulled)
    recovered: Recovered | None = None

    @property
    def is_news(self) -> bool:
        """Whether anything went or came."""
        sent, came = self.pushed, self.pulled
        return bool(sent.accepted or sent.rejected or came.received or came.void or self.recovered)

    @property
    def words(self) -> str:
        """One sentence."""
        sent = self.pushed.accepted + self.pushed.known
        said = [f"{plural(sent, 'record')} sent", f"{self.pulled.received:,} received"]
        if self.pulled.waiting:
            said.append(f"{self.pulled.waiting:,} not complete yet")
        if self.pushed.later:
            said.append(f"{self.pushed.later:,} to be sent again")
        troubles = [*self.pushed.rejected, *self.pulled.void]
        if not troubles:
            return ", ".join(said) + "."
        verb = "needs" if len(troubles) == 1 else "need"
        return f"{', '.join(said)}, {len(troubles):,} {verb} attention: {'; '.join(troubles)}"


def sync(work: Work, wait_s: int = 0) -> Report:
    """Sync once; with *wait_s*, wait so many seconds at the server for something new.

    Raises Conflict when another process syncs this workspace, Unreachable when the server is not
    reached (what is here stays and is sent the next time), VerificationFailed when the log
    contradicts itself: the sync is halted then, and work here goes on.
    """
    with alone(work.db.path.parent, "sync", "syncing this workspace"):
        report = Report()
        try:
            _start(work, report)
            report.pushed = _push(work)
            report.pulled = pull(work, wait_s)
        except Unreachable as error:
            declined = isinstance(error, Declined) and not error.again
            (was_declined if declined else went_offline)(work.db, str(error), work.now())
            raise
        came_back(work.db)
        return report


def _push(work: Work) -> Pushed:
    """Send; where the server takes nothing because its log was set back, find out how far."""
    try:
        return push(work)
    except Declined as error:
        if error.code != "log-rollback":
            raise
        _tell(work)
        pull(work)  # halts where what it signs now contradicts what it signed before
        raise


def _start(work: Work, report: Report) -> None:
    """Compare the server's newest checkpoint with ours before anything is sent to it."""
    halted = tlog.pinned(work.db).halted
    if halted is not None:
        report.recovered = recover(work)
        if report.recovered is None:
            raise VerificationFailed(
                f"the sync is halted: {halted}. Both checkpoints are kept: `muster sync --status`; "
                "ask who runs the server"
            )
        _compare(work)
        return
    try:
        _compare(work)
    except Contradiction:
        report.recovered = recover(work)
        if report.recovered is None:
            _tell(work)
            raise
        _compare(work)


def _compare(work: Work) -> None:
    signed = work.caller.call("GET", "/v1/log/checkpoint", accept="text/plain", proves=False).body
    try:
        work.opened(signed.decode())
    except UnicodeDecodeError:
        raise VerificationFailed("the server's checkpoint is no text") from None


def _tell(work: Work) -> None:
    """Show the server what it has signed before, so that it stops instead of growing a fork."""
    signed = tlog.pinned(work.db).note
    if signed is not None:
        with contextlib.suppress(Unreachable):
            work.caller.call("POST", "/v1/log/seen", canonical({"checkpoint": signed}),
                             tries=1, proves=False)  # fmt: skip
