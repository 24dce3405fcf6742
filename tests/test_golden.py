"""Golden files: every statement and row of version 1, byte for byte.

What was signed must verify for ever, so these bytes are a contract. `GOLDEN=write pytest
tests/test_golden.py` writes them anew, which only a new version may do.
"""

import base64
import os
from pathlib import Path

import pytest

from passmuster import attestations, blobs, campaigns, central, evidence, remediation, roster
from passmuster.campaigns._countersigning import countersign_row
from passmuster.campaigns._signing import decision_row
from passmuster.model import Attention, Bulk, Change, Draft, SecondDraft
from passmuster.remediation._table import record, save_prior
from passmuster.store import Database
from passmuster.text import canonical, strict_json
from tests.evidence.conftest import read
from tests.scene import END, LATER, SECOND, bring_in, draft, freeze_chance, key, open_scene

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


def test_the_statement_of_a_second_person_of_version_1(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what a two-person rule adds to the definition and to the tables."""
    freeze_chance(db, monkeypatch)
    bring_in(db, tmp_path, monkeypatch)
    with db.atomic():
        db.execute("DELETE FROM finding")
        db.execute("UPDATE listing SET risk = 0")
    scene = open_scene(db, tmp_path, monkeypatch, rules=0, second=(SECOND,), when="privileged")
    item = scene.item("ci-deploy")
    campaigns.save_draft(db, item, draft("approve", "in use"), LATER)
    scene.sign(scene.rev)
    words = SecondDraft("concur", None, "asked the team", Attention(LATER, END, True))
    campaigns.save_seconds(db, [item], words, END, SECOND)
    scene.sign(scene.second, END)
    evidence.build_pack(db, scene.campaign, tmp_path / "pack", scene.boss, END)
    found = read(tmp_path / "pack")
    folder = "statements/000006-countersign"
    for name in ("statement.dsse.json", "statement.pae", "statement.sshsig"):
        same(name.replace("statement", "countersign"), found[f"{folder}/{name}"])
    same("countersignatures.jsonl", found[f"{folder}/countersignatures.jsonl"])
    same("second-campaign.pae", found["statements/000004-campaign/statement.pae"])
    same("second-definition.json", found["statements/000004-campaign/definition.json"])
    for name in ("outcomes.jsonl", "outcomes.csv"):
        same(f"second-{name}", found[name])


def test_the_results_of_remediations_of_version_1(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what they add to the tables of a pack."""
    freeze_chance(db, monkeypatch)
    bring_in(db, tmp_path, monkeypatch)
    with db.atomic():
        db.execute("DELETE FROM finding")
        db.execute("UPDATE listing SET risk = 0")
    scene = open_scene(db, tmp_path, monkeypatch, rules=0)
    scene.decide()
    scene.close()
    remediation.plan(db, END)
    with db.atomic():  # a plan's own form is no part of the contract, only that it is named
        db.execute("UPDATE remediation SET plan_digest = ?, undo_class = 'R1'", ("e" * 64,))
    first, second = remediation.remedies(db)
    first = save_prior(db, first, {"enabled": True}, END)
    record(db, first, "applied", "the platform took it", END)
    record(db, first, "verified", "the login was refused", END, verdict="refused")
    record(db, second, "planned", "handed over", END, script="f" * 64)
    remediation.sign(db, scene.boss, END)
    evidence.build_pack(db, scene.campaign, tmp_path / "pack", scene.boss, END)
    found = read(tmp_path / "pack")
    (folder,) = {n.rpartition("/")[0] for n in found if n.endswith("/remediations.jsonl")}
    for name in ("statement.dsse.json", "statement.pae", "statement.sshsig"):
        same(name.replace("statement", "remediation"), found[f"{folder}/{name}"])
    same("remediations.jsonl", found[f"{folder}/remediations.jsonl"])
    same("remediation-results.jsonl", found["remediation-results.jsonl"])


def test_a_row_of_a_second_person_of_version_1() -> None:
    words = SecondDraft(
        "object", "3", "nobody uses it",
        Attention("2026-11-24T09:00:00Z", "2026-11-24T09:01:00Z", False),
        Bulk("b1", 40, "named on the command line"),
    )  # fmt: skip
    row = countersign_row(
        "muster:s/identity/u", "e" * 64, "a" * 64, "b" * 64, words, ["c" * 64], "d" * 32
    )
    same("countersign-row.json", canonical(row))


def test_the_roster_of_version_1(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second of a team: a key that ends, a robot, one human being with two addresses."""
    from passmuster.roster import Person
    from tests.test_roster import KA, KB, KC, KR, LINES, T1, T2, line, made, succeed

    monkeypatch.setattr(attestations, "__version__", "0")
    people = (
        Person("a@example.com", "person", ("registrar",), "p-1"),
        Person("b@example.com", "person", ("reviewer", "second", "registrar")),
        Person("bot@example.com", "robot", ("reviewer",)),
        Person("c@example.com", "person", ("oncall", "owner", "auditor"), "p-1"),
    )
    before = (LINES[0], line(KB, None), LINES[2], line(KR))
    one = succeed(made(None, KA, KB, people=people, lines=before, at="2026-11-20T12:00:00Z"))
    lines = (*before[:2], line(KC, before=T2), before[3])
    envelope, text = made(one, KA, KB, people=people, lines=lines, at=T1)
    assert roster.succeed(envelope, text, one).version == 2
    same("roster.dsse.json", envelope)
    same("roster.pae", attestations.unchecked(envelope).pae)
    same("roster.allowed_signers", text)


def test_a_decision_row_of_version_1() -> None:
    draft = Draft(
        "approve", "9", "until June",
        Attention("2026-11-24T09:00:00Z", "2026-11-24T09:01:00Z", False),
        "2027-06-30", (Change("right_size", "g1", "reader", "2027-01-31"), Change("rotate", "k1")),
        Bulk("b1", 40, "filter kind:service"),
    )  # fmt: skip
    row = decision_row("muster:s/identity/u", "a" * 64, "b" * 64, draft, ["c" * 64], "d" * 32)
    same("decision-row.json", canonical(row))


def test_the_publication_of_version_1(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the list that it signs, its chunks, and what a hand-over brings."""
    freeze_chance(db, monkeypatch)
    bring_in(db, tmp_path, monkeypatch)
    with db.atomic():
        db.execute("DELETE FROM finding")
        db.execute("UPDATE listing SET risk = 0")
    scene = open_scene(db, tmp_path, monkeypatch, rules=0)
    campaigns.publish(db, scene.campaign, scene.boss, LATER)
    (envelope,) = db.one("SELECT envelope FROM entry WHERE predicate = 'publication'")
    made = central.read(bytes(envelope))
    same("publication.dsse.json", made.line)
    same("publication.pae", made.statement.pae)
    listed = blobs.get(db, made.blobs[0])
    same("queues.jsonl", listed)
    (chunk,) = [c for c in central.read_queues(listed).chunks if c.leaves is None]
    rows = blobs.get(db, chunk.sha256)
    same("chunk.jsonl", rows)
    assert all(canonical(strict_json(line)) == line for line in rows.splitlines())
    campaigns.save_own(db, [scene.item("ci-deploy")], SECOND, "asked", LATER, reassign=True)
    scene.sign(scene.rev)
    (envelope,) = db.one("SELECT envelope FROM entry WHERE predicate = 'own'")
    own = central.read(bytes(envelope))
    same("own-handed.pae", own.statement.pae)
    assert blobs.get(db, own.blobs[1]) == rows.splitlines(keepends=True)[0]


def test_an_emergency_decision_of_version_1(
    db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decisions predicate on another basis, beside the dossier that nobody had frozen."""
    freeze_chance(db, monkeypatch)
    bring_in(db, tmp_path, monkeypatch)
    with db.atomic():
        db.execute("DELETE FROM finding")
        db.execute("UPDATE listing SET risk = 0")
    shown = campaigns.shown(db, db.value("SELECT id FROM identity WHERE uid = 'u1'"), "u1-key")
    urgent = campaigns.Emergency(shown, "disable", "in a public gist", "INC-7", SECOND, LATER, END,
                                 "2026-12-01T21:00:00Z")  # fmt: skip
    campaigns.sign_emergency(db, urgent, key(SECOND, 3), END)
    (envelope,) = db.one("SELECT envelope FROM entry WHERE predicate = 'decisions'")
    made = central.read(bytes(envelope))
    same("emergency.dsse.json", made.line)
    same("emergency.pae", made.statement.pae)
    for name, digest in made.statement.subject:
        same(f"emergency-{name}", blobs.get(db, digest))
