"""`POST /v1/packets`: somebody's outbox, carried here by anybody; the answer is a receipt packet.

Whoever carries it needs no key and no session, so the answer has nothing for which one is needed:
every leaf, but the record only where the packet brought it. Blobs are kept only for records that a
listed key has signed; one packet is taken at a time, and it has an end in bytes.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from passmuster import central, merkle, note, packets, roster
from passmuster.central import LIMITS, Fed, Result
from passmuster.errors import MusterError, VerificationFailed
from passmuster.packets import Member, Packet, Place
from passmuster.server import _blobs, _log, _seen, _sequencer
from passmuster.server._accept import Candidate, prepare
from passmuster.server._central import Central, central_of
from passmuster.server._http import Problem, pieces
from passmuster.server._log import Head
from passmuster.server._store import Tx, marks
from passmuster.server._writing import as_json
from passmuster.text import canonical

PACKED_BYTES = 256 * 1024 * 1024
"""Of a packet as it comes."""
UNPACKED_BYTES = 2 * 1024**3
MAX_ENTRIES = 2_000_000
"""Of a receipt: whoever is further behind gets a campaign packet first."""
STEP = 500


async def post_packet(request: Request) -> Response:
    """Take an upload packet, and answer with its receipt packet."""
    here = central_of(request)
    if here.packet.locked():
        raise Problem("busy", "another packet is being taken")
    async with here.packet:
        folder = Path(tempfile.mkdtemp(prefix="packet-", dir=here.settings.folder))
        try:
            await _spool(folder / "upload", pieces(request, PACKED_BYTES))
            out = await _taken(here, folder)
        except BaseException:
            await run_in_threadpool(shutil.rmtree, folder, ignore_errors=True)
            raise
    gone = BackgroundTask(shutil.rmtree, folder, ignore_errors=True)
    return FileResponse(out, media_type=packets.MEDIA, background=gone)


async def _spool(path: Path, coming: AsyncIterator[bytes]) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as stream:
        async for piece in coming:
            await run_in_threadpool(stream.write, piece)


async def _taken(here: Central, folder: Path) -> Path:
    """What the packet brought goes into the log; where the receipt lies."""
    stack = ExitStack()
    packet = await run_in_threadpool(stack.enter_context, _opened(here, folder))
    try:
        await _agrees(here, packet)
        await run_in_threadpool(_keep_blobs, here, packet)
        results: list[Result] = []
        for lines in _batches(packet):
            some, _ = await here.sequencer.submit(lines)
            results += some
        return await run_in_threadpool(_receipt, here, packet, results, folder)
    finally:
        await run_in_threadpool(stack.close)


@contextmanager
def _opened(here: Central, folder: Path) -> Iterator[Packet]:
    """The upload, once it is one, and of this log."""
    try:
        with packets.opened(folder / "upload", folder, UNPACKED_BYTES) as packet:
            if packet.manifest.kind != "upload":
                raise VerificationFailed(f"a {packet.manifest.kind} packet is not for the server")
            if packet.manifest.origin != here.key.origin:
                raise VerificationFailed("the packet is of another log")
            yield packet
    except MusterError as error:
        raise Problem("bad-request", str(error)) from None


async def _agrees(here: Central, packet: Packet) -> None:
    """What its sender has seen of this log must be so; if it was signed, and is not, that is told.

    The note in it may be forged where its signature is not ours: then it says nothing.
    """
    after = packet.manifest.after
    head = await here.read(_log.head)
    if after.size > head.size or await here.read(
        lambda tx: _log.root_at(tx, after.size).hex()
    ) != after.root:  # fmt: skip
        if packet.checkpoint is not None:
            await _seen.tell(here, packet.checkpoint)
        raise Problem("log-rollback" if packet.checkpoint else "bad-request",
                      "the packet's sender has seen another log than this one")  # fmt: skip
    if head.size - after.size > MAX_ENTRIES:
        raise Problem("too-large", f"its sender is {head.size - after.size:,} entries behind: give "
                                   "them a campaign packet first")  # fmt: skip


def _batches(packet: Packet) -> Iterator[list[bytes]]:
    batch, size = list[bytes](), 0
    for line in packet.lines():
        if batch and (len(batch) == LIMITS.records or size + len(line) > LIMITS.request_bytes):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += len(line)
    if batch:
        yield batch


# --- bytes


def _keep_blobs(here: Central, packet: Packet) -> None:
    """Keep the blobs of records that a listed key has signed."""
    with here.store.reading() as tx:
        known = _sequencer.rosters(tx, here)
    keys = known[-1].keys if known else {}
    for lines in _batches(packet):
        wanted = dict.fromkeys(d for line in lines for d in _named(packet, prepare(line, keys)))
        for digest in wanted:
            _keep(here, packet, digest)


def _named(packet: Packet, candidate: Candidate) -> Iterable[str]:
    """The blobs that a record needs, where its signature holds; a roster's is small."""
    record = candidate.record
    if record is None:
        return []
    if record.statement.kind == "roster":
        return [d for d in record.blobs if packet.names.get(f"blobs/{d}", 0) <= roster.MAX_BYTES]
    if not candidate.verified:
        return []
    named = list(record.blobs)
    if record.statement.kind == "publication":
        path = packet.blob(dict(record.statement.subject)["queues.jsonl"])
        try:
            listed = central.read_queues(path.read_bytes()) if path is not None else None
        except VerificationFailed:
            return named
        named += [chunk.sha256 for chunk in listed.chunks] if listed is not None else []
    return named


def _keep(here: Central, packet: Packet, digest: str) -> None:
    path = packet.blob(digest)
    with here.store.reading() as tx:
        if path is None or _blobs.present(tx, [digest]):
            return
    with path.open("rb") as stream:
        _blobs.keep_stream(here, digest, iter(partial(stream.read, _blobs.PIECE), b""))


# --- the answer


def _receipt(here: Central, packet: Packet, results: list[Result], folder: Path) -> Path:
    """Everything behind what the sender has, with the records that they sent."""
    head, signed = here.newest()
    after = packet.manifest.after
    sent = {merkle.leaf_hash(line) for line in packet.lines()}
    more = [Member.of(packets.RESULTS, canonical([as_json(one) for one in results]))]
    with here.store.reading() as tx, packets.draft(folder) as made:
        for at in range(after.size, head.size, STEP):
            for index, entry in _entries(tx, at, min(at + STEP, head.size), sent):
                made.add(central.fed_line(index, entry))
        more += [
            Member.of(f"receipts/{one.leaf}.tlog-proof", _proof(tx, head, one.place, signed))
            for one in {one.leaf: one for one in results}.values()
            if one.place is not None
        ]
        place = Place.of(_log.tiles(tx), after.size)
        out = folder / "receipt"
        made.write(out, "receipt", packet.manifest.principal, str(here.key.verifier), place, signed,
                   (), more)  # fmt: skip
    return out


def _entries(tx: Tx, first: int, end: int, sent: set[bytes]) -> Iterator[tuple[int, Fed]]:
    rows = tx.execute("SELECT idx, leaf FROM record WHERE idx >= ? AND idx < ? ORDER BY idx",
                      (first, end))  # fmt: skip
    mine = [bytes(row[1]) for row in rows if bytes(row[1]) in sent]
    lines = {
        bytes(row[0]): bytes(row[1])
        for row in tx.execute(f"SELECT leaf, line FROM record WHERE leaf IN {marks(len(mine))}",
                              mine)
    } if mine else {}  # fmt: skip
    for index, leaf in rows:
        yield int(index), Fed(bytes(leaf), lines.get(bytes(leaf)))


def _proof(tx: Tx, head: Head, index: int, signed: str) -> bytes:
    proof = merkle.inclusion(_log.tiles(tx), index, head.size)
    return str(note.Receipt(index, tuple(proof), signed)).encode()
