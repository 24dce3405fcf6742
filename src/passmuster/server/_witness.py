"""Witnesses: others who see the log grow and say so (C2SP tlog-witness, `add-checkpoint`).

A witness that answers slowly, wrongly or not at all holds up nobody: its line is simply not there.
"""

from typing import Literal

from starlette.concurrency import run_in_threadpool

from passmuster import merkle, note, transport
from passmuster.errors import MusterError, VerificationFailed
from passmuster.note import Note, VerifierKey
from passmuster.server import _log
from passmuster.server._central import Central
from passmuster.server._http import log
from passmuster.server._log import Head
from passmuster.text import visible

Outcome = Literal["cosigned", "had", "ahead", "refused", "unreachable", "empty"]
DEADLINE_S = 20.0
MAX_ANSWER = 16 * 1024


async def ask(here: Central, witness: VerifierKey, url: str) -> Outcome:
    """Ask *witness* for its line under the newest checkpoint; what came of it. Never raises."""
    try:
        outcome = await run_in_threadpool(_ask, here, witness, url)
    except (MusterError, ValueError) as error:
        log("witness", witness=witness.name, error=visible(str(error)))
        return "refused" if isinstance(error, VerificationFailed) else "unreachable"
    if outcome == "ahead":
        log("witness", witness=witness.name, error="it has cosigned more of this log than there is")
    return outcome


def _ask(here: Central, witness: VerifierKey, url: str) -> Outcome:
    with here.store.reading() as tx:
        head = _log.head(tx)
        old = _log.cosigned_size(tx, head.origin, witness)
    if not head.size:
        return "empty"
    if old == head.size:
        return "had"
    signed = here.told(head)
    status, answer = _send(here, head, signed, old, url)
    if status == 409:  # it knows another size than is known here, and says which
        told = answer.strip()
        if not told.isdigit() or len(told) > 18:
            raise VerificationFailed("409 without a size")
        if int(told) > head.size:
            return "ahead"
        status, answer = _send(here, head, signed, int(told), url)
    if status != 200:
        raise VerificationFailed(f"it answered {status}")
    lines = note.parse_lines(answer)
    mine = [line for line in lines if (line.name, line.id) == (witness.name, witness.id)]
    note.verify(Note(signed.text, tuple(mine)), [witness])
    with here.store.transaction() as tx:
        _log.keep_cosignature(tx, head.origin, head.size, witness, mine[0])
    return "cosigned"


def _send(here: Central, head: Head, signed: Note, old: int, url: str) -> tuple[int, bytes]:
    with here.store.reading() as tx:
        proof = merkle.consistency(_log.tiles(tx), old, head.size) if old else []
    body = note.Request(old, tuple(proof), str(signed)).text.encode()
    return transport.exchange(
        f"{url.rstrip('/')}/add-checkpoint", body, "text/plain; charset=utf-8",
        deadline_s=DEADLINE_S, max_bytes=MAX_ANSWER,
    )  # fmt: skip
