"""The files of a user access review, and the six tests: what each counts and what it cannot say."""

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from passmuster import campaigns, evidence, inventory
from passmuster.evidence import _after
from passmuster.model import Change, Credential, Grant, Identity, Record, Usage
from passmuster.store import Database
from tests.evidence.later import AFTER, import_again, speaks_for_all
from tests.scene import BOSS, END, LATER, NOW, RAW, REV, SECOND, Scene, draft, open_scene

U2 = "=cmd|'/c calc'!A1"
Patch = pytest.MonkeyPatch
Rows = list[dict[str, str]]


def table(pack: Path, name: str) -> Rows:
    with (pack / "exports" / "audit" / f"{name}.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def results(pack: Path) -> dict[str, tuple[str, str, str, str]]:
    return {row["test"]: (row["population"], row["exceptions"], row["not_tested"], row["result"])
            for row in table(pack, "tests")}  # fmt: skip


def packed(scene: Scene, out: Path, now: str = AFTER) -> Path:
    evidence.build_pack(scene.db, scene.campaign, out, scene.boss, now)
    evidence.verify(out)
    return out


@pytest.fixture
def scene(db: Database, tmp_path: Path, monkeypatch: Patch) -> Scene:
    """Closed; one item is silent, one stops, one stands but for its key until a day."""
    speaks_for_all(monkeypatch)
    made = open_scene(db, tmp_path, monkeypatch)
    made.decide()
    made.close()
    return made


def test_the_review_file_has_every_item_with_who_was_asked_and_who_decided(
    scene: Scene, tmp_path: Path
) -> None:
    rows = table(packed(scene, tmp_path / "p"), "review-file")
    assert [(r["requested_of"], r["decided_by"], r["verdict"], r["outcome"]) for r in rows] == [
        (REV, REV, "approve", "stands_until"), (REV, SECOND, "revoke", "stops"),
        (REV, "", "", "no_response"),
    ]  # fmt: skip
    assert rows[0]["changes"] == "revoke u1-key by 2026-12-10"
    assert rows[1]["relation_to_item"] == "handed over by an earlier reviewer"
    assert rows[1]["reason"] == "'=1+1"
    assert {r["name"] for r in rows} == {"ci-deploy", f"'{U2}", "vendor-etl"}
    assert [r["in_time"] for r in rows] == ["yes", "yes", ""]


def test_the_permission_file_is_what_the_campaign_froze(
    scene: Scene, tmp_path: Path, monkeypatch: Patch
) -> None:
    import_again(scene.db, tmp_path, monkeypatch, lambda r: None if isinstance(r, Grant) else r)
    pack = packed(scene, tmp_path / "p")
    before = {(r["identity"], r["part"], r["uid"]) for r in table(pack, "permission-file")}
    after = {(r["identity"], r["part"], r["uid"])
             for r in table(pack, "post-review-permission-file")}  # fmt: skip
    assert before - after == {("u1", "grant", "all")}
    assert {("u1", "credential", "u1-key"), ("u3", "trust", "partner"),
            ("u2", "account", "u2")} < before  # fmt: skip


def test_without_a_newer_export_nothing_counts_as_gone(scene: Scene, tmp_path: Path) -> None:
    pack = packed(scene, tmp_path / "p")
    assert results(pack)["revoked"] == ("2", "0", "2", "not tested")
    assert table(pack, "post-review-permission-file") == []
    assert {r["state_at_the_source"] for r in table(pack, "actions")} == {"unknown"}
    (note,) = [r["note"] for r in table(pack, "tests") if r["test"] == "revoked"]
    assert "no newer testbed.rows was imported after the review was closed" in note
    assert "no newer" in table(pack, "sources")[0]["after_the_review"]


def test_the_same_file_again_and_an_import_before_the_end_prove_nothing(
    db: Database, tmp_path: Path, monkeypatch: Patch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch)
    scene.decide()
    import_again(db, tmp_path, monkeypatch, change("u2"), at="2026-11-30T08:00:00Z")
    scene.close()
    again = tmp_path / "later.txt"
    inventory.import_file(db, again, now=AFTER, by=BOSS, format_name="testbed.rows")
    assert again.read_bytes() != RAW
    assert results(packed(scene, tmp_path / "p"))["revoked"] == ("2", "0", "2", "not tested")


def change(uid: str, part: str | None = None, **to: Any) -> Callable[[Record], Record | None]:
    """Something else of an identity, or of its credential; no words take it away."""

    def done(record: Record) -> Record | None:
        of = Identity if part is None else Credential
        if isinstance(record, of) and record.uid == (part or uid):
            return record._replace(**to) if to else None
        gone = part is None and not to
        holder = isinstance(record, Credential) and record.identity_uid == uid
        return None if gone and holder else record

    return done


def test_an_export_that_was_not_read_whole_proves_nothing_of_who_is_missing(
    scene: Scene, tmp_path: Path, monkeypatch: Patch
) -> None:
    import_again(scene.db, tmp_path, monkeypatch, change("u2"), whole=False)
    told = {r["name"].lstrip("'"): r for r in table(packed(scene, tmp_path / "p"), "actions")}
    assert told[U2]["state_at_the_source"] == "unknown"
    assert told[U2]["why"] == "no export after the review speaks of this identity"


@pytest.mark.parametrize(("what", "item", "state"), [
    (change("u2"), U2, "gone"), (change("u2", status="disabled"), U2, "gone"),
    (change("u2", display_name="renamed"), U2, "standing"),
    (change("u2", status="unknown"), U2, "standing"),
    (change("u1", "u1-key"), "ci-deploy", "gone"),
    (change("u1", "u1-key", status="disabled"), "ci-deploy", "gone"),
    (change("u1", "u1-key", hint="abcd"), "ci-deploy", "standing"),
])  # fmt: skip
def test_access_is_gone_when_a_newer_export_says_so(
    scene: Scene, tmp_path: Path, monkeypatch: Patch, item: str, state: str,
    what: Callable[[Record], Record | None],
) -> None:  # fmt: skip
    import_again(scene.db, tmp_path, monkeypatch, what)
    pack = packed(scene, tmp_path / "p")
    told = {r["name"].lstrip("'"): r["state_at_the_source"] for r in table(pack, "actions")}
    assert told[item] == state
    exceptions = [r for r in table(pack, "tests-exceptions") if r["test"] == "revoked"]
    assert len(exceptions) == list(told.values()).count("standing")
    assert int(results(pack)["revoked"][1]) == len(exceptions)


def test_rotation_is_told_by_a_new_date(
    db: Database, tmp_path: Path, monkeypatch: Patch
) -> None:  # fmt: skip
    scene = open_scene(db, tmp_path, monkeypatch)
    for name, uid in (("ci-deploy", "u1"), (U2, "u2")):
        turn = draft("approve", "turn it", changes=(Change("rotate", f"{uid}-key"),))
        campaigns.save_draft(db, scene.item(name), turn, LATER)
    scene.sign(scene.rev)
    scene.close()
    import_again(db, tmp_path, monkeypatch, change("u1", "u1-key", created_at=LATER))
    states = [r["state_at_the_source"] for r in table(packed(scene, tmp_path / "p"), "actions")]
    assert states == ["gone", "standing"]


def test_an_approval_that_has_ended_is_looked_for_as_well(
    scene: Scene, tmp_path: Path, monkeypatch: Patch
) -> None:
    late = "2027-04-02T08:00:00Z"
    import_again(scene.db, tmp_path, monkeypatch, at=late)
    told = table(packed(scene, tmp_path / "p", late), "actions")
    assert ("end", "standing") in [(r["action"], r["state_at_the_source"]) for r in told]
    early = packed(scene, tmp_path / "q", late)
    assert len(table(early, "actions")) == 3


def test_all_reviewed_names_the_silent_and_the_late(
    db: Database, tmp_path: Path, monkeypatch: Patch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch)
    campaigns.save_draft(db, scene.item("ci-deploy"), draft("abstain", "not mine"), LATER)
    campaigns.save_draft(db, scene.item(U2), draft("approve", "late"), LATER)
    scene.sign(scene.rev, "2027-01-02T08:00:00Z")
    campaigns.close(db, scene.campaign, scene.boss, "2027-01-03T08:00:00Z")
    scene.campaign = campaigns.campaign(db, scene.campaign.name)
    pack = packed(scene, tmp_path / "p", "2027-01-04T08:00:00Z")
    told = [(r["test"], r["name"].lstrip("'"), r["what"]) for r in table(pack, "tests-exceptions")]
    assert ("all-reviewed", "ci-deploy", "only abstentions") in told
    assert ("all-reviewed", "vendor-etl", "no signed decision") in told
    late = "signed 2027-01-02T08:00:00Z, due 2026-12-31T23:59:59Z"
    assert ("timeliness", U2, late) in told
    assert results(pack)["timeliness"] == ("3", "4", "0", "exceptions")  # the end was late too
    (request,) = table(pack, "requests")
    assert (request["items"], request["decided"], request["late"]) == ("3", "2", "2")
    (review,) = table(pack, "review")
    assert (review["completed_in_time"], review["threshold_days"]) == ("no", "38")


def test_what_is_undecided_when_a_review_is_closed_is_not_in_time(
    scene: Scene, tmp_path: Path
) -> None:
    pack = packed(scene, tmp_path / "p")
    assert results(pack)["timeliness"] == ("3", "1", "0", "exceptions")
    told = {(r["test"], r["name"]): r["what"] for r in table(pack, "tests-exceptions")}
    assert told["timeliness", "vendor-etl"] == f"not decided when the review was closed, {END}"


def test_a_review_that_nobody_decided_has_its_files(
    db: Database, tmp_path: Path, monkeypatch: Patch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch)
    pack = packed(scene, tmp_path / "p", NOW)
    assert results(pack)["all-reviewed"] == ("3", "3", "0", "exceptions")
    assert results(pack)["own-access"] == ("0", "0", "0", "nothing to test")
    assert results(pack)["timeliness"] == ("3", "0", "3", "not tested"), "it is not due yet"
    assert results(pack)["revoked"] == ("0", "0", "0", "nothing to test")
    assert "<h1>Autumn</h1>" in (pack / "report.html").read_text()


def test_who_judges_their_own_access_is_an_exception(
    db: Database, tmp_path: Path, monkeypatch: Patch
) -> None:
    from tests import scene as stage

    def told(*_: object) -> Any:
        for record in stage.records():
            if isinstance(record, Identity) and record.uid == "u1":
                yield record._replace(created_by="Rev@example.com")
            else:
                yield record
        yield Usage("u2", REV, "person")

    monkeypatch.setattr(stage, "FORMAT", stage.FORMAT.__class__(
        "testbed.rows", "rows", lambda _: True, told, "none", keeps_raw=True,
        supplies=("credential", "consumer"),
    ))  # fmt: skip
    scene = open_scene(db, tmp_path, monkeypatch)
    for name in ("ci-deploy", U2, "vendor-etl"):
        campaigns.save_draft(db, scene.item(name), draft("approve", "so"), LATER)
    scene.sign(scene.rev)
    pack = packed(scene, tmp_path / "p")
    own = [r["what"] for r in table(pack, "tests-exceptions") if r["test"] == "own-access"]
    assert own == ["the reviewer created the account", "the reviewer uses the account by hand"]


def test_a_row_that_was_not_read_is_an_exception_to_completeness(
    scene: Scene, tmp_path: Path
) -> None:
    pack = packed(scene, tmp_path / "p")
    told = [r for r in table(pack, "tests-exceptions") if r["test"] == "completeness"]
    assert [(r["name"], r["what"]) for r in told] == [
        ("testbed.txt line 5", "not read: kind: a row that says nothing"),
    ]  # fmt: skip
    assert results(pack)["completeness"][0] == "5"  # four identities and that row


def test_what_is_in_neither_list_is_found(scene: Scene, tmp_path: Path) -> None:
    """As if the opening had left it out without a word."""
    from passmuster.evidence._six import Six
    from tests.evidence.again import redraft

    pack = packed(scene, tmp_path / "p")
    with scene.db.atomic():
        scene.db.execute("DELETE FROM exclusion")
    missed = [m for m in Six(redraft(pack, scene, tmp_path / "m")).end() if m.item]
    assert [(m.test, m.name, m.why) for m in missed] == [
        ("completeness", "admins", "neither reviewed nor excluded"),
    ]  # fmt: skip


@pytest.mark.parametrize("of", campaigns.ITEM_KINDS)
def test_every_kind_of_item_has_its_files_and_no_cell_is_a_formula(
    db: Database, tmp_path: Path, monkeypatch: Patch, of: str
) -> None:
    monkeypatch.setattr(_after, "AT_ONCE", 2)
    register = tmp_path / "people.csv"
    header = "email,name,kind,active,left_on,manager,aliases,teams"
    register.write_text(f'{header}\nm@example.com,"=HYPERLINK(""x"",1)",person,yes,,,,\n')
    inventory.import_file(db, register, now=NOW, by=BOSS, format_name="people")
    scene = open_scene(db, tmp_path, monkeypatch, of=of)
    ids = [row[0] for row in db.execute("SELECT id FROM item ORDER BY id")]
    campaigns.save_draft(db, ids[0], draft("revoke", "@SUM(1)"), LATER)
    scene.sign(scene.rev)
    scene.close()
    import_again(db, tmp_path, monkeypatch)
    pack = packed(scene, tmp_path / "p")
    for path in (pack / "exports").rglob("*.csv"):
        with path.open(newline="") as stream:
            cells = [cell for row in csv.reader(stream) for cell in row]
        assert not [c for c in cells if c.startswith(("=", "+", "-", "@", "\t", "\r"))], path
        assert all(c.isprintable() for c in cells)
        assert "PRIVATE KEY" not in path.read_text()
    assert results(pack)["revoked"] == ("1", "1", "0", "exceptions")
    assert len(table(pack, "review-file")) == len(ids)
    assert [r["name"] for r in table(pack, "people")] == ['\'=HYPERLINK("x",1)']


def test_open_reviews_are_not_tested_for_what_comes_after(
    db: Database, tmp_path: Path, monkeypatch: Patch
) -> None:
    scene = open_scene(db, tmp_path, monkeypatch)
    scene.decide()
    import_again(db, tmp_path, monkeypatch)
    pack = packed(scene, tmp_path / "p")
    assert results(pack)["revoked"][3] == "not tested"
    assert table(pack, "actions")[0]["why"] == "the review is not closed yet"
    assert END > LATER
