"""The workstation in a real terminal: bytes that no keyboard should send."""

import os
import pty
import select
import subprocess
import sys
import time
from pathlib import Path

from passmuster.store import Database
from tests.conftest import ME
from tests.estates import opened


def read_until(terminal: int, text: str, seconds: float = 20.0) -> str:
    """What the screen was sent, until *text* is in it."""
    seen, ends = b"", time.monotonic() + seconds
    while time.monotonic() < ends:
        if select.select([terminal], [], [], 0.2)[0]:
            try:
                seen += os.read(terminal, 65536)
            except OSError:
                break
            if text.encode() in seen:
                break
    return seen.decode(errors="replace")


def test_a_byte_that_is_no_utf_8_ends_nothing(db: Database, folder: Path, tmp_path: Path) -> None:
    opened(db, tmp_path, "svc-a", "svc-b")
    db.close()
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "passmuster"], stdin=side, stdout=side, stderr=side,
        env={**os.environ, "MUSTER_WORKSPACE": str(folder), "MUSTER_ME": ME, "TERM": "xterm"},
    )  # fmt: skip
    os.close(side)
    try:
        assert "svc-a" in read_until(main, "svc-a")
        os.write(main, b"r")
        read_until(main, "your own words")
        os.write(main, b"hel\xe9lo\xff")
        assert "hel\ufffd" in read_until(main, "\ufffdlo")
        time.sleep(0.3)
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()
        os.close(main)
