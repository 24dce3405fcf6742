"""What is in a pack, and that it verifies."""

import csv
import json
from pathlib import Path

import pytest

from passmuster import campaigns, evidence, outcomes
from passmuster.errors import Conflict, NotFound, UsageError, VerificationFailed
from passmuster.evidence import _tables
from tests.evidence.conftest import read
from tests.scene import BOSS, END, REV, SECOND, Scene


def test_a_pack_verifies_and_says_who_signed_what(pack: Path, scene: Scene) -> None:
    report = evidence.verify(pack)
    assert report.outcomes == {"no_response": 1, "stands_until": 1, "stops": 1}
    assert [p for p, _ in report.people] == [BOSS, REV, SECOND]
    assert (report.items, report.gaps, report.campaign) == (3, 0, "Autumn")
    assert report.closed_at == END
    assert scene.boss.fingerprint in "\n".join(report.lines())
    assert report.as_dict()["people"][0] == {
        "principal": BOSS, "fingerprint": scene.boss.fingerprint,
    }  # fmt: skip


def test_outcomes_in_a_pack_are_those_of_the_workspace(pack: Path, scene: Scene) -> None:
    here = campaigns.outcomes_of(scene.db, scene.campaign)
    for line in (pack / "outcomes.jsonl").read_text().splitlines():
        row = json.loads(line)
        found = here.pop(row["item"])
        told = tuple((r["verb"], r["part"]) for r in row["remediations"])
        assert (row["effect"], row["until"], told) == (
            found.effect, found.until, found.remediations,
        )  # fmt: skip
        assert tuple(row["rows"]) == found.leaves
    assert not here


def test_every_item_has_one_line_and_no_cell_is_a_formula(pack: Path) -> None:
    with (pack / "outcomes.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [r["outcome"] for r in rows] == ["stands_until", "stops", "no_response"]
    assert rows[1]["name"] == "'=cmd|'/c calc'!A1"
    assert rows[1]["reason"] == "'=1+1"
    assert rows[0]["bulk"] == "1 at once: marked"
    assert rows[2]["verdict"] == ""
    with (pack / "remediations.csv").open() as stream:
        stops = list(csv.DictReader(stream))
    assert [(r["verb"], r["part"], r["by"]) for r in stops] == [
        ("revoke", "u1-key", "2026-12-10"), ("revoke", "", ""),
    ]  # fmt: skip
    assert all(r["what"].startswith("no command is known") for r in stops)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_cell_that_a_spreadsheet_would_run_is_text(start: str) -> None:
    line = _tables.csv_line([f"{start}HYPERLINK(1)"]).decode()
    assert line.startswith(("'", "\\", '"\\'))
    assert "\r" not in line
    assert "\t" not in line


def test_a_pack_of_an_open_review_says_so(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.scene import open_scene

    second = open_scene(scene.db, tmp_path, monkeypatch, name="Winter")
    built = evidence.build_pack(second.db, second.campaign, tmp_path / "w", second.boss, END)
    assert built.outcomes == {"no_response": 3}
    report = evidence.verify(tmp_path / "w")
    assert report.closed_at is None
    assert report.gaps == 7  # five statements of Autumn, two keys that signed nothing here
    assert any("not closed" in note for note in report.notes)


def test_a_second_pack_holds_the_statement_of_the_first(pack: Path, scene: Scene) -> None:
    again = pack.with_name("again")
    evidence.build_pack(scene.db, scene.campaign, again, scene.boss, END)
    assert len(list(again.glob("statements/*-pack"))) == 1
    evidence.verify(again)


def test_it_is_never_written_into_a_folder_that_has_something(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    before = read(pack)
    with pytest.raises(UsageError, match="is there already"):
        evidence.build_pack(scene.db, scene.campaign, pack, scene.boss, END)
    assert read(pack) == before
    with pytest.raises(UsageError, match="no such folder"):
        evidence.build_pack(scene.db, scene.campaign, tmp_path / "no" / "x", scene.boss, END)


def test_only_who_opened_it_signs_its_evidence(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="opened it"):
        evidence.build_pack(scene.db, scene.campaign, tmp_path / "x", scene.rev, END)


def test_a_failure_leaves_nothing_behind(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is full")

    before = scene.db.value("SELECT count(*) FROM entry")
    names = set(tmp_path.iterdir())
    monkeypatch.setattr(_tables, "outcome_line", fail)
    with pytest.raises(OSError, match="full"):
        evidence.build_pack(scene.db, scene.campaign, tmp_path / "x", scene.boss, END)
    assert set(tmp_path.iterdir()) == names
    assert scene.db.value("SELECT count(*) FROM entry") == before


def test_what_is_signed_meanwhile_is_not_left_out(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = _tables.outcome_line
    once: list[int] = []

    def meanwhile(judged: object, *more: object) -> bytes:
        if not once:
            once.append(1)
            with monkeypatch.context() as patch:
                patch.setattr(_tables, "outcome_line", real)
                evidence.build_pack(scene.db, scene.campaign, tmp_path / "y", scene.boss, END)
        return real(judged, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(_tables, "outcome_line", meanwhile)
    with pytest.raises(Conflict, match="write it again"):
        evidence.build_pack(scene.db, scene.campaign, tmp_path / "x", scene.boss, END)


def test_no_secret_and_no_database_number_gets_in(content: dict[str, bytes]) -> None:
    for name, data in content.items():
        assert b"PRIVATE KEY" not in data, name
    row = json.loads(content["statements/000005-decisions/decisions.jsonl"].splitlines()[0])
    assert row["item"].startswith("muster:testbed:t1/identity/")


def test_a_workspace_verifies_and_its_tampering_shows(scene: Scene) -> None:
    folder = scene.db.path.parent
    report = evidence.verify(folder)
    assert report.statements == 8
    with scene.db.atomic():
        scene.db.execute("DROP TRIGGER decision_is_final")
        scene.db.execute("UPDATE decision SET row = replace(row, 'revoke', 'approve')")
    with pytest.raises(VerificationFailed, match="rows are not what was signed"):
        evidence.verify(folder)


def test_a_changed_blob_in_a_workspace_shows(scene: Scene) -> None:
    with scene.db.atomic():
        scene.db.execute("UPDATE blob SET packed = x'00' WHERE sha256 = (SELECT definition"
                         " FROM campaign)")  # fmt: skip
    with pytest.raises(VerificationFailed, match="do not match their digest"):
        evidence.verify(scene.db.path.parent)


def test_one_envelope_verifies_with_the_key_beside_it(pack: Path, tmp_path: Path) -> None:
    enrolment = pack / "statements" / "000001-enrolment"
    assert evidence.verify(enrolment / "statement.dsse.json").kind == "envelope"
    (enrolment / "key.pub").unlink()
    with pytest.raises(VerificationFailed, match="no statement with public keys"):
        evidence.verify(enrolment / "statement.dsse.json")
    with pytest.raises(NotFound, match="no such pack"):
        evidence.verify(tmp_path / "nothing")


def test_fingerprints_from_elsewhere_are_compared(pack: Path, scene: Scene) -> None:
    good = {p: k.fingerprint for p, k in
            ((BOSS, scene.boss), (REV, scene.rev), (SECOND, scene.second))}  # fmt: skip
    (note,) = evidence.verify(pack, good).notes
    assert "no witness" in note
    some = evidence.verify(pack, {BOSS: scene.boss.fingerprint, "x@y.z": "SHA256:no"})
    assert any(REV in note for note in some.notes)
    assert any("x@y.z" in note for note in some.notes)
    with pytest.raises(VerificationFailed, match="not the fingerprint you gave"):
        evidence.verify(pack, {REV: scene.boss.fingerprint})


def test_the_outcomes_of_a_pack_come_from_the_fold() -> None:
    from passmuster.evidence import _walk

    assert vars(_walk)["outcomes"] is outcomes
