"""Group commit: the records of many requests go into the log in one transaction.

While one transaction is on its way to the disk the next requests gather, so a lone writer waits for
nobody and many writers share a sync. A request is answered once its records are committed and the
anchor has the new size; a request that fails fails alone.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence

from starlette.concurrency import run_in_threadpool

from passmuster import attestations, roster
from passmuster.central import LIMITS, Result
from passmuster.roster import Roster
from passmuster.server import _blobs, _log
from passmuster.server._accept import Accepting, Job, prepare
from passmuster.server._anchor import Ahead
from passmuster.server._central import Central
from passmuster.server._http import Problem
from passmuster.server._log import Head
from passmuster.server._store import Tx

MOST_WAITING = 20 * LIMITS.records
"""Records that may wait for the log before a request is sent away."""

Done = tuple[list[Result], Head]


class Sequencer:
    """What appends; one for each replica, one transaction at a time."""

    def __init__(self, here: Central) -> None:
        self._here = here
        self._waiting: deque[tuple[Job, asyncio.Future[Done]]] = deque()
        self._wake = asyncio.Event()

    async def submit(
        self, lines: Sequence[bytes], *, invited: bool = False,
        also: Callable[[Tx, list[Result]], None] | None = None,
    ) -> Done:  # fmt: skip
        """What became of each of *lines*, and the head with them in it.

        With *invited* an enrolment of an unlisted key may be among them, and a first roster. *also*
        runs in the same transaction after the records were judged; what it raises undoes them.
        """
        if sum(len(job.candidates) for job, _ in self._waiting) + len(lines) > MOST_WAITING:
            raise Problem("busy", f"{len(self._waiting)} requests wait for the log")
        job = await run_in_threadpool(self._prepared, list(lines), invited)
        job.also = also
        future: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
        self._waiting.append((job, future))
        self._wake.set()
        return await future

    def _prepared(self, lines: list[bytes], invited: bool) -> Job:
        with self._here.store.reading() as tx:
            known = rosters(tx, self._here)
        keys = known[-1].keys if known else {}
        return Job([prepare(line, keys) for line in lines], invited)

    async def run(self) -> None:
        """Append for ever; what still waits when this is cancelled is told to come back."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._waiting:
                    await self._append(self._next())
        finally:
            for _, future in self._waiting:
                if not future.done():
                    future.set_exception(Problem("unavailable", "the server is stopping"))

    def _next(self) -> list[tuple[Job, "asyncio.Future[Done]"]]:
        """The requests of the next transaction: 1,000 records, or one that has its own wishes."""
        taken = [self._waiting.popleft()]
        count = len(taken[0][0].candidates)
        while self._waiting and taken[0][0].also is None:
            job = self._waiting[0][0]
            if job.also is not None or count + len(job.candidates) > LIMITS.records:
                break
            count += len(job.candidates)
            taken.append(self._waiting.popleft())
        return taken

    async def _append(self, taken: list[tuple[Job, "asyncio.Future[Done]"]]) -> None:
        began = time.perf_counter()
        try:
            results, head = await run_in_threadpool(append, self._here, [job for job, _ in taken])
        except Exception as error:  # noqa: BLE001 - it is the answer to the requests
            if len(taken) > 1 and not isinstance(error, Ahead | Problem):
                for one in taken:  # whose fault it was is not known: each for itself
                    await self._append([one])
                return
            for _, future in taken:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), of_job in zip(taken, results, strict=True):
            if not future.done():
                future.set_result((of_job, head))
        metrics = self._here.metrics
        metrics.add("muster_commits_total")
        metrics.add("muster_commit_seconds_total", time.perf_counter() - began)
        for result in (r for of_job in results for r in of_job):
            metrics.add("muster_records_total", status=result.status, code=result.code or "")
        await self._here.tell_grown(head.size)


def append(here: Central, jobs: list[Job]) -> tuple[list[list[Result]], Head]:
    """Append the records of *jobs* in one transaction; what became of them, and the new head.

    Returns once they are committed and the anchor has the head.
    """
    with here.store.transaction() as tx:
        head = _log.head(tx, lock=True)
        if head.stopped is not None:
            raise Problem("log-rollback", head.stopped)
        if head.verifier != str(here.key.verifier):
            raise Problem("unavailable", "the log was recovered under a new key: start again")
        accepting = Accepting(tx, head, list(rosters(tx, here)), here.clock())
        accepting.look(c for job in jobs for c in job.candidates)
        results = []
        for job in jobs:
            results.append(accepting.take(job))
            if job.also is not None:
                job.also(tx, results[-1])
        after = accepting.write()
    here.anchored(after)
    return results, after


def rosters(tx: Tx, here: Central) -> tuple[Roster, ...]:
    """Every roster in the log, the first one first; read once each."""
    newest = tx.value("SELECT leaf FROM record WHERE kind = 'roster' ORDER BY idx DESC LIMIT 1")
    newest = None if newest is None else bytes(newest)
    known, found = here.rosters_known
    if newest != known:
        found = tuple(
            _read(tx, bytes(row[0]))
            for row in tx.execute("SELECT line FROM record WHERE kind = 'roster' ORDER BY idx")
        )
        here.rosters_known = newest, found
    return found


def _read(tx: Tx, line: bytes) -> Roster:
    statement = attestations.unchecked(line)
    return roster.read(statement, _blobs.data_of(tx, statement.subject[0][1], roster.MAX_BYTES))
