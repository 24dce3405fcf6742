"""The ratios that CI holds, at 20,000 identities, on CPU time: far enough from what is measured
that a busy machine does not fail them, near enough that a lost order of magnitude does."""

import sys
import tempfile
from pathlib import Path

from passmuster import connectors, inventory, policy, store
from passmuster.config import Settings
from tests.bench import estate
from tests.bench.run import ME, NOW, cpu, run

COUNT = 20_000


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = estate.make(folder, COUNT)
        db = store.create(folder / "ours")
        parse = ours = 0.0
        for path in files:
            fmt = connectors.recognise(path.open("rb").read(connectors.SNIFF_BYTES), path.name)
            parse += cpu(
                lambda p=path, f=fmt: [  # type: ignore[misc]
                    None for _ in connectors.read(f, p.open("rb"), connectors.Context())
                ]
            )
            ours += cpu(lambda p=path: inventory.import_file(db, p, now=NOW, by=ME))  # type: ignore[misc]
        write = cpu(lambda: _copy(db, folder))
        rules = cpu(lambda: policy.evaluate(db, Settings(), NOW))
        bare = min(cpu(lambda: run(folder, "-c", "pass")) for _ in range(5))
        version = min(cpu(lambda: run(folder, "-m", "passmuster", "--version")) for _ in range(5))
    gates = [
        ("import: floor ÷ ours", (parse + write) / ours, 0.5, True),
        ("rules: ours ÷ import", rules / ours, 1.5, False),
        ("muster --version: ours ÷ bare Python", version / bare, 6.0, False),
    ]
    bad = 0
    for what, ratio, limit, at_least in gates:
        fits = ratio >= limit if at_least else ratio <= limit
        bad += not fits
        print(f"{'ok' if fits else 'FAILED'}  {what} {ratio:.2f} (limit {limit})")
    return 1 if bad else 0


def _copy(db: store.Database, folder: Path) -> None:
    other = store.create(folder / "floor")
    for table in ("source", "import_run", "identity", "credential", "entitlement", "grant",
                  "trust", "owner", "usage", "seen"):  # fmt: skip
        rows = db.execute(f"SELECT * FROM {table}").fetchall()
        if rows:
            marks = ",".join("?" * len(rows[0]))
            with other.atomic(durable=False):
                other.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows)


if __name__ == "__main__":
    sys.exit(main())
