"""The central server, as ratios: `python -m tests.bench.server 20000`.

CPU seconds of whoever does the work, PostgreSQL itself among them. The floor of the HTTP ingest is
the same work without HTTP: the same functions, in this process, over a database of their own. The
floor of PostgreSQL is COPY of the same rows into the same table, by itself, in COPY's own form as
it is without options; beside it in its binary form, which the server uses: a floor that nothing
which does more can reach. Floors and insert take turns, on databases of their own, and the median
counts. Records are sign-offs with both forms of signature; 1,000 a request.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from passmuster import attestations
from passmuster.server import Central, _sequencer
from passmuster.server._accept import COLUMNS, Job, prepare
from passmuster.server._store import connect
from tests.server.postgres import Cluster, started
from tests.server.running import Process, opened, settle, talking
from tests.server.town import REV, Town

BATCH = 1_000
ROUNDS = 5
TYPES = ("int8", "bytea", *["text"] * 5, "int8", "text", "bytea", "text")
"""Of `COLUMNS`."""
Found = dict[str, list[tuple[float, float]]]
"""What → for each round seconds by the clock, and of CPU."""


def made(count: int) -> tuple[Town, list[bytes], list[bytes]]:
    """A town, what is in its log before, and *count* sign-offs for it."""
    town = Town()
    before = [town.roster(), *town.campaign()]
    return town, before, town.decisions(REV, attestations.unchecked(before[1]).name, count)


def batches(lines: list[bytes]) -> Iterator[list[bytes]]:
    for at in range(0, len(lines), BATCH):
        yield lines[at : at + BATCH]


def cpu_of(pid: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def in_process(here: Central, lines: list[bytes]) -> None:
    with here.store.reading() as tx:
        keys = _sequencer.rosters(tx, here)[-1].keys
    for batch in batches(lines):
        results, _ = _sequencer.append(here, [Job([prepare(line, keys) for line in batch])])
        assert {r.status for r in results[0]} == {"accepted"}


def with_children(pid: int) -> float:
    """CPU seconds of a process and all that it has started, those that have ended too."""
    total = 0.0
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        parents[int(path.parent.name)] = int(fields[1]), sum(map(int, fields[11:15]))
    for one, (parent, ticks) in parents.items():
        if pid in (one, parent):
            total += ticks / os.sysconf("SC_CLK_TCK")
    return total


@contextmanager
def timed(
    found: Found, name: str, pid: int | None = None, cluster: Cluster | None = None,
) -> Iterator[None]:  # fmt: skip
    """Note seconds by the clock and of CPU; with *cluster* PostgreSQL's own too."""

    def now() -> float:
        return cpu_of(pid or os.getpid()) + (with_children(cluster.pid) if cluster else 0.0)

    wall, cpu = time.perf_counter(), now()
    yield
    found.setdefault(name, []).append((time.perf_counter() - wall, now() - cpu))


def begin(folder: Path, town: Town, before: list[bytes], **more: Any) -> Central:
    here = opened(folder, **more)
    settle(here, town, before)
    return here


def rows_of(here: Central) -> list[tuple[Any, ...]]:
    with here.store.reading() as tx:
        return tx.execute(f"SELECT {COLUMNS} FROM record ORDER BY idx")


def copied(
    cluster: Cluster, rows: list[tuple[Any, ...]], found: Found, *, binary: bool = False
) -> None:
    """The floor: the rows into the same table, in transactions of as many rows."""
    import psycopg

    url = cluster.database()
    connect(url).close()
    text = f"COPY record ({COLUMNS}) FROM STDIN{' (FORMAT binary)' * binary}".encode()
    with (
        psycopg.connect(url, autocommit=True) as db,
        timed(found, "postgres binary copy" if binary else "postgres copy", cluster=cluster),
    ):
        for at in range(0, len(rows), BATCH):
            with db.transaction(), db.cursor() as cursor, cursor.copy(text) as copy:
                if binary:
                    copy.set_types(TYPES)
                for row in rows[at : at + BATCH]:
                    copy.write_row(row)


def inserted(cluster: Cluster, here: Central, rows: list[tuple[Any, ...]], found: Found) -> None:
    """The server's own transaction without signatures: head, look, rows, tree, anchor."""
    from passmuster.server._accept import Accepting, Candidate

    lines = [bytes(row[9]) for row in rows[3:]]
    read = [prepare(line, {}) for line in lines]
    assert all(isinstance(c, Candidate) and c.record is not None for c in read)
    with timed(found, "postgres insert", cluster=cluster):
        for at in range(0, len(read), BATCH):
            part = read[at : at + BATCH]
            with here.store.transaction() as tx:
                from passmuster.server import _log

                accepting = Accepting(tx, _log.head(tx, lock=True), [], here.clock())
                accepting.look(part)
                for candidate in part:
                    assert candidate.record is not None
                    accepting._add(candidate, candidate.record, None)
                head = accepting.write()
            here.anchor.raise_to(here.store, head)


def main(count: int) -> None:
    town, before, lines = made(count)
    found: Found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        one = begin(folder / "one", town, before)
        with timed(found, "in process"):
            in_process(one, lines)
        rows = rows_of(one)
        one.close()
        begin(folder / "two", town, before).close()
        process = Process(folder / "two")
        with talking(process.url, town, REV) as rev:
            rev.feed()
            with timed(found, "http", process.process.pid):
                for batch in batches(lines):
                    rev.send(batch)
        process.end()
        with started() as cluster:
            for n in range(ROUNDS):
                copied(cluster, rows, found)
                here = begin(folder / f"three{n}", town, before, database=cluster.database())
                inserted(cluster, here, rows, found)
                here.close()
                copied(cluster, rows, found, binary=True)
    middle = {
        what: tuple(map(statistics.median, zip(*rounds, strict=True)))
        for what, rounds in found.items()
    }
    for what, (wall, cpu) in middle.items():
        print(f"{what}: {count / cpu:,.0f} records/s of CPU, {count / wall:,.0f}/s", flush=True)
    for over, under, goal in (
        ("in process", "http", "goal 0.7"),
        ("postgres copy", "postgres insert", "goal 0.6"),
        ("postgres binary copy", "postgres insert", "no goal"),
    ):
        by_cpu, by_wall = (middle[over][n] / middle[under][n] for n in (1, 0))
        print(f"{under} against {over}: {by_cpu:.2f} by CPU, {by_wall:.2f} by clock ({goal})")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
