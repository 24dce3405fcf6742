"""What this workspace saw of other logs as a witness, and what it refused to cosign.

Reading the last size, deciding and writing the new one are one transaction, so that two requests
at once cannot set a log back.
"""

from dataclasses import dataclass, replace

from passmuster import keys, note
from passmuster.errors import Conflict, NotFound, UsageError, VerificationFailed
from passmuster.keys import SigningKey
from passmuster.note import Line, VerifierKey
from passmuster.store import Database
from passmuster.text import epoch, sha256, visible
from passmuster.tlog import _keys
from passmuster.tlog._witness import Answer, Seen, judge


@dataclass(frozen=True, slots=True)
class Witnessed:
    """A log as it was last cosigned here."""

    origin: str
    seen: Seen
    seen_at: str
    refused: int
    """Requests that the log signed and that were refused."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A request that a log signed and that contradicts what it signed before."""

    sha256: str
    origin: str
    status: int
    why: str
    request: bytes
    refused_at: str


def cosigner(db: Database, public: str, name: str | None = None) -> VerifierKey:
    """The verifier key under which the key of a public line cosigns; *name* is given once.

    One key cosigns under one name: its signature does not say which (C2SP tlog-cosignature).
    """
    mark = keys.fingerprint(public)
    kept = db.value("SELECT name FROM cosigner WHERE fingerprint = ?", (mark,))
    if kept is None and name is None:
        raise UsageError("give the witness a name: muster witness key --name auditor.example/w1")
    if None not in (kept, name) and kept != name:
        raise Conflict(f"this key cosigns as {visible(kept)}; another witness takes another key")
    mine = _keys.as_witness(public, str(kept or name))
    with db.atomic():
        db.execute("INSERT OR IGNORE INTO cosigner VALUES (?, ?)", (mark, mine.name))
    return mine


def known_log(db: Database, origin: str) -> Seen | None:
    """What was last seen of a log, None where it is not known."""
    row = db.one("SELECT log_keys, size, root FROM witnessed WHERE origin = ?", (origin,))
    return None if row is None else _seen(*row)


def _seen(log_keys: str, size: int, root: str) -> Seen:
    return Seen(tuple(map(note.parse_key, log_keys.split())), size, bytes.fromhex(root))


def cosign(
    db: Database, request: bytes, key: SigningKey, now: str, trusted: VerifierKey | None = None
) -> Answer:
    """Answer a request and write down what was seen or refused.

    *trusted* is a key of the log that a person vouches for now, at first contact or when the log
    has a new one; it is kept only when the request is granted.
    """
    mine = cosigner(db, key.public)

    def known(origin: str) -> Seen | None:
        seen = known_log(db, origin)
        if trusted is None or trusted.name != origin:
            return seen
        before = seen or Seen(())
        return replace(before, keys=tuple(dict.fromkeys((*before.keys, trusted))))

    def sign(text: str) -> Line:
        at = epoch(now)
        return note.cosign(text, mine, lambda data: _keys.raw_signature(key, data), at)

    with db.atomic():
        answer = judge(request, known, sign)
        if answer.seen is not None and answer.said is not None:
            if mine.material in {one.material for one in answer.seen.keys}:
                raise VerificationFailed("this is the log's own key: a witness is somebody else")
            _remember(db, request, answer.said.origin, answer.seen, now)
        elif answer.is_evidence and answer.said is not None:
            db.execute(
                "INSERT OR IGNORE INTO refused VALUES (?, ?, ?, ?, ?, ?)",
                (sha256(request), answer.said.origin, answer.status, answer.why, request, now),
            )
    return answer


def _remember(db: Database, request: bytes, origin: str, seen: Seen, now: str) -> None:
    signed = note.parse_request(request).checkpoint.encode()
    db.execute(
        "INSERT OR REPLACE INTO witnessed (origin, log_keys, size, root, note, seen_at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (origin, "\n".join(map(str, seen.keys)), seen.size, seen.root.hex(), signed, now),
    )


def witnessed(db: Database) -> list[Witnessed]:
    """Every log that was cosigned here."""
    rows = db.execute(
        "SELECT w.origin, w.log_keys, w.size, w.root, w.seen_at, (SELECT count(*) FROM refused r"
        " WHERE r.origin = w.origin) FROM witnessed w ORDER BY w.origin"
    )
    return [
        Witnessed(origin, _seen(log_keys, size, root), seen_at, refused)
        for origin, log_keys, size, root, seen_at, refused in rows
    ]


def refused(db: Database, prefix: str = "") -> list[Refused]:
    """The kept requests, the newest first; *prefix* is the beginning of one's digest."""
    rows = db.execute(
        "SELECT sha256, origin, status, why, request, refused_at FROM refused"
        " WHERE substr(sha256, 1, length(?1)) = ?1 ORDER BY refused_at DESC, sha256", (prefix,),
    )  # fmt: skip
    found = [
        Refused(digest, origin, status, why, bytes(request), at)
        for digest, origin, status, why, request, at in rows
    ]
    if prefix and not found:
        raise NotFound(f"no refused request {visible(prefix)}")
    return found
