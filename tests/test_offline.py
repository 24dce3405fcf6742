"""Promise 5: a whole review, from the export to the verified pack, asks no network for anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ME
from tests.estates import report

ASKED = 99
GUARDED = f"""
import os, sys
NAMES = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
def guard(event, args):
    # no exception: somebody may catch it and go on
    if event in NAMES:
        os.write(2, f"{{event}} {{args}}\\n".encode())
        os._exit({ASKED})
sys.addaudithook(guard)
from passmuster.cli import main
from passmuster.keys import _files
_files.BCRYPT_ROUNDS = 1  # of the key that is made here: five commands open it
main()
"""


@pytest.mark.ci
def test_a_whole_review_needs_no_network(tmp_path: Path, passphrase_file: Path) -> None:
    (tmp_path / "report.csv").write_text(report("svc-a", "svc-b"))

    def muster(*words: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", GUARDED, *words], cwd=tmp_path, text=True, timeout=120,
            env={**os.environ, "MUSTER_WORKSPACE": str(tmp_path / "workspace")},
            stdin=subprocess.DEVNULL, capture_output=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, (words, done.stderr)
        return done.stdout

    muster("init")
    muster("key", "new", "--key-store", "file")
    muster("import", "report.csv")
    muster("findings")
    muster("rules", "test", "no-owner")
    muster("campaign", "open", "Autumn", "--reviewer", ME, "--due", "2030-12-31")
    muster("decide", "revoke", "svc-a", "--reason", "gone")
    muster("sign-off", "--yes")
    muster("campaign", "close", "Autumn")
    muster("evidence", "Autumn", "--out", "pack")
    assert "verified: pack" in muster("verify", "pack")


def test_the_guard_itself_notices_a_question() -> None:
    begin = GUARDED.partition("from passmuster")[0]
    ask = f"{begin}import socket\nsocket.getaddrinfo('localhost', 80)"
    assert subprocess.run([sys.executable, "-c", ask], check=False).returncode == ASKED
