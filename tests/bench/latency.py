"""Key presses in a real terminal, as ratios: `python -m tests.bench.latency COUNT [ROUNDS]`.

Programs take turns in each round; a figure is the median of the rounds. A key is pressed when the
screen is quiet and timed until the last byte of what follows. CPU is from /proc. What is compared:
the floor app (`apps/floor.py`), our table alone, the workbench as a whole, at COUNT and at 1,000
identities, and Textual's own table at 1,000 rows.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from passmuster import campaigns, store
from tests.bench.workspace import ME, NOW, workspace
from tests.terminal import Terminal

ROWS, COLUMNS = 40, 120
IDLE_S = 15
WANTED = "user-00001"
"""Typed into the filter."""
QUIET_S = 2.0
"""After a letter: all that matches is there by then."""
READY = "user-0"
"""In every program's first useful frame."""


class Program(NamedTuple):
    command: tuple[str, ...]
    whole: str
    """On the screen when all is loaded."""


class Figures(NamedTuple):
    p50: float
    p99: float
    cpu: float
    """Milliseconds a key."""
    size: float
    """Bytes a key."""


def programs(count: int) -> dict[str, Program]:
    def app(name: str, *words: str) -> Program:
        return Program(("-m", f"tests.bench.apps.{name}", *words), READY)

    def bench(n: int) -> Program:
        return Program(("-m", "passmuster", "--workspace", str(workspace(n))), f"[all {n:,}]")

    return {
        "floor": app("floor"), "datatable 1k": app("datatable", "1000"),
        "table 1k": app("table", str(workspace(1_000))),
        "table": app("table", str(workspace(count))),
        "bench 1k": bench(1_000), "bench": bench(count),
    }  # fmt: skip


@contextlib.contextmanager
def running(program: Program, *, compiled: str) -> Iterator[Terminal]:
    """The program as it is installed: with its bytecode kept between runs."""
    env = {"MUSTER_ME": ME, "PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled,
           "TEXTUAL_FPS": "120"}  # fmt: skip
    with Terminal([sys.executable, *program.command], rows=ROWS, columns=COLUMNS, env=env) as t:
        yield t


def press(t: Terminal, keys: tuple[str, ...], times: int) -> Figures:
    """Press *keys* in turn."""
    before = t.cpu_s
    strokes = [t.stroke(keys[n % len(keys)]) for n in range(times)]
    ms = sorted(s.last_ms for s in strokes)
    return Figures(
        median(ms), ms[(len(ms) - 1) * 99 // 100], (t.cpu_s - before) * 1e3 / times,
        sum(s.size for s in strokes) / times,
    )  # fmt: skip


def measure(name: str, program: Program, compiled: str, times: int) -> dict[str, float]:
    """One round of one program: figure → value."""
    out: dict[str, float] = {}
    with running(program, compiled=compiled) as t:
        wall, cpu = t.until_sent(READY.encode())
        out["start ms"], out["start cpu"] = wall * 1e3, cpu * 1e3
        t.wait_for(program.whole).settle(1.0)
        out["rss"] = t.rss_mib
        for _ in range(ROWS):
            t.stroke("down")  # from here on every press scrolls
        kinds: dict[str, tuple[str, ...]] = {"down": ("down",), "pagedown": ("pagedown",)}
        if not name.startswith("datatable"):
            kinds |= {"jump": ("end", "home"), "mark": ("space",)}
        for kind, keys in kinds.items():
            few = min(times, 15) if kind in ("pagedown", "jump", "mark") else times
            for field, value in press(t, keys, few)._asdict().items():
                out[f"{kind} {field}"] = value
            if kind in ("pagedown", "jump") and name.startswith(("table", "bench")):
                t.stroke("up")  # so that `home` leads to something wherever the cursor is
                t.stroke("home")
        if name == "bench":
            out |= {f"rest {field}": value
                    for field, value in press(t, ("down",), times)._asdict().items()}  # fmt: skip
        t.settle(1.0)
        at, sent, began = t.cpu_s, len(t.sent), time.perf_counter()
        while time.perf_counter() < began + IDLE_S:
            t.read(0.5)
        out["idle cpu"] = (t.cpu_s - at) * 1e3 / IDLE_S
        out["idle bytes"] = (len(t.sent) - sent) / IDLE_S
        if name.startswith("bench"):
            folder = program.command[-1]
            out |= busy(t, folder, times)
            t.settle(1.0)
            out |= typing(t, folder)
    return out


def typing(t: Terminal, folder: str) -> dict[str, float]:
    """The filter: the echo of each letter, and how long all that matches takes.

    The last letter is typed when what the others match is there; what it is compared with is the
    query alone, which gives the same ids in the same order.
    """
    t.press("/").wait_for("tab completes").settle(0.3)
    echoes = [t.stroke(letter, 0.01) for letter in WANTED]
    t.settle(QUIET_S)
    found = []
    for _ in range(5):
        t.stroke("backspace", QUIET_S)
        found.append(t.stroke(WANTED[-1], QUIET_S).last_ms)
    db = store.open_(Path(folder), read_only=True)
    at, bare = campaigns.campaign(db).id, []
    for _ in range(5):
        began = time.perf_counter()
        campaigns.rank(db, at, ME, expression=WANTED, now=NOW)
        bare.append((time.perf_counter() - began) * 1e3)
    db.close()
    return {"echo p99": max(s.first_ms for s in echoes), "result ms": median(found),
            "query ms": median(bare)}  # fmt: skip


def busy(t: Terminal, folder: str, times: int) -> dict[str, float]:
    """Presses while another process imports into the same workspace, and takes it back."""
    work = [sys.executable, "-m", "tests.bench.importing", folder]
    with subprocess.Popen(work, stdout=subprocess.PIPE) as other:
        try:
            assert other.stdout is not None
            other.stdout.readline()  # it has begun
            return {f"busy {field}": value
                    for field, value in press(t, ("down",), times)._asdict().items()}  # fmt: skip
        finally:
            other.kill()


RATIOS = (  # (number in the plan, what, figure, of, against figure, of, at most)
    ("1", "workbench, a line down: COUNT ÷ 1,000, p50", "bench", "down p50", "bench 1k", "down p50", 1.1),
    ("1", "the same, p99", "bench", "down p99", "bench 1k", "down p99", 1.5),
    ("2", "table alone ÷ floor, p50", "table", "down p50", "floor", "down p50", 2.0),
    ("2", "the same, p99", "table", "down p99", "floor", "down p99", 2.0),
    ("3", "workbench ÷ floor, p50", "bench", "down p50", "floor", "down p50", 2.0),
    ("3", "the same, p99", "bench", "down p99", "floor", "down p99", 3.0),
    ("3", "the same, CPU a key", "bench", "down cpu", "floor", "down cpu", 4.0),
    ("4", "workbench ÷ Textual's DataTable at 1,000, p50", "bench", "down p50", "datatable 1k", "down p50", 0.5),
    ("5", "jump ÷ page down, p99", "bench", "jump p99", "bench", "pagedown p99", 1.3),
    ("6", "mark ÷ floor, p50", "bench", "mark p50", "floor", "mark p50", 1.5),
    ("7", "first useful rows ÷ minimal app, CPU", "bench", "start cpu", "floor", "start cpu", 1.2),
    ("7", "the same, wall", "bench", "start ms", "floor", "start ms", 1.2),
    ("9", "resident memory ÷ minimal app", "bench", "rss", "floor", "rss", 2.5),
    ("14", "type-ahead echo ÷ floor, p99", "bench", "echo p99", "floor", "down p99", 4.0),
    ("14", "all that matches ÷ the query alone", "bench", "result ms", "bench", "query ms", 3.0),
    ("15", "a line down while another imports ÷ idle, p50", "bench", "busy p50", "bench", "rest p50", 2.0),
    ("15", "the same, p99", "bench", "busy p99", "bench", "rest p99", 2.0),
    ("16", "idle CPU ÷ floor", "bench", "idle cpu", "floor", "idle cpu", 1.5),
)  # fmt: skip


def rounds(count: int, number: int, times: int) -> dict[str, dict[str, float]]:
    """Figures of each program: medians over the rounds."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    with tempfile.TemporaryDirectory(prefix="muster-pyc-") as compiled:
        for turn in range(number + 1):  # the first compiles, and is not counted
            for name, program in programs(count).items():
                figures = measure(name, program, compiled, times if turn else 3)
                for field, value in figures.items():
                    if turn:
                        found[name][field].append(value)
                told = ", ".join(f"{field} {value:.1f}" for field, value in figures.items())
                print(f"round {turn} {name}: {told}", file=sys.stderr, flush=True)
    return {n: {f: median(v) for f, v in fields.items()} for n, fields in found.items()}


def main(count: int, number: int = 3) -> None:
    figures = rounds(count, number, 200)
    print(f"{count:,} identities, {COLUMNS}x{ROWS}, medians of {number} rounds, "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip
    print("\n| # | what | ours | against | ratio | goal |\n| --- | --- | --- | --- | --- | --- |")
    for number_, what, ours, field, floor, against, most in RATIOS:
        a, b = figures[ours][field], figures[floor][against]
        print(f"| {number_} | {what} | {a:,.1f} | {b:,.1f} | {a / b if b else 0:.2f} | ≤ {most} |")
    area = ROWS * COLUMNS
    for name, most in (("table", 1.7), ("bench", 2.0)):
        size = figures[name]["down size"]
        print(f"| 10 | bytes a scrolled frame, {name} ÷ cells | {size:,.0f} | {area:,} |"
              f" {size / area:.2f} | ≤ {most} |")  # fmt: skip
    print(f"| 16 | idle bytes a second | {figures['bench']['idle bytes']:.0f} | | | 0 |")


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:3]))
