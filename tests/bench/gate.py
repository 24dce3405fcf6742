"""The ratios that CI holds, at 100,000 identities, on CPU time and bytes, never on latency: far
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

COUNT = 100_000
STARTS = 5


def keystrokes(program: Program, compiled: str) -> tuple[float, float]:
    """CPU milliseconds and bytes of a press that scrolls."""
    with running(program, compiled=compiled) as t:
        t.wait_for(program.whole).settle(1.0)
        press(t, ("down",), ROWS)
        found = press(t, ("down",), 100)
    return found.cpu, found.size


def start(programs: list[Program], compiled: str) -> list[float]:
    """CPU seconds of each until its first rows are sent: the least of some turns, since the
    clock of the kernel ticks in hundredths.
    """
    found: list[list[float]] = [[] for _ in programs]
    for turn in range(STARTS + 1):  # the first compiles
        for program, seconds in zip(programs, found, strict=True):
            with running(program, compiled=compiled) as t:
                _, cpu_s = t.until_sent(READY.encode())
            if turn:
                seconds.append(cpu_s)
    return [min(seconds) for seconds in found]


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        db = store.create(folder / "ours")
        brought, floor = import_seconds(folder, estate.make(folder, COUNT), db)
        rules = cpu(lambda: policy.evaluate(db, Settings(), NOW))
        bare = min(cpu(lambda: run(folder, "-c", "pass")) for _ in range(5))
        version = min(cpu(lambda: run(folder, "-m", "passmuster", "--version")) for _ in range(5))
        told = min(
            cpu(lambda: run(folder, "-m", "passmuster", "queue", "--help")) for _ in range(5)
        )
        key = keys.in_memory(ME)
        tlog.enrol(db, key, NOW)
        wanted = campaigns.Definition("gate", "2027-01-31", ME)
        campaigns.open_campaign(db, wanted, key, Settings(), NOW)
        db.close()
        ours = Program(("-m", "passmuster", "--workspace", str(folder / "ours")),
                       f"[all {COUNT:,}]")  # fmt: skip
        minimal = Program(("-m", "tests.bench.apps.floor"), READY)
        began_floor, began = start([minimal, ours], name)
        at_floor, _ = keystrokes(minimal, name)
        a_key, a_frame = keystrokes(ours, name)
    gates = [
        ("import: floor ÷ ours", floor / brought, 0.5, True),
        ("rules: ours ÷ import", rules / brought, 1.5, False),
        ("muster --version: ours ÷ bare Python", version / bare, 4.0, False),
        ("muster queue --help: ours ÷ bare Python", told / bare, 12.0, False),
        ("first rows, CPU: workbench ÷ bare Textual", began / began_floor, 2.0, False),
        ("a key that scrolls, CPU: workbench ÷ bare Textual", a_key / at_floor, 4.0, False),
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
