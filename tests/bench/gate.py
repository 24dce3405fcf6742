"""The ratios that CI holds, at 20,000 identities, on CPU time: far enough from what is measured
that a busy machine does not fail them, near enough that a lost order of magnitude does."""

import sys
import tempfile
from pathlib import Path

from passmuster import policy, store
from passmuster.config import Settings
from tests.bench import estate
from tests.bench.run import NOW, cpu, import_seconds, run

COUNT = 20_000


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = store.create(folder / "ours")
        ours, floor = import_seconds(folder, estate.make(folder, COUNT), db)
        rules = cpu(lambda: policy.evaluate(db, Settings(), NOW))
        bare = min(cpu(lambda: run(folder, "-c", "pass")) for _ in range(5))
        version = min(cpu(lambda: run(folder, "-m", "passmuster", "--version")) for _ in range(5))
    gates = [
        ("import: floor ÷ ours", floor / ours, 0.5, True),
        ("rules: ours ÷ import", rules / ours, 1.5, False),
        ("muster --version: ours ÷ bare Python", version / bare, 8.0, False),
    ]
    bad = 0
    for what, ratio, limit, at_least in gates:
        fits = ratio >= limit if at_least else ratio <= limit
        bad += not fits
        print(f"{'ok' if fits else 'FAILED'}  {what} {ratio:.2f} (limit {limit})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
