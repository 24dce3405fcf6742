"""The anchor: on other storage, the newest checkpoint that may have left the server.

It moves by compare-and-swap and before anything that names a new size is answered. So a database
that was set back, two that believe to be the one, and a disk that lost what it had promised are
seen by the server itself: the anchor is ahead, or says another root. Then nothing more is signed.
After Sunlight's lock database.
"""

import threading
from pathlib import Path

from passmuster import merkle
from passmuster.errors import VerificationFailed
from passmuster.server import _log
from passmuster.server._log import Head
from passmuster.server._store import Store, connect

WHAT_TO_DO = "stop the server and see `muster serve recover --help`"


class Ahead(VerificationFailed):
    """The anchor has seen more of this log, or another one, than the database holds."""


class Anchor:
    """The anchor, and what is known of it without asking."""

    def __init__(self, where: str | Path) -> None:
        self.store = connect(where, "anchor")
        self._known: tuple[int, str] | None = None
        self._lock = threading.Lock()

    def raise_to(self, store: Store, head: Head) -> None:
        """Let the anchor say at least *head*, of the log in *store*; Ahead when it contradicts."""
        want = head.size, head.root.hex()
        with self._lock:
            while self._known is None or self._known[0] < head.size:
                with self.store.reading() as tx:
                    row = tx.one("SELECT size, root FROM anchor WHERE origin = ?", (head.origin,))
                there = (0, merkle.EMPTY_ROOT) if row is None else (int(row[0]), str(row[1]))
                self._check(store, there)
                if there[0] >= head.size or self._swap(head.origin, row is None, there, want):
                    self._known = max(there, want)
            if self._known[0] > head.size:  # others were faster, or the database was set back
                self._check(store, self._known)
            elif self._known != want:
                raise Ahead(f"the anchor has another root for {head.size} records: {WHAT_TO_DO}")

    def _check(self, store: Store, there: tuple[int, str]) -> None:
        size, root = there
        with store.reading() as tx:
            now = _log.head(tx)
            if now.size < size:
                raise Ahead(
                    f"the anchor has seen {size} records and the database has {now.size}: it was "
                    f"set back; {WHAT_TO_DO}"
                )
            if _log.root_at(tx, size).hex() != root:
                raise Ahead(
                    f"the first {size} records are not those that the anchor has seen; {WHAT_TO_DO}"
                )

    def _swap(
        self, origin: str, is_new: bool, there: tuple[int, str], want: tuple[int, str]
    ) -> bool:
        """Compare and swap; False where another replica was first."""
        with self.store.transaction() as tx:
            if is_new:
                return tx.change("INSERT INTO anchor (origin, size, root) VALUES (?, ?, ?)"
                                 " ON CONFLICT DO NOTHING", (origin, *want)) == 1  # fmt: skip
            return tx.change(
                "UPDATE anchor SET size = ?, root = ? WHERE origin = ? AND size = ? AND root = ?",
                (*want, origin, *there),
            ) == 1  # fmt: skip

    def close(self) -> None:
        """Close it."""
        self.store.close()
