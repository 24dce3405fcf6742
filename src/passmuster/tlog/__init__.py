"""The append-only log of envelopes in this workspace, and the chain of this device.

Owns the table `entry`. Order is never by a clock: `seq` and `prev` are inside what is signed,
so an edited, dropped or reordered entry shows even to somebody who has only the envelopes.
"""

from passmuster.tlog._check import check
from passmuster.tlog._entries import Entry, append, enrol, entries, known_keys, next_link
from passmuster.tlog._looking import CALLED, ROW, Found, LogRow, look_up, rank, rows

__all__ = [
    "CALLED", "ROW", "Entry", "Found", "LogRow", "append", "check", "enrol", "entries",
    "known_keys", "look_up", "next_link", "rank", "rows",
]  # fmt: skip
