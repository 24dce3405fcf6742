"""The ratios that CI holds, at 20,000 identities, on CPU time and bytes, never on latency: far
enough from what is measured that a busy machine does not fail them, near enough that a lost order
of magnitude does."""

import sys
import tempfile
from pathlib import Path

from passmuster import campaigns, keys, policy, store, tlog
from passmuster.config import Settings
from tests.bench import estate
from tests.bench.latency import COLUMNS, READY, ROWS, Program, press, running
from tests.bench.run import ME, NOW, cpu, import_seconds, run

COUNT = 20_000


def keystrokes(program: Program, compiled: str) -> tuple[float, float]:
    """CPU milliseconds and bytes of a press that scrolls."""
    with running(program, compiled=compiled) as t:
        t.wait_for(program.whole).settle(1.0)
        press(t, ("down",), ROWS)
        found = press(t, ("down",), 100)
    return found.cpu, found.size


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = store.create(folder / "ours")
        brought, floor = import_seconds(folder, estate.make(folder, COUNT), db)
        rules = cpu(lambda: policy.evaluate(db, Settings(), NOW))
        bare = min(cpu(lambda: run(folder, "-c", "pass")) for _ in range(5))
        version = min(cpu(lambda: run(folder, "-m", "passmuster", "--version")) for _ in range(5))
        key = keys.in_memory(ME)
        tlog.enrol(db, key, NOW)
        wanted = campaigns.Definition("gate", "2027-01-31", ME)
        campaigns.open_campaign(db, wanted, key, Settings(), NOW)
        db.close()
        ours = Program(("-m", "passmuster", "--workspace", str(folder / "ours")),
                       f"[all {COUNT:,}]")  # fmt: skip
        at_floor, _ = keystrokes(Program(("-m", "tests.bench.apps.floor"), READY), name)
        a_key, a_frame = keystrokes(ours, name)
    gates = [
        ("import: floor ÷ ours", floor / brought, 0.5, True),
        ("rules: ours ÷ import", rules / brought, 1.5, False),
        ("muster --version: ours ÷ bare Python", version / bare, 8.0, False),
        ("a key that scrolls, CPU: workbench ÷ bare Textual", a_key / at_floor, 6.0, False),
        ("a frame that scrolls: bytes ÷ cells", a_frame / (ROWS * COLUMNS), 2.0, False),
    ]
    bad = 0
    for what, ratio, limit, at_least in gates:
        fits = ratio >= limit if at_least else ratio <= limit
        bad += not fits
        print(f"{'ok' if fits else 'FAILED'}  {what} {ratio:.2f} (limit {limit})")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
