"""Findings stay the same findings: first seen once, cleared and come back, never made anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from passmuster import policy
from passmuster.config import Settings
from passmuster.errors import MusterError
from passmuster.policy import _evaluate, _rulebook

if TYPE_CHECKING:
    from tests.policy.conftest import Estate

OLD = "2024-02-01T00:00:00Z"
MONDAY, TUESDAY, FRIDAY = (f"2026-11-{day}T00:00:00Z" for day in ("23", "24", "27"))


def _rows(estate: Estate, rule: str = "unused") -> list[tuple[Any, ...]]:
    return list(
        estate.db.execute(
            "SELECT id, subject_id, detail, first_seen, cleared_at FROM finding WHERE rule = ?"
            " ORDER BY id",
            (rule,),
        )
    )


def test_a_finding_keeps_its_row_when_it_goes_and_comes_back(estate: Estate) -> None:
    subject = estate.identity("x", last_used_state="never", created_at=OLD)
    estate.evaluate(MONDAY)
    ((row, _, _, first, cleared),) = _rows(estate)
    assert (first, cleared) == (MONDAY, None)

    estate.db.execute("UPDATE identity SET status = 'disabled' WHERE id = ?", (subject,))
    estate.evaluate(TUESDAY)
    assert [(r[0], r[3], r[4]) for r in _rows(estate)] == [(row, MONDAY, TUESDAY)]
    estate.evaluate(FRIDAY)
    assert _rows(estate)[0][4] == TUESDAY, "the day on which it went stays"

    estate.db.execute("UPDATE identity SET status = 'enabled' WHERE id = ?", (subject,))
    estate.evaluate(FRIDAY)
    assert [(r[0], r[3], r[4]) for r in _rows(estate)] == [(row, MONDAY, None)]


def test_a_detail_follows_the_facts(estate: Estate) -> None:
    subject = estate.identity("x", last_used_state="known", last_used_at="2026-01-01T00:00:00Z")
    estate.evaluate(MONDAY)
    estate.db.execute(
        "UPDATE identity SET last_used_at = '2026-02-02T00:00:00Z' WHERE id = ?", (subject,)
    )
    estate.evaluate(TUESDAY)
    ((_, _, detail, first, _),) = _rows(estate)
    assert detail.startswith("last used 2026-02-02")
    assert first == MONDAY


def test_nothing_is_written_when_nothing_changed(busy: Estate) -> None:
    """Also a day later: no detail counts days, so nothing looks changed that is not."""
    busy.evaluate(MONDAY)
    busy.db.execute("CREATE TEMP TABLE touched (what TEXT)")
    for table in ("finding", "listing"):
        for verb in ("INSERT", "UPDATE", "DELETE"):
            busy.db.execute(
                f"CREATE TEMP TRIGGER {table}_{verb} AFTER {verb} ON main.{table}"
                f" BEGIN INSERT INTO touched VALUES ('{verb} {table}'); END"
            )
    busy.evaluate(TUESDAY)
    assert busy.db.execute("SELECT * FROM touched").fetchall() == []


def test_every_rule_hits_in_the_busy_estate(busy: Estate) -> None:
    assert {rule: run.hits for rule, run in busy.evaluate().items() if not run.hits} == {}


def test_a_rule_that_lost_its_facts_leaves_its_findings(estate: Estate) -> None:
    estate.identity("x", last_used_state="never", created_at=OLD)
    estate.evaluate(MONDAY)
    before = _rows(estate)
    estate.db.execute("UPDATE import_run SET supplies = '[]'")
    assert estate.evaluate(TUESDAY)["unused"].hits is None
    assert _rows(estate) == before


def test_findings_of_a_rule_that_is_gone_are_cleared(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.identity("x", last_used_state="never", created_at=OLD)
    estate.evaluate(MONDAY)
    fewer = {k: v for k, v in policy.load_rules().items() if k != "unused"}
    for module in (_evaluate, _rulebook):
        monkeypatch.setattr(module, "load_rules", lambda: fewer)
    estate.evaluate(TUESDAY)
    assert [row[4] for row in _rows(estate)] == [TUESDAY]
    assert estate.db.value("SELECT count(*) FROM rule_run WHERE rule = 'unused'") == 0


def test_a_rule_that_fails_leaves_everything_as_it_was(
    busy: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy.evaluate(MONDAY)
    before = list(busy.db.execute("SELECT * FROM finding"))
    broken = policy.parse(
        b"-- title: x\n-- severity: low\n-- subject: identity\n-- why: x\n-- fix: x\n"
        b"SELECT id AS subject_id, id AS identity_id, missing AS detail FROM identity", "zz"
    )  # fmt: skip
    rules = {**policy.load_rules(), "zz": broken}
    for module in (_evaluate, _rulebook):
        monkeypatch.setattr(module, "load_rules", lambda: rules)
    busy.db.execute("UPDATE identity SET status = 'disabled'")
    with pytest.raises(MusterError, match="rule zz cannot run: no such column: missing"):
        policy.evaluate(busy.db, Settings(), TUESDAY)
    assert list(busy.db.execute("SELECT * FROM finding")) == before
    assert not busy.db.in_transaction


def test_rule_runs_keep_text_and_thresholds(estate: Estate) -> None:
    estate.evaluate(MONDAY, unused={"max_days": 45})
    rule = policy.load_rules()["unused"]
    assert estate.db.one("SELECT ran_at, sql_sha256, params, hits FROM rule_run"
                         " WHERE rule = 'unused'") == (
        MONDAY, rule.sha256, '{"max_days": 45}', 0,
    )  # fmt: skip


def test_the_listing_has_every_identity_and_says_who_owns_it(estate: Estate) -> None:
    estate.row("person", uid="ann", email="ann@example.com", display_name="Ann")
    estate.row("team", uid="t", display_name="Platform")
    plain, absent = estate.identity("Plain"), estate.identity("gone", absent_since=OLD)
    estate.identity("group", kind="group")
    by_tag = estate.identity("by tag")
    estate.row("owner", identity_id=by_tag, handle="whoever")
    both = estate.identity("both", environment="live")
    estate.row("owner", identity_id=both, handle="whoever", role="technical")
    estate.row("owner", identity_id=both, handle="p", team_uid="t", role="technical")
    assigned = estate.identity("assigned")
    estate.row("owner", identity_id=assigned, handle="t", team_uid="t", origin="tag")
    estate.row("owner", identity_id=assigned, handle="a", person_uid="ann", origin="assigned")
    estate.row("owner", identity_id=plain, handle="ann", person_uid="ann", absent_since=OLD)
    estate.evaluate()
    owners = dict(estate.db.execute(
        "SELECT name, coalesce(owner, '-') || ' ' || coalesce(owner_state, '-') FROM listing"
    ))  # fmt: skip
    assert owners == {
        "Plain": "- -", "gone": "- -", "group": "- -", "by tag": "whoever unmatched",
        "both": "Platform known", "assigned": "ann@example.com known",
    }  # fmt: skip
    row = estate.db.one("SELECT absent_since, source FROM listing WHERE identity_id = ?", (absent,))
    assert row == (OLD, "aws:111122223333")
    assert estate.db.value("SELECT environment FROM listing WHERE identity_id = ?", (both,)) == (
        "live"
    )


def test_reasons_name_the_rules_of_the_open_findings(busy: Estate) -> None:
    busy.evaluate()
    for identity_id, reasons, count in busy.db.execute(
        "SELECT identity_id, reasons, findings FROM listing"
    ).fetchall():
        found = [rule for (rule,) in busy.db.execute(
            "SELECT rule FROM finding WHERE identity_id = ? AND cleared_at IS NULL", (identity_id,)
        )]  # fmt: skip
        assert policy.rules_of(reasons) == sorted(set(found))
        assert count == len(found)


def test_findings_come_riskiest_first_with_what_the_rule_says(busy: Estate) -> None:
    busy.evaluate()
    every = list(policy.findings(busy.db))
    assert [f["risk"] for f in every] == sorted((f["risk"] for f in every), reverse=True)
    assert {f["rule"] for f in every} == set(policy.load_rules())
    (found,) = policy.findings(busy.db, rule="owner-departed")
    assert found["name"] == "owned"
    assert found["fix"]
    assert "owasp-nhi NHI1:2025" in found["controls"]
    assert {f["severity"] for f in policy.findings(busy.db, severity="critical")} == {"critical"}
    key = next(policy.findings(busy.db, rule="never-expires"))
    assert key["subject_kind"] == "credential"
    assert key["subject"].startswith("credential-")
    busy.db.execute("UPDATE identity SET status = 'disabled'")
    busy.evaluate()
    (off,) = policy.findings(busy.db)
    assert off["rule"] == "emergency-unreviewed", "it asks what is switched off too"
    assert len(list(policy.findings(busy.db, cleared=True))) == len(every)
    with pytest.raises(MusterError, match="did you mean unused"):
        list(policy.findings(busy.db, rule="unusd"))
