"""Golden files: every statement and row of version 1, byte for byte.

What was signed must verify for ever, so these bytes are a contract. `GOLDEN=write pytest
tests/test_golden.py` writes them anew, which only a new version may do.
"""

import base64
import os
from pathlib import Path

import pytest

from passmuster import campaigns, evidence
from passmuster.campaigns._signing import decision_row
from passmuster.model import Attention, Bulk, Change, Draft
from passmuster.store import Database
from passmuster.text import canonical, strict_json
from tests.evidence.conftest import read
from tests.scene import END, bring_in, freeze_chance, open_scene

GOLDEN = Path(__file__).parent / "golden"
BROKEN = "a change to these bytes is a new version"


def same(name: str, data: bytes) -> None:
    path = GOLDEN / name
    if os.environ.get("GOLDEN") == "write":
        path.write_bytes(data)
    assert path.read_bytes() == data, f"{path}: {BROKEN}"


@pytest.fixture
def content(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A pack without rules: what they find is no part of the form of a statement."""
    freeze_chance(db, monkeypatch)
    bring_in(db, tmp_path, monkeypatch)
    with db.atomic():
        db.execute("DELETE FROM finding")
        db.execute("UPDATE listing SET risk = 0")
    scene = open_scene(db, tmp_path, monkeypatch, rules=0)
    scene.decide()
    scene.close()
    evidence.build_pack(db, scene.campaign, tmp_path / "pack", scene.boss, END)
    assert campaigns.definition(db, scene.campaign)
    return read(tmp_path / "pack")


STATEMENTS = {
    "enrolment": "statements/000001-enrolment", "campaign": "statements/000004-campaign",
    "decisions": "statements/000005-decisions", "own": "statements/000006-own",
    "close": "statements/000008-close",
}  # fmt: skip
FILES = {
    "campaign": ("definition.json", "population.jsonl", "assignments.jsonl", "excluded.jsonl",
                 "dossiers.jsonl"),
    "decisions": ("decisions.jsonl",), "own": ("own.jsonl",), "enrolment": ("key.pub",),
}  # fmt: skip


def test_the_statements_of_version_1(content: dict[str, bytes]) -> None:
    """A later release signs the same bytes in a second form: the first must stay as it was."""
    for kind, folder in STATEMENTS.items():
        envelope = strict_json(content[f"{folder}/statement.dsse.json"])
        raw, ssh = envelope["signatures"]
        same(f"{kind}.dsse.json", canonical({**envelope, "signatures": [raw]}))
        same(f"{kind}.sshsig", base64.b64decode(ssh["sig"]))
        assert ssh["keyid"] == f"sshsig:{raw['keyid']}"
        same(f"{kind}.pae", content[f"{folder}/statement.pae"])
        for name in FILES.get(kind, ()):
            same(name, content[f"{folder}/{name}"])


def test_the_pack_statement_of_version_1(content: dict[str, bytes]) -> None:
    """Its subject covers VERIFY.md, whose words may change, and its count every file that a later
    release adds: the rest of it may not.
    """
    outer = strict_json(content["pack/statement.dsse.json"])
    body = strict_json(base64.b64decode(outer["payload"]))
    body["subject"][0]["digest"]["sha256"] = "0" * 64
    body["predicate"]["files"] = 0
    same("pack.json", canonical(body))


def test_the_tables_of_version_1(content: dict[str, bytes]) -> None:
    for name in ("outcomes.jsonl", "outcomes.csv", "keys/principals.tsv"):
        same(name.replace("/", "-"), content[name])
    assert content["chain.tsv"].startswith(b"index\tdevice\tseq\tkind\tstatement\tprev\tfolder\n")


def test_a_decision_row_of_version_1() -> None:
    draft = Draft(
        "approve", "9", "until June",
        Attention("2026-11-24T09:00:00Z", "2026-11-24T09:01:00Z", False),
        "2027-06-30", (Change("right_size", "g1", "reader", "2027-01-31"), Change("rotate", "k1")),
        Bulk("b1", 40, "filter kind:service"),
    )  # fmt: skip
    row = decision_row("muster:s/identity/u", "a" * 64, "b" * 64, draft, ["c" * 64], "d" * 32)
    same("decision-row.json", canonical(row))
