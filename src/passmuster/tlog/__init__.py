"""The append-only log of envelopes in this workspace, its tree, and the chain of this device.

Owns the tables `entry`, `tile`, `checkpoint`, `cosignature`, and as a witness of other logs
`cosigner`, `witnessed` and `refused`. Order is never by a clock: `seq` and `prev` are inside what
is signed, so an edited, dropped or reordered entry shows even to somebody who has only the
envelopes. What was cut off at the end shows against a checkpoint that somebody else has seen.
"""

from passmuster.tlog._check import Chains, check
from passmuster.tlog._checkpoints import (
    Cosignature,
    Kept,
    check_file,
    checkpoint,
    checkpoints,
    cosigned,
    log_keys,
    origin,
    proven_time,
    receipt,
    request,
)
from passmuster.tlog._entries import (
    Entry,
    append,
    enrol,
    enrolment,
    enrolments,
    entries,
    find,
    known_keys,
    next_link,
)
from passmuster.tlog._keys import forms as key_forms
from passmuster.tlog._looking import CALLED, ROW, Found, LogRow, look_up, rank, rows
from passmuster.tlog._rosters import Taken, append_roster, take_rosters
from passmuster.tlog._taking import take
from passmuster.tlog._tree import MAX_LEAF, consistency, rebuild, root, size
from passmuster.tlog._witness import Answer, Seen, judge
from passmuster.tlog._witnessing import (
    Refused,
    Witnessed,
    cosign,
    cosigner,
    known_log,
    refused,
    witnessed,
)

__all__ = [
    "CALLED", "MAX_LEAF", "ROW", "Answer", "Chains", "Cosignature", "Entry", "Found", "Kept",
    "LogRow", "Refused", "Seen", "Taken", "Witnessed", "append", "append_roster", "check",
    "check_file", "checkpoint", "checkpoints", "consistency", "cosign", "cosigned", "cosigner",
    "enrol", "enrolment", "enrolments", "entries", "find", "judge", "key_forms", "known_keys",
    "known_log", "log_keys", "look_up", "next_link", "origin", "proven_time", "rank", "rebuild",
    "receipt", "refused", "request", "root", "rows", "size", "take", "take_rosters", "witnessed",
]  # fmt: skip
