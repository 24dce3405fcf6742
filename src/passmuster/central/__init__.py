"""What the central API and its clients agree on: records, sessions, limits, answers. Pure.

A record is the envelope of one statement, byte for byte as it was signed; its name is its leaf
hash in the log. The server adds nothing to it and signs checkpoints alone: who may sign is said by
the roster, which is a record itself. Everything that a server tells can be checked by whoever is
told, with this module, on a laptop, on the server and from a packet.
"""

from passmuster.central._fed import LINE_BYTES, Fed, fed_line, read_fed
from passmuster.central._invitation import Invitation, address, invitation, pin_of
from passmuster.central._proof import PROOF_TYPE, b64url, jwk, prove, thumbprint
from passmuster.central._queues import Chunk, Queues, queues, read_queues
from passmuster.central._record import (
    BLOBS,
    FOLDED,
    SHOWN,
    Record,
    blobs_of,
    campaign_of,
    kind_of,
    read,
)
from passmuster.central._recovery import Recovery, read_recovery, recovery_note
from passmuster.central._session import PAYLOAD_TYPE, Session, ask, check
from passmuster.central._wire import (
    LIMITS,
    NDJSON,
    PROBLEM,
    PROBLEMS,
    PROTOCOL,
    PROTOCOL_HEADER,
    RETRY,
    SEEN_HEADER,
    Limits,
    Result,
    Status,
    seen_header,
)

__all__ = [
    "BLOBS", "FOLDED", "LIMITS", "LINE_BYTES", "NDJSON", "PAYLOAD_TYPE", "PROBLEM", "PROBLEMS",
    "PROOF_TYPE", "PROTOCOL", "PROTOCOL_HEADER", "RETRY", "SEEN_HEADER", "SHOWN", "Chunk", "Fed",
    "Invitation", "Limits", "Queues", "Record", "Recovery", "Result", "Session", "Status",
    "address", "ask", "b64url", "blobs_of", "campaign_of", "check", "fed_line", "invitation", "jwk",
    "kind_of", "pin_of", "prove", "queues", "read", "read_fed", "read_queues", "read_recovery",
    "recovery_note", "seen_header", "thumbprint",
]  # fmt: skip
