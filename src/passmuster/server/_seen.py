"""What clients have seen of this log: whether it was set back is told by them first.

Every request says which checkpoint its client has verified (`Muster-Seen`). That is a claim: where
it contradicts the log, this one write is refused. The checkpoint itself, with this log's own
signature, is proof: after it nothing is written any more until somebody recovers the log.
"""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from passmuster import central, note
from passmuster.errors import VerificationFailed
from passmuster.note import Checkpoint
from passmuster.server import _log
from passmuster.server._central import Central, central_of
from passmuster.server._http import Problem, answer, log, read
from passmuster.server._store import Tx


class Seen(msgspec.Struct, forbid_unknown_fields=True):
    """Body of `POST /v1/log/seen`."""

    checkpoint: str


async def check(here: Central, value: str) -> None:
    """Raise Problem `log-rollback` when a client has seen what this log does not hold."""
    if not value:
        return
    try:
        said = note.parse_checkpoint(value.replace(" ", "\n") + "\n")
    except VerificationFailed as error:
        raise Problem("bad-request", f"{central.SEEN_HEADER}: {error}") from None
    if said.origin != here.key.origin:
        return
    if why := await here.read(lambda tx: _log.contradicts(tx, _log.head(tx), said)):
        here.metrics.add("muster_seen_ahead_total")
        log("seen", detail=why)
        raise Problem("log-rollback", f"{why}: send that checkpoint to /v1/log/seen")


async def seen(request: Request) -> Response:
    """`POST /v1/log/seen`: a checkpoint with this log's signature; needs no session."""
    given = (await read(request, Seen)).checkpoint
    stopped = await tell(central_of(request), given)
    return answer({"holds": stopped is None, "detail": stopped})


async def tell(here: Central, given: str) -> str | None:
    """Show the log a checkpoint that it has signed; why it stopped for it, None where it holds.

    Raises Problem `bad-request` for a note that this log has not signed.
    """
    try:
        said = note.open_checkpoint(given, [here.key.verifier]).checkpoint
        if said.origin != here.key.origin:
            raise VerificationFailed("a checkpoint of another log")
    except VerificationFailed as error:
        raise Problem("bad-request", str(error)) from None
    stopped = await here.write(lambda tx: _stop(tx, said))
    if stopped is not None:
        log("rollback", detail=stopped)
    return stopped


def _stop(tx: Tx, said: Checkpoint) -> str | None:
    why = _log.contradicts(tx, _log.head(tx, lock=True), said)
    if why is not None:
        _log.stop(tx, f"{why}: it was set back or forked")
    return why
