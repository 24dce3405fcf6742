"""Many clients, servers that are killed, and a checker that knows every acknowledged record.

`python -m tests.bench.hammer postgres 60` has two replicas over a real PostgreSQL, and kills any of
the three; `sqlite` has one server. `MUSTER_SEED` repeats the choices of a run, as far as threads
and processes let it. Beside clients that only send there are workspaces that sync, in processes
that are killed as well.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from passmuster import attestations, blobs, store, tlog
from passmuster.note import VerifierKey
from passmuster.server import _log
from tests.bench.desk import STOP, now
from tests.bench.known import Known, Seen
from tests.bench.senders import HEAL_S, Field, Replica, Sender
from tests.conftest import REPOSITORY
from tests.server.postgres import Cluster, started
from tests.server.running import opened, settle, talking
from tests.server.town import BOSS, OTHER, REV, Town, leaf

DESK_SEED = 3
"""Of the key of OTHER in the town."""


# --- desks: the real sync in processes of its own


@dataclass
class Desk:
    """A workspace with a process that signs and syncs."""

    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = [sys.executable, "-m", "tests.bench.desk", str(self.folder), OTHER, str(DESK_SEED)]
        with self.folder.with_suffix(".log").open("ab") as errors:
            self.process = subprocess.Popen(words, cwd=REPOSITORY, stderr=errors,
                                            env=os.environ.copy())  # fmt: skip

    def end(self) -> int:
        """Kill it, or what it said when it ended by itself."""
        assert self.process is not None
        self.process.kill()
        return self.process.wait(30)

    def failed(self) -> str:
        """How it ended by itself; empty while it runs."""
        assert self.process is not None
        if self.process.poll() in (None, -signal.SIGKILL, 0):
            return ""
        return self.folder.with_suffix(".log").read_text()[-2_000:]


def desk(field_: Field, n: int, first: bytes) -> Desk:
    """A workspace that is on the roster."""
    made = Desk(field_.folder / f"desk{n}")
    signer = field_.town.keys[OTHER]
    db = store.create(made.folder)
    tlog.enrol(db, signer, now())
    key = field_.known.key
    tlog.pin(db, field_.replicas[0].url, key.name, str(key), now())
    about = attestations.unchecked(first)
    with db.atomic():
        blobs.put(db, field_.town.blobs[about.subject[0][1]])
        tlog.take(db, first, None, now(), about.name)
    db.close()
    return made


def settled(field_: Field, one: Desk, size: int) -> None:
    """After the last sync: everything of this desk is in the log, and it has the whole log."""
    db = store.open_(one.folder)
    at, known = tlog.pinned(db), field_.known
    if at.halted is not None or at.size != size or tlog.unsent(db) or tlog.rejected(db):
        known.blame(f"{one.folder.name}: {at.halted}, {at.size} of {size}, {tlog.unsent(db)} wait")
    if db.value("PRAGMA integrity_check") != "ok":
        known.blame(f"{one.folder.name}: its database is damaged")
    if at.note is not None:
        known.see(at.note)
    tlog.check(db)
    db.close()


def sign_of(field_: Field, one: Desk) -> None:
    """Tell the checker what a desk has signed."""
    db = store.open_(one.folder)
    for entry in tlog.entries(db):
        said = attestations.unchecked(entry.envelope).predicate
        field_.known.make(leaf(entry.envelope), said["device"], said["seq"])
    db.close()


# --- faults


class Killer:
    """Breaks one thing at a time, and mends it."""

    def __init__(self, field_: Field, desks: list[Desk], seed: int) -> None:
        self.field, self.desks, self.draw = field_, desks, random.Random(seed)

    def run(self, until: float) -> None:
        kinds = ["kill", "kill", "stop", "freeze"]
        if self.field.cluster is not None:
            kinds += ["postgresql", "postgresql", "all"]
        while time.monotonic() < until and not self.field.known.wrong:
            time.sleep(self.draw.uniform(0.3, 2.0))
            kind = self.draw.choice(kinds)
            self.field.faults[kind] += 1
            try:
                self.strike(kind)
            except AssertionError as error:  # it says itself that it was set back
                self.field.known.blame(str(error))
            if self.desks and self.draw.random() < 0.5:
                self.field.faults["kill a desk"] += 1
                one = self.draw.choice(self.desks)
                if why := one.failed():
                    self.field.known.blame(why)
                one.end()
                one.start()

    def strike(self, kind: str) -> None:
        one = self.draw.choice(self.field.replicas)
        if kind == "freeze":  # as it may be with the head locked
            assert one.process is not None
            one.process.process.send_signal(signal.SIGSTOP)
            time.sleep(self.draw.uniform(0.1, 1.0))
            one.process.process.send_signal(signal.SIGCONT)
            return
        down = {"all": self.field.replicas, "postgresql": []}.get(kind, [one])
        if kind in ("all", "postgresql"):
            assert self.field.cluster is not None
            self.field.cluster.kill()
        for replica in down:
            replica.end(signal.SIGTERM if kind == "stop" else signal.SIGKILL)
        time.sleep(self.draw.uniform(0, 0.5))
        if kind in ("all", "postgresql"):
            assert self.field.cluster is not None
            self.field.cluster.start()
        for replica in down:
            end = time.monotonic() + HEAL_S
            while not replica.start():
                assert time.monotonic() < end, replica.folder.with_suffix(".log").read_text()


# --- the run


def whole(field_: Field, replica: Replica) -> tuple[list[Seen], str]:
    """The log as a replica tells it."""
    with talking(replica.url, field_.town, BOSS) as boss:
        found: list[Seen] = []
        while True:
            rows, signed = boss.feed(len(found))
            found += [
                Seen(row["index"], row["leaf"], row["line"] and row["line"].encode())
                for row in rows
            ]  # fmt: skip
            if not rows:
                return found, signed


@contextlib.contextmanager
def prepared(folder: Path, cluster: Cluster | None) -> Iterator[tuple[Field, bytes]]:
    """A log with a roster and a campaign, and the servers that serve it."""
    town = Town()
    first = town.roster()
    lines = [first, *town.campaign((REV, BOSS))]
    url = cluster.database() if cluster is not None else None
    here = opened(folder / "one", database=url)
    for result in settle(here, town, lines):
        assert result.status == "accepted", result
    key: VerifierKey = here.key.verifier
    here.close()
    words: tuple[str, ...] = ()
    replicas = []
    if url is not None:
        words = ("--database", url, "--anchor", str(folder / "anchor.db"))
        (folder / "two").mkdir(mode=0o700)
        shutil.copy2(folder / "one" / _log.KEY_FILE, folder / "two" / _log.KEY_FILE)
        replicas.append(Replica(folder / "two", words))
    replicas.append(Replica(folder / "one", words))
    campaign = attestations.unchecked(lines[1]).name
    made = Field(town, Known(key), campaign, replicas, cluster, folder, len(lines))
    try:
        for replica in replicas:
            assert replica.start(), replica.folder.with_suffix(".log").read_text()
        yield made, first
    finally:
        for replica in replicas:
            replica.end()


def hammer(
    folder: Path, cluster: Cluster | None, seconds: float, senders: int, desks: int, seed: int
) -> Field:
    """Hammer for *seconds*, heal, and judge; what was wrong stands in the checker."""
    with prepared(folder, cluster) as (made, first):
        (folder / "servers").write_text(" ".join(r.url for r in made.replicas))
        there = [desk(made, n, first) for n in range(desks)]
        for one in there:
            one.start()
        threads = [
            threading.Thread(target=Sender(made, n, seed + n).run) for n in range(senders)
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        try:
            Killer(made, there, seed).run(time.monotonic() + seconds)
        finally:
            made.stop.set()
            (folder / STOP).touch()
            for thread in threads:
                thread.join(4 * HEAL_S)
            for one in there:
                assert one.process is not None
                with contextlib.suppress(subprocess.TimeoutExpired):
                    one.process.wait(HEAL_S)
                if why := one.failed():
                    made.known.blame(why)
                one.end()
        if not made.known.wrong:
            _judge(made, there)
    return made


def _judge(made: Field, desks: list[Desk]) -> None:
    from tests.bench.desk import once
    from tests.scene import key

    for _ in range(2):  # the second time each desk has what the others sent the first time
        for one in desks:
            db = store.open_(one.folder)
            once(db, key(OTHER, DESK_SEED), made.replicas[-1].url)
            db.close()
    for one in desks:
        sign_of(made, one)
    told = [whole(made, replica) for replica in made.replicas]
    if any(one != told[0] for one in told):
        made.known.blame("the replicas tell different logs")
    entries, signed = told[0]
    made.known.judge(entries, signed, made.before)
    for one in desks:
        settled(made, one, len(entries))
    if missing := made.known.made.keys() - {e.leaf for e in entries}:
        made.known.blame(f"{len(missing)} records were made and are not in the log")


def main(database: str, seconds: float) -> int:
    seed = int(os.environ.get("MUSTER_SEED", random.SystemRandom().randrange(2**32)))
    print(f"seed {seed}", flush=True)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="hammer")))
        cluster = stack.enter_context(started()) if database == "postgres" else None
        found = hammer(folder, cluster, seconds, 6, 2, seed)
    print(f"{database}: {found.known.words}; {json.dumps(found.faults)}")
    for why in found.known.wrong[:20]:
        print(f"WRONG {why}")
    print("nothing lost, doubled, moved or reordered" if not found.known.wrong else "BROKEN")
    return 1 if found.known.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]) if len(sys.argv) > 2 else 60.0))
