"""Bytes that records name: sent before the record, fetched before it is applied."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial

from passmuster import blobs, central
from passmuster.central import Record
from passmuster.errors import Declined, Unreachable, VerificationFailed
from passmuster.sync._work import Work
from passmuster.text import canonical

OCTETS = "application/octet-stream"
DEADLINE_S, SLOWEST = 60.0, 20_000
"""Of a request with bytes: a minute, and as long as so many bytes a second take."""


def named(work: Work, record: Record) -> list[str]:
    """Digests of what must have arrived before *record*: a publication's chunks among them."""
    found = list(record.blobs)
    if record.statement.kind == "publication":
        for digest in record.blobs:
            if blobs.has(work.db, digest):
                listed = central.read_queues(blobs.get(work.db, digest))
                found += [chunk.sha256 for chunk in listed.chunks]
    return found


def send(work: Work, digests: Iterable[str]) -> set[str]:
    """Send what the server lacks; those of them that are not here either."""
    lacking: set[str] = set()
    wanted = list(dict.fromkeys(digests))
    for at in range(0, len(wanted), work.limits.records):
        some = wanted[at : at + work.limits.records]
        missing = _missing(work, some)
        for count, digest in enumerate(missing, 1):
            if blobs.has(work.db, digest):
                work.before("blob")
                put(work, digest)
            else:
                lacking.add(digest)
            work.progress("files sent", count, len(missing))
    return lacking


def _missing(work: Work, digests: Sequence[str]) -> list[str]:
    body = canonical({"digests": list(digests)})
    said = work.caller.call("POST", "/v1/blobs/missing", body).json()
    try:
        missing = [str(one) for one in said["missing"]]
    except (KeyError, TypeError):
        raise Unreachable("the server's answer about missing bytes has another form") from None
    if not set(missing) <= set(digests):
        raise Unreachable("the server misses bytes that it was not asked about")
    return missing


def put(work: Work, digest: str) -> None:
    """Send the bytes of one digest, packed on the way."""
    seconds = DEADLINE_S + blobs.size(work.db, digest) / SLOWEST
    work.caller.call(
        "PUT", f"/v1/blobs/{digest}", partial(blobs.pieces, work.db, digest), kind=OCTETS,
        deadline_s=seconds,
    )  # fmt: skip


def fetch(work: Work, digest: str) -> bool:
    """Bring the bytes of one digest here; False where there are none for us."""
    if blobs.has(work.db, digest):
        return True
    if work.source is not None:
        found = work.source.bytes_of(digest)
        if found is not None:
            work.before("fetch")
            blobs.take(work.db, digest, found)
        return found is not None
    most = work.limits.blob_bytes

    def take(pieces: Iterator[bytes]) -> None:
        try:
            blobs.take(work.db, digest, pieces)
        except VerificationFailed as error:
            raise Unreachable(f"the server's answer: {error}", again=True) from None

    work.before("fetch")
    try:
        work.caller.read("GET", f"/v1/blobs/{digest}", take, accept=OCTETS, max_bytes=most,
                         deadline_s=DEADLINE_S + most / SLOWEST / 100)  # fmt: skip
    except Declined as error:
        if error.status == 404:
            return False
        raise
    return True
