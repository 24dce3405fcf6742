"""The append-only log of envelopes in this workspace, its tree, and the chain of this device.

Owns the tables `entry`, `tile`, `checkpoint`, `cosignature`, `void_entry`, as a witness of other
logs `cosigner`, `witnessed` and `refused`, and of the central log `central`, `mirror`,
`mirror_tile`, `rejected`, `held` and `halt`. Order is never by a clock: `seq` and `prev` are inside
what is signed, so an edited, dropped or reordered entry shows even to somebody who has only the
envelopes. What was cut off at the end shows against a checkpoint that somebody else has seen.
"""

from passmuster.central import Fed
from passmuster.tlog._check import Chains, check, lacking
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
    rebuild,
    receipt,
    request,
)
from passmuster.tlog._entries import (
    Entry,
    append,
    enrol,
    enrol_at,
    enrolment,
    enrolments,
    entries,
    find,
    known_keys,
    next_link,
)
from passmuster.tlog._keys import forms as key_forms
from passmuster.tlog._looking import CALLED, ROW, Found, LogRow, look_up, rank, rows
from passmuster.tlog._mirror import (
    Central,
    Contradiction,
    Halted,
    Mirrored,
    central,
    central_index,
    central_index_of,
    central_receipt,
    central_tiles,
    cover,
    first_hidden,
    follow,
    halt,
    halts,
    leaf_at,
    opened,
    pin,
    pinned,
    resume,
    root_of,
    settle,
    show,
    stage,
    staged,
    unstage,
    verified,
    void,
    waiting,
)
from passmuster.tlog._outbox import (
    Outgoing,
    Rejected,
    drop_held,
    has,
    held,
    offer_again,
    outbox,
    reject,
    rejected,
    roster_to_send,
    unsent,
    waits,
)
from passmuster.tlog._rosters import Taken, append_roster, enact, take_rosters
from passmuster.tlog._taking import take
from passmuster.tlog._tree import MAX_LEAF, consistency, root, size
from passmuster.tlog._voids import voids
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
    "CALLED", "MAX_LEAF", "ROW", "Answer", "Central", "Chains", "Contradiction", "Cosignature",
    "Entry", "Fed", "Found", "Halted", "Kept", "LogRow", "Mirrored", "Outgoing", "Refused",
    "Rejected", "Seen", "Taken", "Witnessed", "append", "append_roster", "central", "central_index",
    "central_index_of", "central_receipt", "central_tiles", "check", "check_file", "checkpoint",
    "checkpoints", "consistency", "cosign", "cosigned", "cosigner", "cover", "drop_held", "enact",
    "enrol", "enrol_at", "enrolment", "enrolments", "entries", "find", "first_hidden", "follow",
    "halt", "halts", "has", "held", "judge", "key_forms", "known_keys", "known_log", "lacking",
    "leaf_at", "log_keys", "look_up", "next_link", "offer_again", "opened", "origin", "outbox",
    "pin", "pinned", "proven_time", "rank", "rebuild", "receipt", "refused", "reject", "rejected",
    "request", "resume", "root", "root_of", "roster_to_send", "rows", "settle", "show", "size",
    "stage", "staged", "take", "take_rosters", "unsent", "unstage", "verified", "void", "voids",
    "waiting", "waits", "witnessed",
]  # fmt: skip
