"""The log in a pack: proofs, the witness's line, the time stamp; by us and by stock tools."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from passmuster import evidence, note, tlog
from passmuster.errors import VerificationFailed
from passmuster.evidence import Authority, _check
from passmuster.evidence._files import Memory
from passmuster.store import Database
from tests.evidence.conftest import read
from tests.evidence.test_attacks import refused, seal
from tests.evidence.test_stock_tools import MISSING, stock, write
from tests.evidence.test_time_stamps import Authority as Server
from tests.evidence.test_time_stamps import served
from tests.scene import END, Scene, key

__all__ = ["served", "stock"]
Run = Callable[[Path], "subprocess.CompletedProcess[str]"]
PROOF = "statements/000005-decisions/statement.tlog-proof"
WITNESS = key("wit@example.com", 40)


@pytest.fixture
def witnessed(scene: Scene, other_db: Database, tmp_path: Path, served: Server) -> Path:
    """A pack whose checkpoint a witness cosigned and an authority stamped."""
    tlog.enrol(other_db, WITNESS, END)
    vkey = tlog.cosigner(other_db, WITNESS.public, "auditor.example/w1")
    tlog.checkpoint(scene.db, scene.boss, END)
    asked = tlog.request(scene.db, vkey, END)
    log_key = tlog.key_forms(scene.boss.public, tlog.origin(scene.db))[0]
    answer = tlog.cosign(other_db, asked.encode(), WITNESS, END, log_key)
    tlog.cosigned(scene.db, answer.body.encode())
    (tmp_path / "ca.pem").write_bytes(served.roots)
    served.mode = "honest"
    at = Authority.at(served.url, str(tmp_path / "ca.pem"))
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "w", scene.boss, END, authority=at)
    return tmp_path / "w"


def test_a_witness_and_a_time_stamp_say_when(witnessed: Path) -> None:
    notes = evidence.verify(witnessed).notes
    assert any("witness auditor.example/w1" in n and "2026-12-01T17:00:00Z" in n for n in notes)
    assert any("authority saw the log at" in n and "certificates in the pack" in n for n in notes)
    roots = (witnessed / "tsa" / "ca.pem").read_bytes()
    assert not any("in the pack" in n for n in evidence.verify(witnessed, None, roots).notes)


@pytest.mark.ci
@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
def test_stock_tools_say_the_same(witnessed: Path, stock: Run) -> None:
    done = stock(witnessed)
    assert "witness    auditor.example/w1" in done.stdout
    assert "at 2026-12-01T17:00:00Z" in done.stdout
    assert "time stamp " in done.stdout
    assert "VERIFIED" in done.stdout


@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
@pytest.mark.ci
@pytest.mark.parametrize(("name", "bad", "why"), [
    ("log/witnesses", str(note.witness_key("auditor.example/w1", b"\x11" * 32)) + "\n",
     "did not cosign"),
    ("tsa/checkpoint.tsr", "nothing", "time stamp does not hold"),
])  # fmt: skip
def test_stock_tools_refuse_a_witness_or_a_time_stamp_of_something_else(
    witnessed: Path, stock: Run, scene: Scene, name: str, bad: str, why: str
) -> None:
    write(witnessed, sealed({**read(witnessed), name: bad.encode()}, scene))
    assert why in stock(witnessed).stderr


def sealed(content: dict[str, bytes], scene: Scene) -> dict[str, bytes]:
    """Sealed anew over the log as it was: the one who seals cannot cosign for a witness."""
    kept = {n: d for n, d in content.items() if n.endswith(".tlog-proof") or n == "log/checkpoint"}
    content = seal(content, scene.boss)
    content.update(kept)
    from tests.evidence import test_attacks

    test_attacks.seal_files(content, scene.boss)
    return content


def test_whoever_seals_cannot_speak_for_a_witness(witnessed: Path, scene: Scene) -> None:
    content = read(witnessed)
    later = content["log/checkpoint"].replace(b"auditor.example/w1 ", b"auditor.example/w2 ")
    forged = {n: d.replace(content["log/checkpoint"], later) for n, d in content.items()}
    with pytest.raises(VerificationFailed, match="log/witnesses: names a witness that did not"):
        _check.check(Memory(sealed(forged, scene)))


@pytest.mark.parametrize(("change", "why"), [
    (lambda c: c.update({PROOF: c[PROOF.replace("05-decisions", "06-own")]}), "another entry"),
    (lambda c: c.update({PROOF: c[PROOF].replace(b"\nin", b"\nextra AAAA\nin", 1)}), "checkpoint"),
    (lambda c: c.pop(PROOF), "tlog-proof: is missing"),
    (lambda c: c.update({"log/checkpoint": c["log/checkpoint"] + b"x"}), "checkpoint"),
])  # fmt: skip
def test_a_proof_that_is_not_this_statements_is_refused(
    content: dict[str, bytes], scene: Scene, change: Callable[[dict[str, bytes]], object], why: str
) -> None:
    change(content)
    refused(sealed_as_is(content, scene), why)


def sealed_as_is(content: dict[str, bytes], scene: Scene) -> dict[str, bytes]:
    from tests.evidence import test_attacks

    test_attacks.seal_files(content, scene.boss)
    return content


@pytest.mark.skipif(bool(MISSING), reason=f"not here: {', '.join(MISSING)}")
@pytest.mark.ci
def test_stock_tools_refuse_a_proof_of_something_else(pack: Path, stock: Run, scene: Scene) -> None:
    content = read(pack)
    other = content[PROOF.replace("05-decisions", "06-own")]
    lines = content[PROOF].split(b"\n")
    for bad, why in (
        (other, "not the proof of entry 4"),
        (b"\n".join([*lines[:2], lines[3], lines[2], *lines[4:]]), "is not in the log"),
        (b"\n".join([*lines[:2], lines[2], *lines[2:]]), "is too long"),
        (content[PROOF] + b"x", "another checkpoint"),
    ):
        write(pack, sealed_as_is({**content, PROOF: bad}, scene))
        assert why in stock(pack).stderr
