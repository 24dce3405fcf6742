"""What others signed comes: leaves, then the checkpoint that covers them, then the records.

A page is kept unread until a signed checkpoint covers it. Then each record is applied in the order
of the log, in a transaction of its own, once the bytes that it names are here.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from passmuster import campaigns, central, remediation, store, tlog
from passmuster.central import LINE_BYTES, NDJSON, Record
from passmuster.errors import (
    Declined,
    MusterError,
    UnknownKind,
    Unreachable,
    VerificationFailed,
)
from passmuster.sync import _blobs
from passmuster.sync._enrolling import trusted_roster
from passmuster.sync._work import Page, Work
from passmuster.text import visible
from passmuster.tlog import Fed

DEADLINE_S = 120.0
LOOK_AGAIN = "sync.look_again"
"""Key in the workspace's own facts: whether a packet left out lines that are ours to see."""


@dataclass
class Pulled:
    """What came."""

    entries: int = 0
    """New in the verified mirror, seen or not."""
    applied: int = 0
    received: int = 0
    """Of these, records that were not here before."""
    void: list[str] = field(default_factory=list)
    """One line for each record that does not hold."""
    waiting: int = 0
    """Records whose bytes, or whose campaign, have not come."""
    scope_moved: bool = False
    """Whether entries that were hidden when they came may be ours to see by now: something came
    that builds on what is not here, or people and their roles changed."""


def pull(work: Work, wait_s: int = 0) -> Pulled:
    """Bring the mirror up to the newest checkpoint, and apply what it has."""
    done = Pulled()
    before = tlog.pinned(work.db).size
    mirror(work, wait_s)
    done.entries = tlog.pinned(work.db).size - before
    apply(work, done)
    asked = work.db.value("SELECT value FROM workspace WHERE key = ?", (LOOK_AGAIN,))
    if (asked or (done.entries and done.scope_moved)) and look_again(work):
        apply(work, done)
    if asked:
        store.remember(work.db, LOOK_AGAIN, "")
    return done


def mirror(work: Work, wait_s: int = 0) -> None:
    """Fetch and verify up to the newest checkpoint, page by page."""
    target: str | None = None
    retried = False
    while True:
        page = _next(work, wait_s)
        wait_s = 0
        newest = work.opened(page.signed)
        work.before("stage")
        tlog.stage(work.db, page.first, page.entries)  # False for a page that came late: the next
        target = target or page.signed
        said = work.opened(target)
        here = tlog.staged(work.db)
        work.progress("entries received", here, newest.size)
        work.before("cover")
        try:
            if here >= said.size:
                tlog.cover(work.db, target, said, work.now())
                target = None
        except VerificationFailed as error:
            if retried:
                tlog.halt(work.db, str(error), page.signed, work.now())
                raise
            retried, target = True, None  # what was left over from an earlier time may be at fault
            continue
        if tlog.pinned(work.db).size >= newest.size:
            tlog.unstage(work.db)
            return
        if not page.entries:
            raise Unreachable("the server's log ends before its own checkpoint", again=True)


def _next(work: Work, wait_s: int) -> Page:
    """The page behind what has come; from the verified size on where the server has less."""
    try:
        return feed(work, tlog.staged(work.db), wait_s)
    except Declined as error:
        if error.status not in (400, 404, 416, 422) or (
            tlog.staged(work.db) == tlog.pinned(work.db).size
        ):
            raise
    tlog.unstage(work.db)
    return feed(work, tlog.staged(work.db))


def feed(work: Work, after: int, wait_s: int = 0) -> Page:
    """One page of the feed behind the first *after* entries, of the server or of a packet."""
    limit = work.limits.feed
    if work.source is not None:
        return work.source.page(after, limit)
    path = f"/v1/feed?after={after}&limit={limit}" + (f"&wait={wait_s}" if wait_s else "")

    def take(pieces: Iterator[bytes]) -> Page:
        entries: list[Fed] = []
        lines = _lines(pieces)
        for line in lines:
            found = _entry(line, after + len(entries))
            if isinstance(found, str):
                signed = found
                break
            if len(entries) == limit:
                raise Unreachable("a page of the feed has more entries than were asked for")
            entries.append(found)
        else:
            raise Unreachable("a page of the feed has no checkpoint at its end", again=True)
        if next(lines, None) is not None:
            raise Unreachable("a page of the feed goes on behind its checkpoint")
        return Page(after, entries, signed)

    _, _, page = work.caller.read(
        "GET", path, take, accept=NDJSON, max_bytes=(limit + 1) * LINE_BYTES,
        deadline_s=DEADLINE_S + wait_s,
    )  # fmt: skip
    return page


def _lines(pieces: Iterator[bytes]) -> Iterator[bytes]:
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
        if len(rest) > LINE_BYTES:
            raise Unreachable("a line of the feed has no end")
    if rest:
        raise Unreachable("a page of the feed is cut short", again=True)


def _entry(line: bytes, expected: int) -> Fed | str:
    """An entry, or the note of the checkpoint that ends a page."""
    try:
        return central.read_fed(line, expected)
    except VerificationFailed as error:
        raise Unreachable(str(error)) from None


# --- records


def apply(work: Work, done: Pulled) -> None:
    """Apply the verified records that wait, each in a transaction of its own."""
    blocked: set[str | None] = set()
    done.waiting = 0
    for count, one in enumerate(tlog.waiting(work.db), 1):
        work.progress("records applied", count, None)
        try:
            record = central.read(one.line)
        except UnknownKind:
            tlog.settle(work.db, one.place, "carried")
            continue
        except VerificationFailed as error:
            _void(work, one.place, "a record", error, done)
            continue
        if record.campaign in blocked:
            done.waiting += 1
            continue
        is_new = not tlog.has(work.db, record.leaf)
        try:
            why = _apply(work, one.place, record)
        except VerificationFailed as error:
            _void(work, one.place, record.statement.kind, error, done)
            continue
        if why is None:
            done.applied += 1
            done.received += is_new
            done.scope_moved |= record.statement.kind == "roster"
        else:
            done.scope_moved = True
            blocked.add(record.campaign)
            done.waiting += 1
            tlog.settle(work.db, one.place, "waiting", why)


def _apply(work: Work, place: int, record: Record) -> str | None:
    """Apply one record; why it has to wait, None when it is applied."""
    while digests := campaigns.wanted(work.db, record, work.me):  # a list names others
        for digest in digests:
            if not _blobs.fetch(work, digest):
                return f"bytes {digest[:16]}… that it names are not to be had"
    work.before("apply")
    try:
        # what the disk forgets still waits, and comes again
        with campaigns.room(work.db, record), work.db.atomic(durable=False):
            campaigns.apply(work.db, record, work.me, work.now(), trusted_roster(work.db))
            remediation.take(work.db, record.statement)
            tlog.settle(work.db, place, "applied")
    except VerificationFailed:
        raise
    except MusterError as error:
        return visible(str(error))
    return None


def _void(work: Work, place: int, kind: str, error: MusterError, done: Pulled) -> None:
    why = visible(str(error))
    tlog.settle(work.db, place, "void", why)
    done.void.append(f"{kind} at {place:,}: {why}")


def look_again(work: Work) -> int:
    """Ask for the lines of hidden entries that we may see by now; how many came."""
    found, at = 0, tlog.first_hidden(work.db)
    size = tlog.pinned(work.db).size
    while at is not None and at < size:
        page = feed(work, at)
        found += tlog.show(work.db, at, page.entries[: size - at])
        if not page.entries:
            break
        at = tlog.first_hidden(work.db, at + len(page.entries))
    return found
