"""The rules as files: headers, thresholds, controls, needs, and what no rule may judge.

What each of them hits is in `test_hits_inventory.py` and `test_hits_conduct.py`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from passmuster import policy
from passmuster.config import Settings
from passmuster.errors import UsageError
from passmuster.model import SEVERITIES
from passmuster.policy._rulebook import NEEDS, catalogue

if TYPE_CHECKING:
    from tests.policy.conftest import Estate

RULES = policy.load_rules()
OLD, NEW = "2024-02-01T00:00:00Z", "2026-11-15T00:00:00Z"


def test_every_rule_of_the_catalogue_has_a_file_and_the_other_way_round() -> None:
    assert {r["id"]: r["title"] for r in catalogue()["rule"]} == {
        r.id: r.title for r in RULES.values()
    }


def test_every_mapped_control_exists() -> None:
    for rule in RULES.values():
        served = policy.controls(rule)
        assert len(served) == len(rule.controls) > 0
        assert all(c["title"] and c["fit"] in ("direct", "partial", "indirect") for c in served)


def test_defaults_in_the_files_are_those_of_the_catalogue() -> None:
    for entry in catalogue()["rule"]:
        assert RULES[entry["id"]].params == entry.get("default", {}), entry["id"]


def test_every_number_has_a_source() -> None:
    for rule in RULES.values():
        assert set(rule.sources) == set(rule.params)
        assert all(rule.sources.values())
        assert set(re.findall(r"(?<!:):([a-z_]+)\b", _code(rule.sql))) <= {"now", *rule.params}


def _code(sql: str) -> str:
    return re.sub(r"'[^']*'|--[^\n]*", "", sql)


def test_only_an_exposed_secret_and_a_broken_decision_are_critical() -> None:
    critical = {r.id for r in RULES.values() if r.severity == "critical"}
    assert critical == {"secret-exposed", "reactivated"}
    assert all(r.severity in SEVERITIES for r in RULES.values())


def test_thresholds_say_who_states_them() -> None:
    assert all(t["stated_by"] and t["value"] >= 0 for t in policy.thresholds())


def test_a_rule_without_its_facts_is_not_evaluated_and_never_zero(estate: Estate) -> None:
    estate.db.execute("DELETE FROM import_run")
    estate.run(["usage"])
    runs = estate.evaluate()
    assert runs["unused"].hits == 0
    for rule in RULES.values():
        if rule.needs != ("usage",):
            assert runs[rule.id].hits is None
            assert runs[rule.id].not_evaluated
    assert runs["no-owner"].not_evaluated == NEEDS["owner"]
    assert policy.not_evaluated(estate.db) == {
        r.rule: r.not_evaluated for r in runs.values() if r.not_evaluated
    }
    stored = dict(estate.db.execute("SELECT rule, not_evaluated FROM rule_run WHERE hits IS NULL"))
    assert stored == policy.not_evaluated(estate.db)


@pytest.mark.parametrize(
    ("rules", "hint"),
    [
        ({"unusd": {"max_days": 1}}, "did you mean unused?"),
        ({"unused": {"max_day": 1}}, "did you mean max_days?"),
        ({"privileged": {"max_days": 1}}, "it has none"),
    ],
)
def test_a_threshold_of_nothing_is_refused(
    estate: Estate, rules: dict[str, dict[str, int]], hint: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(hint)):
        policy.evaluate(estate.db, Settings(rules=rules), NEW)
    assert estate.db.value("SELECT count(*) FROM rule_run") == 0


_REST = "-- subject: identity\n-- why: x\n-- fix: x\n"


@pytest.mark.parametrize(
    ("header", "complaint"),
    [
        ("-- titel: x\n", "did you mean title?"),
        ("-- title: x\n", "no `-- severity:`"),
        (f"-- title: x\n-- severity: hihg\n{_REST}", "did you mean high?"),
        (f"-- title: x\n-- severity: high\n-- params: max_days\n{_REST}", "params are written"),
        (f"-- title: x\n-- severity: high\n-- needs: usages\n{_REST}", "did you mean usage?"),
    ],
)
def test_a_wrong_header_says_what_is_wrong(header: str, complaint: str) -> None:
    with pytest.raises(UsageError, match=re.escape(complaint)):
        policy.parse(header.encode(), "mine")


def test_no_rule_judges_groups_the_absent_the_disabled_or_the_platforms_own(estate: Estate) -> None:
    """Every one of these would be hit by half the rules if it were an ordinary identity."""
    bad = {"last_used_state": "never", "created_at": OLD, "is_privileged": 1, "supplier": "acme",
           "created_by": "automation:terraform"}  # fmt: skip
    for values in (
        {"kind": "group"},
        {"absent_since": OLD},
        {"status": "disabled"},
        {"status": "deleted"},
        {"kind": "role", "uid": "arn:aws:iam::1:role/aws-service-role/ecs.amazonaws.com/X"},
        {"display_name": "system:kube-scheduler"},
    ):
        subject = estate.identity("x", **{"uid": str(values), **bad, **values})
        estate.row("credential", identity_id=subject, expires_state="none", created_at=OLD)
        estate.row("trust", identity_id=subject, is_wildcard=1)
        for consumer in ("a", "b"):
            estate.row("usage", identity_id=subject, consumer=consumer)
        estate.row("usage", identity_id=subject, consumer_kind="person")
        estate.row("sighting", identity_id=subject)
    estate.evaluate()
    assert estate.db.execute("SELECT rule, detail FROM finding").fetchall() == []
    pod = estate.identity("system:serviceaccount:ns:app", last_used_state="never", created_at=OLD)
    assert set(estate.hits("unused")) == {pod}
