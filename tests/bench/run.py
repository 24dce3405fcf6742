"""Ratios to floors measured in the same run: `python -m tests.bench.run 100000 [NAME…]`.

CPU time of this process (and its children), since wall time on a shared machine means nothing.
A floor is the least that the same result could cost: it is written here, beside what it judges,
and never tuned.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from passmuster import (
    campaigns,
    config,
    connectors,
    filters,
    inventory,
    keys,
    merkle,
    policy,
    store,
    tlog,
)
from passmuster.errors import VerificationFailed
from passmuster.store import Database
from passmuster.text import canonical, sha256
from tests.bench import estate

NOW, ME = "2026-11-23T08:00:00Z", "rev@example.com"


def cpu(work: Callable[[], Any]) -> float:
    """CPU seconds of *work* and the processes that it starts."""

    def used() -> float:
        own, kids = (resource.getrusage(who) for who in
                     (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))  # fmt: skip
        return own.ru_utime + own.ru_stime + kids.ru_utime + kids.ru_stime

    before = used()
    work()
    return used() - before


def tell(name: str, ours: float, floor: float, *, note: str = "") -> None:
    """One line of the table: seconds of CPU, of the floor, and floor ÷ ours (1 is the floor)."""
    print(f"| {name} | {ours:.2f} s | {floor:.2f} s | {floor / ours:.2f} | {note} |", flush=True)


def import_seconds(folder: Path, files: list[Path], db: Database) -> tuple[float, float]:
    """Import *files* into *db*: our seconds, and those of the least that it could be.

    The floor is the same parser drained plus `executemany` of the rows finally stored, into the
    same tables with the same indexes.
    """
    parse = write = ours = 0.0
    for path in files:
        fmt = connectors.recognise(path.open("rb").read(connectors.SNIFF_BYTES), path.name)
        parse += cpu(lambda p=path, f=fmt: _drain(p, f))  # type: ignore[misc]
        ours += cpu(lambda p=path: inventory.import_file(db, p, now=NOW, by=ME))  # type: ignore[misc]
    other = store.create(folder / "floor")
    for table in TABLES:
        rows = db.execute(f"SELECT * FROM {table}").fetchall()
        if rows:
            marks = ",".join("?" * len(rows[0]))
            write += cpu(lambda t=table, r=rows, m=marks: _write(other, t, r, m))  # type: ignore[misc]
        del rows
    other.close()
    return ours, parse + write


LINKS = 300
TABLES = (
    "source", "import_run", "identity", "credential", "entitlement", "grant", "trust", "owner",
    "usage", "seen",
)  # fmt: skip


def _drain(path: Path, fmt: connectors.Format) -> None:
    for _ in connectors.read(fmt, path.open("rb"), connectors.Context()):
        pass


def _write(db: Database, table: str, rows: list[Any], marks: str) -> None:
    with db.atomic(durable=False):
        db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)


def bench_import(folder: Path, files: list[Path], db: Database) -> None:
    """The first import of everything."""
    ours, floor = import_seconds(folder, files, db)
    tell("first import", ours, floor, note="parse + executemany of the stored rows")


def bench_again(folder: Path, files: list[Path], db: Database, count: int) -> None:
    """A monthly re-import: one in a hundred changed, two in a thousand gone."""
    newer = folder / "newer.csv"
    estate.credential_report(newer, count * 4 // 5, changed=0.01, missing=0.002)
    fresh = store.create(folder / "fresh")
    first = cpu(lambda: inventory.import_file(fresh, files[0], now=NOW, by=ME))
    again = cpu(lambda: inventory.import_file(fresh, newer, now="2026-12-23T08:00:00Z", by=ME))
    fresh.close()
    tell("re-import with diff", again, first, note="against the first import of the report")


def bench_rules(db: Database) -> None:
    """All rules against one scan of the identities joined with their credentials."""
    scan = cpu(lambda: db.execute(
        "SELECT sum(length(i.display_name) + length(i.uid) + (i.last_used_at > '2026')"
        " + (c.created_at > '2026')) FROM identity i LEFT JOIN credential c"
        " ON c.identity_id = i.id"
    ).fetchall())  # fmt: skip
    ours = cpu(lambda: policy.evaluate(db, config.Settings(), NOW))
    tell("all rules and the listing", ours, scan, note=f"one scan; {ours / scan:.0f} scans")


def bench_rule_queries(db: Database) -> None:
    """All rules when nothing has changed, against their queries alone: `count(*)` of each."""
    settings = config.Settings()

    def bare() -> None:
        for rule in policy.load_rules().values():
            values = rule.where_params(NOW, settings)
            db.execute(f"SELECT count(*) FROM (\n{rule.sql}\n)", values).fetchall()

    floor = cpu(bare)
    ours = cpu(lambda: policy.evaluate(db, settings, NOW))
    tell("all rules again", ours, floor, note="count(*) of each rule's query, nothing written")


def bench_chain(folder: Path) -> None:
    """Verifying the log's chain against hashing its bytes: Ed25519 of each link is nearly all."""
    db = store.create(folder / "chain")
    for _ in range(LINKS):
        tlog.enrol(db, keys.in_memory(ME), NOW)
    whole = [bytes(r[0]) for r in db.execute("SELECT envelope FROM entry")]
    ours = cpu(lambda: tlog.check(db))
    floor = cpu(lambda: [sha256(envelope) for envelope in whole])
    note = f"{LINKS / ours:,.0f} links a second, signatures too"
    tell("verify the chain", ours, floor, note=note)
    db.close()


def bench_batch(count: int) -> None:
    """Verifying the rows of one signed batch against hashing their bytes once each.

    Leaf hashes and the root, compared with the one that was signed: what a link costs when the
    signature, of which a batch has one, is left out.
    """
    rows = [canonical(_decision(n)) for n in range(count)]
    signed = merkle.root(rows)
    floor = cpu(lambda: [sha256(row) for row in rows])

    def verify() -> None:
        if merkle.root(rows) != signed:
            raise VerificationFailed("other rows than were signed")

    ours = cpu(verify)
    tell(
        "verify a batch's rows",
        ours,
        floor,
        note=f"{count:,} rows of {len(rows[0])} bytes; {count / ours:,.0f} a second, no signature",
    )


def _decision(number: int) -> dict[str, Any]:
    """A row as long as one that is signed."""
    return {
        "item": f"nhi:aws:111122223333/iam/user-{number:07d}", "dossier": f"{number:064x}",
        "material": f"{number:064x}", "verdict": "approve", "changes": [], "until": None,
        "reason": {"code": "1", "text": "in use, owner confirmed"}, "saw": [],
        "attention": {"shown": NOW, "decided": NOW, "details": False}, "bulk": None,
        "salt": f"{number:032x}", "stage": None, "capacity": "owner", "on_behalf_of": None,
        "relation_to_item": None, "actor_kind": "human", "recommendation": None,
        "carried_from": None, "exception": None,
    }  # fmt: skip


def bench_opening(db: Database) -> None:
    """Opening a campaign against encoding and hashing the same dossiers."""
    key = keys.in_memory(ME)
    tlog.enrol(db, key, NOW)
    wanted = campaigns.Definition("bench", "2027-01-31", ME)
    ours = cpu(lambda: campaigns.open_campaign(db, wanted, key, config.Settings(), NOW))
    at = campaigns.campaign(db, "bench")
    ids = campaigns.rank(db, at.id, None)[:5_000]
    sample = [campaigns.item_dossier(db, i) for i in ids]
    floor = cpu(lambda: [sha256(canonical(d)) for d in sample]) * at.population / len(sample)
    tell("open a campaign", ours, floor, note=f"{at.population:,} items; encode + SHA-256")


def bench_queue(db: Database) -> None:
    """The queue's first page against nothing: its time alone, which must not follow the size."""
    at = campaigns.campaign(db, "bench")
    first = cpu(lambda: db.execute(
        "SELECT id FROM item WHERE campaign_id = ? AND reviewer = ? AND state = 'open'"
        " ORDER BY risk DESC, id LIMIT 200", (at.id, ME)
    ).fetchall())  # fmt: skip
    whole = cpu(lambda: campaigns.rank(db, at.id, ME))
    tell("whole queue order", whole, whole, note=f"first page {first * 1000:.1f} ms")


def bench_start(folder: Path) -> None:
    """Commands as whole processes against bare Python, medians of nine."""
    bare = median(lambda: run(folder, "-c", "pass"))
    for name, words in {
        "muster --version": ("-m", "passmuster", "--version"),
        "muster queue --help": ("-m", "passmuster", "queue", "--help"),
        "muster identities --json, first 10": ("-c", FIRST_TEN),
    }.items():
        ours = median(lambda w=words: run(folder, *w))  # type: ignore[misc]
        print(f"| {name} | {ours * 1000:.0f} ms | {bare * 1000:.0f} ms | {bare / ours:.2f} |"
              f" {ours / bare:.1f} × bare Python |", flush=True)  # fmt: skip


FIRST_TEN = """
import os, sys, subprocess
p = subprocess.Popen([sys.executable, '-m', 'passmuster', 'identities', '--json'],
                     stdout=subprocess.PIPE)
for _ in range(10): p.stdout.readline()
p.stdout.close(); p.wait()
"""


def run(folder: Path, *words: str) -> None:
    subprocess.run(
        [sys.executable, *words], env={**os.environ, "MUSTER_WORKSPACE": str(folder / "ours")},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True,
    )  # fmt: skip


def median(work: Callable[[], None]) -> float:
    return sorted(cpu(work) for _ in range(9))[4]


def main(count: int) -> None:
    print(f"{count:,} identities, SQLite {store.SQLITE_VERSION}, "
          f"Python {sys.version.split()[0]}, {time.strftime('%Y-%m-%d')}")  # fmt: skip
    print("\n| what | ours (CPU) | floor (CPU) | floor ÷ ours | |\n| --- | --- | --- | --- | --- |")
    with tempfile.TemporaryDirectory(prefix="muster-bench-") as name:
        folder = Path(name)
        files = estate.make(folder, count)
        db = store.create(folder / "ours")
        bench_import(folder, files, db)
        bench_again(folder, files, db, count)
        bench_rules(db)
        bench_rule_queries(db)
        bench_chain(folder)
        bench_batch(min(count, 1_000_000))
        bench_start(folder)
        bench_opening(db)
        bench_queue(db)
        matched = len(db.execute(
            f"SELECT 1 {filters.FRAME} WHERE {filters.compile_filter('unused:>90d', NOW).sql}",
            filters.compile_filter("unused:>90d", NOW).params,
        ).fetchall())  # fmt: skip
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = (folder / "ours" / store.FILE).stat().st_size / 2**20
        print(
            f"\n{json.dumps({'unused': matched})}; file {size:,.0f} MiB; "
            f"peak memory of the benchmark {peak:,.0f} MiB (the floor holds rows in memory)"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
