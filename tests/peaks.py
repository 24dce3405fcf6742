"""The most memory that the steps of a task take, in a process that SQLite's heap is limited in."""

import json
import subprocess
import sys


def peaks(module: str, count: int, heap: int) -> dict[str, int]:
    """What *module* prints for COUNT items: bytes of Python by step."""
    done = subprocess.run(
        [sys.executable, "-m", module, str(count), str(heap)],
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found
