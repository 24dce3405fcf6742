"""Connections to a database that several threads use, one at a time each.

Whoever closes the pool may come before a thread is through with its connection: such a one is
closed when it is given back, never lost.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

CLOSE_S = 10.0
"""How long a connection that is in use is waited for before it is closed."""
MAX_CONNECTIONS = 12
"""Of one replica to PostgreSQL, and readers of SQLite."""


class _Closes(Protocol):
    def close(self) -> None: ...


_Connection = TypeVar("_Connection", bound=_Closes)


class Pool(Generic[_Connection]):
    """Connections that nobody uses just now, and how many may be in use at once."""

    def __init__(self) -> None:
        self._idle: list[_Connection] = []
        self._lock = threading.Lock()
        self._few = threading.Semaphore(MAX_CONNECTIONS)
        self._over = False

    @contextmanager
    def place(self) -> Iterator[None]:
        """Wait until one more connection may be used."""
        with self._few:
            yield

    def take(self) -> _Connection | None:
        """One that is idle."""
        with self._lock:
            return self._idle.pop() if self._idle else None

    def give(self, db: _Connection) -> None:
        """Keep it for the next; once the pool is over, nobody would close it but this."""
        with self._lock:
            if not self._over:
                return self._idle.append(db)
        return db.close()

    def close(self) -> None:
        """Close each; a thread of a task that was called off may still be at work in here."""
        for _ in range(MAX_CONNECTIONS):
            self._few.acquire(timeout=CLOSE_S)
        with self._lock:
            self._over = True
        while db := self.take():
            db.close()
