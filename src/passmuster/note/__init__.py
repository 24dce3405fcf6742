"""C2SP notes without I/O: texts with signature lines, and the three that a log speaks in.

A *checkpoint* is a log's signed size and root; a *cosignature* is a witness's line under it, with
the time at which it saw the log grow to there; a *receipt* carries both and the path from one
entry to the root, and verifies with nothing else at hand. Formats: c2sp.org/signed-note,
/tlog-checkpoint, /tlog-cosignature, /tlog-proof.

Parsed strictly: what two readers could read differently is refused. Lines of keys that nobody
named are ignored, by the rule of the format: that is how witnesses and new kinds of key are added.
"""

from passmuster.note._checkpoint import Checkpoint, Opened, open_checkpoint, parse_checkpoint
from passmuster.note._keys import (
    COSIGNATURE,
    ED25519,
    VerifierKey,
    ed25519_key,
    parse_key,
    ssh_key,
    witness_key,
)
from passmuster.note._policy import Policy, parse_policy
from passmuster.note._receipt import Receipt, parse_proof, parse_receipt, verify_receipt
from passmuster.note._request import Request, parse_request
from passmuster.note._signed import (
    Line,
    Note,
    Raw,
    SignedBy,
    cosign,
    parse,
    parse_lines,
    sign,
    verify,
)

__all__ = [
    "COSIGNATURE", "ED25519", "Checkpoint", "Line", "Note", "Opened", "Policy", "Raw", "Receipt",
    "Request", "SignedBy", "VerifierKey", "cosign", "ed25519_key", "open_checkpoint", "parse",
    "parse_checkpoint", "parse_key", "parse_lines", "parse_policy", "parse_proof",
    "parse_receipt", "parse_request", "sign", "ssh_key", "verify", "verify_receipt", "witness_key",
]  # fmt: skip
