"""The commands of docs/log.md that need none of our code, run as they stand there."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from passmuster import tlog
from passmuster.store import Database
from tests.conftest import REPOSITORY
from tests.scene import LATER, NOW
from tests.test_checkpoints import AUDITOR, ME, envelopes, logged, witness

TOOLS = ("dash", "openssl", "perl", "awk", "sed", "od")
pytestmark = pytest.mark.skipif(
    any(shutil.which(tool) is None for tool in TOOLS), reason="a stock tool is not here"
)


def block() -> str:
    page = (REPOSITORY / "docs" / "log.md").read_text().split("## Check a receipt")[1]
    (found,) = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    return str(found)


@pytest.fixture
def files(db: Database, tmp_path: Path) -> Path:
    """A receipt of entry 3 of 9, cosigned."""
    logged(db, 8)
    tlog.checkpoint(db, ME, NOW)
    there, witness_key = witness(tmp_path / "witness")
    log_key = tlog.log_keys(db, tlog.origin(db))[0]
    asked = tlog.request(db, witness_key, NOW).encode()
    tlog.cosigned(db, tlog.cosign(there, asked, AUDITOR, LATER, log_key).body.encode())
    there.close()
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "log.vkey").write_text(f"{log_key}\n")
    (folder / "witness.vkey").write_text(f"{witness_key}\n")
    (folder / "0.json").write_bytes(envelopes(db)[3])
    (folder / "0.tlog-proof").write_text(tlog.receipt(db, 4))
    return folder


def run(folder: Path) -> str:
    done = subprocess.run(
        ["dash", "-c", block()], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    return done.stdout


def test_a_receipt_verifies_with_stock_tools(files: Path) -> None:
    said = run(files)
    assert said.count("Signature Verified Successfully") == 2
    assert "09:30:00 UTC 2026" in said
    assert said.endswith("INCLUDED\n")


@pytest.mark.parametrize(("name", "old", "new", "lost"), [
    ("0.json", '"payload":"e', '"payload":"f', "INCLUDED"),
    ("0.tlog-proof", "index 3\n", "index 2\n", "INCLUDED"),
    ("0.tlog-proof", "\n9\n", "\n8\n", "Signature Verified Successfully"),
    ("witness.vkey", "/w1+", "/w2+", "09:30:00 UTC 2026"),
])  # fmt: skip
def test_a_receipt_that_was_changed_does_not(
    files: Path, name: str, old: str, new: str, lost: str
) -> None:
    before = (files / name).read_text()
    assert old in before
    (files / name).write_text(before.replace(old, new, 1))
    assert lost not in run(files)
