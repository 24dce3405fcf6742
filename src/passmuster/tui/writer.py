"""One thread that writes a reviewer's drafts, in order, each durable before the next begins.

The screen never waits for it: an act is shown at once, and `Written` says when the disk has it or
why it has not. What is in the queue when the program is killed was never shown as kept.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue

from passmuster import store
from passmuster.errors import MusterError
from passmuster.store import Database

SLOW_S = 0.1
"""A row that is not on the disk after so long says so, in seconds."""


@dataclass(frozen=True, slots=True)
class Job:
    """One act to be written: all of it or nothing."""

    ids: Sequence[int]
    """The items that it concerns."""
    write: Callable[[Database], None]
    queued_at: float = field(default_factory=time.monotonic)


class Writer:
    """The writer thread; *report* is called in it with each job and its error, if any."""

    def __init__(self, folder: Path, report: Callable[[Job, MusterError | None], None]) -> None:
        self._folder, self._report = folder, report
        self._jobs: SimpleQueue[Job | threading.Event | None] = SimpleQueue()
        self._pending: dict[int, list[Job]] = {}
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="muster-writer", daemon=True)

    def start(self) -> None:
        """Begin writing; opens the thread's own connection."""
        self._thread.start()

    def put(self, job: Job) -> None:
        """Write *job* after all that were put before it."""
        with self._lock:
            for item_id in job.ids:
                self._pending.setdefault(item_id, []).append(job)
        self._jobs.put(job)

    def pending(self, item_id: int) -> bool:
        """Whether something about the item is not on the disk yet."""
        return item_id in self._pending

    def slow(self, item_id: int) -> bool:
        """Whether the item has been waiting for the disk longer than `SLOW_S`."""
        with self._lock:
            jobs = self._pending.get(item_id)
            return jobs is not None and time.monotonic() - jobs[0].queued_at > SLOW_S

    @property
    def idle(self) -> bool:
        """Whether everything that was put is on the disk or has failed."""
        return not self._pending

    def flush(self, timeout_s: float = 60.0) -> bool:
        """Wait until everything that was put is written; whether it was, in time."""
        if not self._thread.is_alive():
            return self.idle
        done = threading.Event()
        self._jobs.put(done)
        return done.wait(timeout_s)

    def stop(self) -> None:
        """Write what is queued, then end the thread."""
        if self._thread.is_alive():
            self._jobs.put(None)
            self._thread.join(60.0)

    def _run(self) -> None:
        db = store.open_(self._folder)
        try:
            while (job := self._jobs.get()) is not None:
                if isinstance(job, threading.Event):
                    job.set()
                else:
                    self._do(db, job)
        finally:
            db.close()

    def _do(self, db: Database, job: Job) -> None:
        error: MusterError | None = None
        try:
            with db.atomic():
                job.write(db)
        except MusterError as failed:
            error = failed
        except store.SqliteError as failed:
            why = store.refusal(failed) or f"the disk refused it: {failed}"
            error = MusterError(f"{why}; nothing was changed")
        with self._lock:
            for item_id in job.ids:
                waiting = self._pending[item_id]
                waiting.remove(job)
                if not waiting:
                    del self._pending[item_id]
        self._report(job, error)
