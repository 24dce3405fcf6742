"""What came of each stop is shown where people and tools look, and never as more than was said."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from passmuster import evidence, remediation, tlog
from passmuster.connectors import Verdict
from passmuster.evidence import _came
from passmuster.evidence._after import State
from passmuster.evidence._came import HEARD, Came, Heard
from passmuster.evidence.formats import _acts, _tracking, ocsf, oscal
from passmuster.remediation import State as Stage
from passmuster.remediation._table import record
from passmuster.store import Database
from tests.evidence.again import HOSTILE, redraft
from tests.evidence.later import AFTER, import_again, speaks_for_all
from tests.evidence.test_ocsf import errors
from tests.evidence.test_oscal import SCHEMA, check_references, number, trestle
from tests.evidence.test_report import OURS
from tests.evidence.test_report import read as page
from tests.evidence.test_urgent import AFTER as SOON_AFTER
from tests.evidence.test_urgent import CALL, approve, stop
from tests.scene import END, Scene, open_scene

Json = dict[str, Any]
LATE = "2026-12-20T08:00:00Z"
KEY = "u1-key"
Result = tuple[Stage, Verdict | None, str]
EACH: dict[Heard, Result] = {
    "refused": ("verified", "refused", "401"), "flag": ("verified", "flag", "it is off"),
    "works": ("applied", "works", "let in"), "applied": ("applied", None, "taken"),
    "apply_failed": ("apply_failed", None, "403"), "object_gone": ("object_gone", None, "none"),
    "not_supported": ("not_supported", None, "by hand"),
    "planned": ("planned", None, "handed over"), "reverted": ("reverted", None, "put back"),
}  # fmt: skip


def carry_out(scene: Scene, at: str = END, **results: Result) -> None:
    """Sign a result of the key that is to be revoked (`key`), of the account (`account`)."""
    remediation.plan(scene.db, at)
    for one in remediation.remedies(scene.db):
        result = results.get("key" if one.part == KEY else "account")
        if result is not None:
            record(scene.db, one, result[0], result[2], at, verdict=result[1])
    remediation.sign(scene.db, scene.rev, at)


def packed(scene: Scene, tmp_path: Path, now: str = END) -> Path:
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "p", scene.boss, now)
    evidence.verify(tmp_path / "p")
    return tmp_path / "p"


def told(pack: Path) -> list[Json]:
    """The events of what was carried out."""
    found = [json.loads(line) for line in (pack / ocsf.FILE).read_text().splitlines()]
    return [e for e in found if "remediation" in e.get("unmapped", {})]


def document(pack: Path) -> Json:
    found: Json = json.loads((pack / oscal.FILE).read_text())["assessment-results"]
    check_references(found)
    return found


def stops(pack: Path) -> dict[str, Json]:
    """The risks of what is to stop, by their titles."""
    risks = document(pack)["results"][0]["risks"]
    return {r["title"]: r for r in risks if any(p["name"] == "at-the-source" for p in r["props"])}


# what it comes to


@pytest.mark.parametrize("kind", EACH)
def test_a_result_comes_to_what_was_answered(kind: Heard) -> None:
    state, verdict, _ = EACH[kind]
    assert _came.heard({"state": state, "verdict": verdict}) == kind
    assert _came.heard(None) == "none" and HEARD.keys() == {*EACH, "none"}


@pytest.mark.parametrize(("kind", "state", "newer", "done"), [
    ("refused", "unknown", True, True), ("flag", "unknown", True, True),
    ("refused", "standing", False, False), ("refused", "standing", True, True),
    ("works", "unknown", True, False), ("applied", "unknown", True, False),
    ("object_gone", "unknown", True, False), ("planned", "unknown", True, False),
    ("none", "unknown", False, False), ("none", "gone", False, True),
    ("reverted", "unknown", True, False), ("reverted", "gone", False, True),
    ("reverted", "gone", True, False), ("applied", "gone", True, True),
])  # fmt: skip
def test_it_is_done_where_the_later_of_result_and_export_says_so(
    kind: Heard, state: State, newer: bool, done: bool
) -> None:
    one = Came("revoke", None, "2026-12-10", kind, None, state, "", newer)
    assert one.is_done == done
    assert one.is_late(LATE) == (not done) and not one.is_late("2026-12-10T23:00:00Z")


# the page


def test_the_page_says_in_sentences_what_was_stopped_proved_and_put_back(
    scene: Scene, tmp_path: Path
) -> None:
    carry_out(scene, key=EACH["refused"], account=EACH["reverted"])
    found = page(packed(scene, tmp_path))
    assert {tag for tag, _ in found.tags} <= OURS
    for words in (
        "Stops and changes that the decisions ask for: 2.",
        "Stopped, by a signed result: 1 (refused when the platform was asked: 1; reads back as off,"
        " and nobody tried it: 0).",
        "Proved: 1 (gone or off in an export after the review: 0; by the platform's answer alone:"
        " 1).", "Not proved: 0.", "Put back after it had been stopped: 1.", "Open past its day: 0.",
        f"{HEARD['refused']} 0 0 1", f"{HEARD['reverted']} 0 0 1",
        "put back after it had been stopped: put back, 2026-12-01 17:00 UTC statements/0000",
    ):  # fmt: skip
        assert words in found.said, words


def test_what_nobody_signed_anything_of_is_not_proved_and_late_when_its_day_is_past(
    scene: Scene, tmp_path: Path
) -> None:
    said = page(packed(scene, tmp_path, LATE)).said
    for words in ("2 stops not proved : see what stops", "Stopped, by a signed result: 0 ",
                  "Not proved: 2", "Open past its day: 1", "no signed result 0 0 2",
                  f"revoke {KEY}, by 2026-12-10",
                  "Open past the day by which it was to be done: 1"):  # fmt: skip
        assert words in said, words


@pytest.mark.parametrize(("at", "proved"), [(END, False), ("2026-12-06T08:00:00Z", True)])
def test_an_export_that_still_has_it_outweighs_an_older_result_and_no_newer_one(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str, proved: bool
) -> None:
    assert END < AFTER < "2026-12-06T08:00:00Z"
    speaks_for_all(monkeypatch)
    carry_out(scene, at, account=EACH["refused"])
    import_again(scene.db, tmp_path, monkeypatch)
    pack = packed(scene, tmp_path, LATE)
    said = page(pack).said
    assert f"by the platform's answer alone: {int(proved)})" in said
    assert f"Still there after the review: {2 - proved}" in said
    (risk,) = (r for title, r in stops(pack).items() if title.endswith(": revoke"))
    assert risk["status"] == ("closed" if proved else "remediating")


def test_a_void_result_is_shown_nowhere(scene: Scene, tmp_path: Path) -> None:
    carry_out(scene, key=EACH["refused"], account=EACH["refused"])
    with scene.db.atomic():
        scene.db.execute("INSERT INTO void_entry SELECT max(id), 'a lost key' FROM entry"
                         " WHERE predicate = 'remediation'")  # fmt: skip
    evidence.build_pack(scene.db, scene.campaign, tmp_path / "p", scene.boss, END)
    assert not told(tmp_path / "p") and tlog.voids(scene.db)
    assert {r["status"] for r in stops(tmp_path / "p").values()} == {"open"}
    assert "Stopped, by a signed result: 0 " in page(tmp_path / "p").said


@pytest.fixture
def hurried(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """Two stops in an emergency, both refused; one of them is approved by who saw it."""
    scene = open_scene(db, tmp_path, monkeypatch)
    for name in ("ci-deploy", "vendor-etl"):
        stop(scene, name)
    for one in list(remediation.wanted(db, END)):
        record(db, remediation.plan_one(db, one, END), "verified", "401", END, verdict="refused")
    remediation.sign(db, CALL, END)
    approve(scene, "vendor-etl", SOON_AFTER)
    scene.sign(scene.rev, SOON_AFTER)
    return scene


def test_an_emergency_is_told_and_so_is_one_that_the_review_took_back(
    hurried: Scene, tmp_path: Path
) -> None:
    pack = packed(hurried, tmp_path)
    said = page(pack).said
    assert "Stops and changes that the decisions ask for: 1; in an emergency: 1 item." in said
    assert "Carried out, and asked for by no decision that counts: 1." in said
    assert "Carried out, and no decision that counts asks for it: 1" in said
    assert [e["unmapped"]["asked_by"] for e in told(pack)] == ["emergency"] * 2
    assert stops(pack).keys() == {"ci-deploy: disable"}
    titles = [o["title"] for o in document(pack)["results"][0]["observations"]]
    assert f"vendor-etl: disable: {HEARD['refused']}" in titles
    rows = (pack / "exports/audit/actions.csv").read_text()
    assert re.search(rf",no,no,\"{HEARD['refused']}\",401,", rows), rows


def test_no_result_is_lost_beyond_the_first(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_tracking, "SHOWN", 1)
    pack = packed(scene, tmp_path)
    result = document(pack)["results"][0]
    assert len(stops(pack)) == 1 and "1 result more" in result["description"]
    assert number(document(pack), "remediation-none") == 2
    assert number(document(pack), "remediation-open") == 2


# OCSF


@pytest.mark.parametrize(("kind", "class_uid", "activity", "status"), [
    ("refused", 3001, 5, 1), ("flag", 3001, 5, 1), ("works", 3001, 5, 2), ("applied", 3001, 5, 0),
    ("apply_failed", 3001, 5, 2), ("reverted", 3001, 2, 1), ("object_gone", 3004, 99, 99),
    ("not_supported", 3004, 99, 99), ("planned", 3004, 99, 99),
])  # fmt: skip
def test_an_act_is_an_event_of_its_class_and_a_success_only_where_it_is_proved(
    kind: Heard, class_uid: int, activity: int, status: int
) -> None:
    found = act(kind, "R1")
    assert _acts.kind_of(found)[:2] == (class_uid, activity)
    assert _acts.status(found) == status


def act(kind: Heard, undo_class: str) -> _acts.Act:
    """An account of whose stop that came."""
    state, verdict, said = EACH[kind]
    row = {"item": "muster:toy:t1/identity/a", "verb": "revoke", "part": None, "state": state,
           "verdict": verdict, "said": said, "undoClass": undo_class}  # fmt: skip
    return _acts.Act(None, "", row, "identity", "a", "service")  # type: ignore[arg-type]


def test_what_was_taken_away_is_not_told_as_switched_off() -> None:
    found = act("refused", "R2")
    assert _acts.kind_of(found) == (3001, 99, "Remediation: revoke")
    assert _acts.kind_of(act("reverted", "R2")) == (3001, 99, "Remediation: put back")
    assert _acts.kind_of(found._replace(kind="credential"))[0] == 3004
    assert _acts.kind_of(found._replace(kind="grant")) == (3005, 2, None)


def test_every_result_is_an_event_in_the_order_of_the_log(scene: Scene, tmp_path: Path) -> None:
    for kind in ("applied", "refused", "reverted"):
        carry_out(scene, key=EACH[kind])
    found = told(packed(scene, tmp_path))
    assert [e["unmapped"]["state"] for e in found] == ["applied", "verified", "reverted"]
    assert len({e["metadata"]["uid"] for e in found}) == 3
    assert {(e["entity"]["type"], e["entity"]["uid"]) for e in found} == {("credential", KEY)}
    assert found[0]["actor"]["user"]["uid"] == scene.rev.principal
    assert found[1]["status_detail"] == f"{HEARD['refused']}: 401"


def varied(scene: Scene, tmp_path: Path) -> Path:
    """A pack that has every kind of result, of things with a stranger's words."""
    for (state, verdict, said), hostile in zip(EACH.values(), HOSTILE, strict=False):
        words = f"{said} {hostile}"
        carry_out(scene, key=(state, verdict, words), account=(state, verdict, words))
    return packed(scene, tmp_path, LATE)


@pytest.mark.ci
def test_the_events_are_valid_by_the_published_schema(scene: Scene, tmp_path: Path) -> None:
    pack = varied(scene, tmp_path)
    found = told(pack)
    assert len(found) == 2 * len(EACH)
    written = redraft(pack, scene, tmp_path / "x")
    of = next(_acts.acts(written))
    with_ = ocsf.begin(written)
    found += [with_._carried_out(of._replace(kind=kind, of="service")) for kind in
              ("identity", "credential", "grant", "trust", "part")]  # fmt: skip
    assert {e["class_uid"] for e in found} == {3001, 3004, 3005}
    wrong = {str(errors(event)) + event["message"] for event in found if errors(event)}
    assert not wrong


@pytest.mark.ci
@pytest.mark.parametrize("case", ["varied", "late"])
def test_nists_schema_and_trestle_take_what_came_of_it(
    scene: Scene, tmp_path: Path, case: str
) -> None:
    import jsonschema_rs

    pack = varied(scene, tmp_path) if case == "varied" else packed(scene, tmp_path, LATE)
    text = (pack / oscal.FILE).read_text()
    document(pack)
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text()))
    assert not [e.message for e in validator.iter_errors(json.loads(text))]
    assert trestle(tmp_path, text) == 0


def test_a_risk_is_tracked_with_its_day_its_response_and_who_said_so(
    scene: Scene, tmp_path: Path
) -> None:
    carry_out(scene, key=EACH["works"])
    pack = packed(scene, tmp_path)
    risk = stops(pack)[f"ci-deploy: revoke {KEY}"]
    assert (risk["status"], risk["deadline"]) == ("remediating", "2026-12-10T23:59:59Z")
    (response,), (entry,) = risk["remediations"], risk["risk-log"]["entries"]
    assert (response["lifecycle"], response["description"]) == ("planned", "in use")
    assert (entry["description"], entry["start"]) == ("let in", END)
    assert entry["related-responses"] == [{"response-uuid": response["uuid"]}]
    parties = {p["uuid"]: p["name"] for p in document(pack)["metadata"]["parties"]}
    assert parties[entry["logged-by"][0]["party-uuid"]] == scene.rev.principal
    (other,) = (r for title, r in stops(pack).items() if title.endswith("A1: revoke"))
    assert other["status"] == "open" and "risk-log" not in other


def test_markup_of_a_platform_is_text(scene: Scene, tmp_path: Path) -> None:
    pack = varied(scene, tmp_path)
    assert {tag for tag, _ in page(pack).tags} <= OURS
    for risk in stops(pack).values():
        for words in (risk["title"], risk["risk-log"]["entries"][0]["description"]):
            assert not re.search(r"<|(?<!\\)[\[\]{}]|(?<!\\)\*", words), words
