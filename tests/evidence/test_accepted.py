"""SARIF suppressions: what somebody signed that they accept, and nothing else."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from passmuster import campaigns, evidence
from passmuster.config import REASONS
from passmuster.evidence._walk import Judged
from passmuster.evidence.formats import _accepted, sarif
from passmuster.evidence.formats._accepted import SAYS_SO
from passmuster.model import Change
from passmuster.outcomes import Outcome
from passmuster.store import Database
from passmuster.tui.answers import FITS
from tests.evidence.again import finding_row, judged, make, redraft, rule_row, with_rows
from tests.evidence.test_sarif import oasis, run_of
from tests.evidence.test_second import say, two
from tests.scene import END, LATER, NOW, Scene, draft, open_scene

Json = dict[str, Any]
RULE = "admin-wildcard"
FOR_NOW = "risk accepted for now"
__all__ = ["two"]


def decided(scene: Scene, reason: str, verdict: str = "approve", **more: object) -> None:
    campaigns.save_draft(scene.db, scene.item("ci-deploy"), draft(verdict, reason, **more), LATER)
    scene.sign(scene.rev)


def run(scene: Scene, tmp_path: Path, now: str = END) -> Json:
    pack = tmp_path / f"p{len(list(tmp_path.iterdir()))}"
    evidence.build_pack(scene.db, scene.campaign, pack, scene.boss, now)
    return run_of((pack / sarif.FILE).read_text())


def suppressions(found: Json) -> list[Json]:
    """Those of the one finding of the rule; of another account's findings there are none."""
    (mine,) = (r for r in found["results"] if r["ruleId"] == RULE)
    for result in found["results"]:
        where = result["locations"][0]["logicalLocations"][-1]["fullyQualifiedName"]
        assert where.endswith("/u1") or result["suppressions"] == []
    return list(mine["suppressions"])


@pytest.fixture
def opened(db: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return open_scene(db, tmp_path, monkeypatch)


def test_our_one_key_reason_says_so_and_fits_an_approval_alone() -> None:
    (ours,) = (words for words in REASONS.values() if words.startswith(SAYS_SO))
    assert ours == FOR_NOW and FITS[ours] == ("approve",)


@pytest.mark.parametrize("reason", [FOR_NOW, " Risk accepted: it is read-only, by the CISO"])
def test_a_signed_acceptance_suppresses_what_its_signer_saw(
    opened: Scene, tmp_path: Path, reason: str
) -> None:
    decided(opened, reason, until="2027-03-31")
    (one,) = suppressions(run(opened, tmp_path))
    assert (one["kind"], one["status"]) == ("external", "accepted")
    assert one["justification"] == reason.strip()
    assert one["properties"]["by"] == opened.rev.principal
    assert one["properties"]["until"] == "2027-03-31"
    (pack,) = tmp_path.glob("p*")
    assert (pack / one["properties"]["statement"]).is_dir()


@pytest.mark.parametrize(("verdict", "reason"), [
    ("approve", "in use, owner confirmed"), ("approve", "no risk accepted"), ("approve", ""),
    ("revoke", FOR_NOW), ("abstain", FOR_NOW), (None, ""),
])  # fmt: skip
def test_an_approval_or_another_verdict_suppresses_nothing_and_that_is_known(
    opened: Scene, tmp_path: Path, verdict: str | None, reason: str
) -> None:
    if verdict is not None:
        decided(opened, reason or "x", verdict)
    assert suppressions(run(opened, tmp_path)) == []


def test_an_acceptance_ends_with_its_approval(opened: Scene, tmp_path: Path) -> None:
    decided(opened, FOR_NOW, until="2026-12-31")
    assert suppressions(run(opened, tmp_path, "2026-12-31T23:00:00Z"))
    assert not suppressions(run(opened, tmp_path, "2027-01-01T00:00:01Z"))


def test_without_the_second_person_nothing_is_accepted(two: Scene, tmp_path: Path) -> None:
    decided(two, FOR_NOW)
    assert not suppressions(run(two, tmp_path))
    say(two, "concur", "ci-deploy")
    assert suppressions(run(two, tmp_path))


def test_a_void_acceptance_is_none(opened: Scene, tmp_path: Path) -> None:
    decided(opened, FOR_NOW)
    opened.db.execute("INSERT INTO void_entry SELECT max(id), 'a lost key' FROM entry")
    assert not suppressions(run(opened, tmp_path))


def accepted(pack: Path, scene: Scene, tmp_path: Path, *rows: Json, **of: Any) -> list[bool]:
    """Of each finding whether it is suppressed by the acceptance of an item that showed one."""
    changed = with_rows(pack, tmp_path / "c", rules=[rule_row(RULE, "hit")], findings=rows)
    draft_ = redraft(pack, scene, tmp_path / "d")
    one = judged(draft_)[0]
    text = make(replace(draft_, files=type(draft_.files)(changed)), sarif, [says(one, **of)])
    return [bool(result["suppressions"]) for result in run_of(text)["results"]]


def says(one: Judged, of: str = "identity", subject: str | None = None,
         parts: tuple[str, ...] = ()) -> Judged:  # fmt: skip
    ballot = replace(one.ballots[0], row={
        **one.ballots[0].row, "reason": {"code": "9", "text": FOR_NOW},
    })  # fmt: skip
    outcome = Outcome(one.uri, "stands", None, tuple(("rotate", part) for part in parts),
                      (ballot.leaf,))  # fmt: skip
    shown = [{"rule": RULE, "first_seen": NOW}]
    dossier = {**one.dossier, "of": of, "subject": subject, "findings": shown}
    return replace(one, outcome=outcome, dossier=dossier, ballots=[ballot])


def test_what_was_not_shown_is_cleared_or_is_another_s_is_not_accepted(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    row = finding_row(RULE, "u1")
    others = [row | {"first_seen": LATER}, row | {"rule": "unused"}, row | {"identity": "u2"},
              row | {"source": "testbed:t2"}, row | {"cleared_at": LATER}]  # fmt: skip
    assert accepted(pack, scene, tmp_path, row, *others) == [True] + [False] * 5


def test_a_part_that_is_changed_is_not_accepted_nor_is_more_than_the_item(
    pack: Path, scene: Scene, tmp_path: Path
) -> None:
    rows = [finding_row(RULE, "u1", subject_kind="credential", subject=key) for key in "ab"]
    whole = finding_row(RULE, "u1")
    assert accepted(pack, scene, tmp_path / "1", *rows, whole, parts=("a",)) == [False, True, True]
    assert accepted(pack, scene, tmp_path / "2", *rows, whole, of="credential", subject="b") == [
        False, True, False,
    ]  # fmt: skip


def test_beyond_the_cap_nothing_is_suppressed_and_that_is_told(
    opened: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_accepted, "MAX_ITEMS", 0)
    decided(opened, FOR_NOW)
    found = run(opened, tmp_path)
    assert not suppressions(found)
    (notice,) = found["invocations"][0]["toolExecutionNotifications"]
    assert notice["message"]["text"].startswith("Of 1 item more the risk is accepted")


@pytest.mark.ci
def test_the_schema_of_oasis_takes_a_suppression(opened: Scene, tmp_path: Path) -> None:
    import jsonschema_rs

    decided(opened, FOR_NOW, changes=(Change("revoke", "u1-key", None, None),))
    run(opened, tmp_path)
    text = next(tmp_path.glob("p*/exports/findings.sarif")).read_text()
    assert '"status":"accepted"' in text
    validator = jsonschema_rs.validator_for(oasis())
    assert not [e.message for e in validator.iter_errors(json.loads(text))]
