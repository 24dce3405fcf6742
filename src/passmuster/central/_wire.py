"""The words of the protocol: headers, media types, limits, and why a record is refused."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from passmuster.note import Checkpoint

PROTOCOL = (1, 0)
"""Major (in the path, `/v1`) and minor, which only adds."""
PROTOCOL_HEADER = "Muster-Protocol"
"""In every answer, `1.0`: what answers without it is something else (a captive portal)."""
SEEN_HEADER = "Muster-Seen"
"""In every request: the newest checkpoint that the client has verified, so that a log which was
set back hears of it from the first client that knows more (`seen_header`)."""
NDJSON = "application/x-ndjson"
PROBLEM = "application/problem+json"
"""RFC 9457."""

Status = Literal["accepted", "duplicate", "rejected"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes; told in `/v1/about`. Bytes, counts and seconds."""

    records: int = 1_000
    """Of one request."""
    record_bytes: int = 65_535
    """Of one record: its length is a uint16 in C2SP tlog-tiles."""
    request_bytes: int = 4 * 1024 * 1024
    """Of a request's body once it is unpacked; a blob has its own."""
    blob_bytes: int = 1024 * 1024 * 1024
    feed: int = 1_000
    """Entries of one page of the feed."""
    wait_s: int = 30
    """The longest wait for something new in the feed."""
    session_s: int = 600
    invite_s: int = 900
    skew_s: int = 60
    """How far a client's clock may be off where a proof names a time."""
    body_s: int = 600
    """In which a request's body must have come."""
    connections: int = 1_000
    """At one time, of one replica."""


LIMITS = Limits()

PROBLEMS = {
    "not-a-record": "it is not an envelope in its one canonical form",
    "too-large": "it is larger than the server takes",
    "unknown-kind": "this server does not know that kind of statement: it has to be upgraded",
    "bad-signature": "a signature does not match the bytes",
    "not-listed": "the roster does not let this key sign that",
    "roster-order": "it may not follow the roster that is in force",
    "chain-fork": "its device has logged another statement at this place of its chain",
    "blob-missing": "bytes that it names have not arrived: send them first",
    "blob-wrong": "bytes that it names are not what it says of them",
    "campaign-unknown": "the campaign that it is about is not in the log",
    "not-yours": "that campaign is not the signer's",
    "log-rollback": "a client has seen more of this log than there is: it was set back",
    "unauthorized": "no session, or one that has ended",
    "forbidden": "the roster does not give you the role for that",
    "not-found": "there is nothing of that name, or it is not yours to see",
    "bad-request": "the request is not as the contract has it",
    "invite": "this invitation is used, ended or unknown",
    "busy": "too many requests: come back later",
    "unavailable": "the server cannot write now",
}
"""Code → in words. The last part of a problem's `type`, and of a rejected record's."""

RETRY = frozenset({"blob-missing", "busy", "unavailable"})
"""Codes after which the same bytes may be sent again; after any other a person has to look."""


class Result(NamedTuple):
    """What became of one record."""

    leaf: str
    """Its name: the leaf hash in hex."""
    status: Status
    place: int | None
    """Its index in the log, from 0; None when it was rejected."""
    code: str | None = None
    """Why it was rejected: a key of `PROBLEMS`."""
    detail: str | None = None


def seen_header(known: Checkpoint | None) -> str:
    """The value of `Muster-Seen`: origin, size and root of a verified checkpoint; empty for none.

    >>> seen_header(Checkpoint("log.example", 7, bytes(32)))
    'log.example 7 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA='
    """
    if known is None:
        return ""
    return " ".join(known.text.split("\n")[:3])
