"""What was signed here goes to the server: bytes first, then the records that name them.

An answer that did not come is no answer: the same bytes are offered again, and the server knows
them by their hash. That a record is *logged* is believed when it is in the verified mirror, not
because the server says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from passmuster import central, merkle, tlog
from passmuster.central import NDJSON, PROBLEMS, RETRY
from passmuster.errors import Unreachable, VerificationFailed
from passmuster.sync import _blobs
from passmuster.sync._work import Work
from passmuster.text import visible
from passmuster.tlog import Outgoing

PAGE = 200
DEADLINE_S = 120.0


@dataclass
class Pushed:
    """What became of what was offered."""

    accepted: int = 0
    """New in the log."""
    known: int = 0
    """That it had already."""
    rejected: list[str] = field(default_factory=list)
    """One line for each that somebody has to look at."""
    later: int = 0
    """That may be offered again by themselves."""


def push(work: Work) -> Pushed:
    """Offer everything that the verified log lacks, oldest first."""
    done = Pushed()
    total = tlog.unsent(work.db)
    count = 0
    for batch in _batches(work):
        work.progress("records sent", count, total)
        ready = _with_blobs(work, batch, done)
        if ready:
            _offer(work, ready, done)
        count += len(batch)
    work.progress("records sent", count, total)
    return done


def outgoing(work: Work) -> Iterator[Outgoing]:
    """Held records first, in the order of the log that they were in, then our own; the next
    roster comes last: what was signed before it is judged by the one before it.
    """
    after = -1
    while rows := tlog.held(work.db, after, PAGE):
        yield from (one for _, one in rows)
        after = rows[-1][0]
    entry = 0
    while more := tlog.outbox(work.db, entry, PAGE):
        yield from more
        entry = more[-1].entry_id or 0
    yield from tlog.roster_to_send(work.db)


def _batches(work: Work) -> Iterator[list[Outgoing]]:
    """As many as one request may have, by count and by bytes."""
    batch: list[Outgoing] = []
    size = 0
    for one in outgoing(work):
        if batch and (len(batch) == work.limits.records
                      or size + len(one.line) + 1 > work.limits.request_bytes):  # fmt: skip
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += len(one.line) + 1
    if batch:
        yield batch


def _with_blobs(work: Work, batch: list[Outgoing], done: Pushed) -> list[Outgoing]:
    """Send the bytes that *batch* names; those of it whose bytes are all there."""
    needs: list[tuple[Outgoing, list[str]]] = []
    for one in batch:
        try:
            record = central.read(one.line)
            needs.append((one, _blobs.named(work, record)))
        except VerificationFailed as error:
            _reject(work, one, "not-a-record", str(error), done)
    lacking = _blobs.send(work, (digest for _, digests in needs for digest in digests))
    ready = []
    for one, digests in needs:
        if gone := lacking & set(digests):
            why = f"neither the server nor this workspace has the bytes {min(gone)[:16]}…"
            _reject(work, one, "blob-missing", why, done)
        else:
            ready.append(one)
    return ready


def _offer(work: Work, batch: list[Outgoing], done: Pushed) -> None:
    work.before("records")
    body = b"".join(one.line + b"\n" for one in batch)
    said = work.caller.call(
        "POST", "/v1/records", body, kind=NDJSON, deadline_s=DEADLINE_S
    ).json()  # fmt: skip
    work.before("results")
    results = _results(said, batch)
    with work.db.atomic():
        for one, (status, code, detail) in zip(batch, results, strict=True):
            if status == "rejected" and code not in RETRY:
                _reject(work, one, code, detail, done)
            elif status == "rejected":
                done.later += 1
            elif status == "accepted":
                done.accepted += 1
            else:
                done.known += 1


def _results(said: Any, batch: list[Outgoing]) -> list[tuple[str, str, str]]:
    """(status, code, detail) for each record of *batch*, in its order.

    Raises Unreachable for an answer that is not about exactly these: the result is not known then.
    """
    found = []
    try:
        rows = said["results"]
        for one, row in zip(batch, rows, strict=True):
            if row["leaf"] != merkle.leaf_hash(one.line).hex():
                raise ValueError("of another record")
            if row["status"] not in ("accepted", "duplicate", "rejected"):
                raise ValueError("of an unknown kind")
            code = str(row.get("code") or "")
            detail = str(row.get("detail") or PROBLEMS.get(code, code))
            found.append((str(row["status"]), code, detail))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreachable(f"the server's results have another form: {error}", again=True) from None
    return found


def _reject(work: Work, one: Outgoing, code: str, why: str, done: Pushed) -> None:
    if one.entry_id is not None:
        tlog.reject(work.db, one.entry_id, code, why, work.now())
    elif one not in tlog.roster_to_send(work.db):
        tlog.drop_held(work.db, merkle.leaf_hash(one.line).hex())
        return
    done.rejected.append(f"{_kind(one)}: {visible(why)}")


def _kind(one: Outgoing) -> str:
    try:
        return central.kind_of(one.line) or "a record"
    except VerificationFailed:
        return "a record"
