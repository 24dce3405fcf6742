"""What a screen or an evaluation asks often must use an index; a plan that changes is seen here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from passmuster import policy
from passmuster.config import Settings
from passmuster.filters import FRAME, compile_filter
from passmuster.policy import _hits, _identities
from passmuster.policy._identities import ordered

if TYPE_CHECKING:
    from tests.policy.conftest import Estate

NOW = "2026-11-22T00:00:00Z"


def _plan(estate: Estate, sql: str, params: object = ()) -> list[str]:
    return [row[3] for row in estate.db.execute(f"EXPLAIN QUERY PLAN {sql}", params)]


def _queue(expression: str) -> tuple[str, list[str | int]]:
    found = compile_filter(expression, NOW)
    sql = f"SELECT l.identity_id {FRAME} WHERE {found.sql} ORDER BY l.risk DESC, l.identity_id"
    return sql, found.params


def test_the_plain_list_reads_one_covering_index(estate: Estate) -> None:
    """And neither the inventory nor the sources: SQLite leaves out joins that nobody asks for."""
    plan = _plan(estate, *_queue(""))
    assert plan == ["SCAN l USING COVERING INDEX listing_risk"]


@pytest.mark.parametrize(
    ("expression", "step"),
    [
        ("kind:service", "SEARCH l USING COVERING INDEX listing_kind (kind=?)"),
        ("owner:none", "SEARCH l USING INDEX listing_owner (owner=?)"),
        ("risk:>=70", "SEARCH l USING COVERING INDEX listing_risk (risk>?)"),
        ("finding:unused", "SEARCH f USING COVERING INDEX finding_rule (rule=?)"),
        ("reviewed:>90d", "SEARCH d USING INDEX decision_identity"),
        ("AKIA1", "SEARCH c USING INDEX sqlite_autoindex_credential_1 (source_id=? AND uid=?)"),
    ],
)
def test_a_filter_uses_its_index(estate: Estate, expression: str, step: str) -> None:
    plan = _plan(estate, *_queue(expression))
    assert any(line.startswith(step) for line in plan), plan


def test_the_findings_of_one_identity_are_looked_up(estate: Estate) -> None:
    plan = _plan(estate, "SELECT rule FROM finding WHERE identity_id = 1 AND cleared_at IS NULL")
    assert plan == ["SEARCH finding USING COVERING INDEX finding_identity (identity_id=?)"]


@pytest.mark.parametrize("rule", policy.load_rules().values(), ids=policy.load_rules())
def test_a_rule_reads_each_big_table_once_at_most(estate: Estate, rule: policy.Rule) -> None:
    """Other reads of it are by index; a second scan per row would never end at a million."""
    plan = _plan(estate, rule.sql, rule.where_params(NOW, Settings()))
    big = ("identity", "credential", "grant", "owner", "usage", "decision")
    aliases = {"i": "identity", "c": "credential", "g": "grant", "o": "owner", "u": "usage",
               "d": "decision", "a": "identity"}  # fmt: skip
    scans = [line.split()[1] for line in plan if line.startswith("SCAN ")]
    named = [aliases.get(scan, scan) for scan in scans]
    for table in big:
        assert named.count(table) <= 2, plan
    inside = [line for line in plan if "AUTOMATIC" in line]
    assert all(name not in line for line in inside for name in (" i ", " c ", " g ", " u ")), plan


@pytest.mark.parametrize("backwards", [False, True])
def test_the_first_page_of_the_inventory_needs_no_sort(estate: Estate, backwards: bool) -> None:
    by = ordered("risk", backwards=backwards)
    found = compile_filter("", NOW)
    sql = f"SELECT l.identity_id {FRAME} WHERE {found.sql} ORDER BY {by} LIMIT 200"
    assert _plan(estate, sql, found.params) == ["SCAN l USING COVERING INDEX listing_risk"]


def test_windows_of_identities_and_of_hits_are_read_by_their_ids(estate: Estate) -> None:
    plan = _plan(estate, f"{_identities.ROW} IN (1, 2)")
    assert plan == ["SEARCH listing USING INTEGER PRIMARY KEY (rowid=?)"]
    plan = _plan(estate, f"{_hits.HIT_ROW} IN (1, 2)")
    assert plan == ["SEARCH f USING INTEGER PRIMARY KEY (rowid=?)",
                    "SEARCH l USING INTEGER PRIMARY KEY (rowid=?)"]  # fmt: skip


def test_the_hits_of_a_rule_are_found_by_the_rule_or_down_the_risks(estate: Estate) -> None:
    tail = " ORDER BY l.risk DESC, l.identity_id, f.id LIMIT 200"
    few = _plan(estate, _hits.hits_sql(walk=False) + tail, ("unused",))
    assert few == [
        "SEARCH f USING COVERING INDEX finding_rule (rule=?)",
        "SEARCH l USING INTEGER PRIMARY KEY (rowid=?)", "USE TEMP B-TREE FOR ORDER BY",
    ]  # fmt: skip
    many = _plan(estate, _hits.hits_sql(walk=True) + tail, ("unused",))
    assert many[:2] == [
        "SCAN l USING COVERING INDEX listing_risk",
        "SEARCH f USING COVERING INDEX finding_identity (identity_id=? AND rule=?)",
    ]
    assert many[2:] in ([], ["USE TEMP B-TREE FOR LAST TERM OF ORDER BY"])


def test_counting_the_hits_goes_once_through_the_findings_by_rule(estate: Estate) -> None:
    assert _plan(estate, _hits.BY_RULE, (NOW,)) == ["SCAN finding USING INDEX finding_rule"]


def test_a_count_looks_into_no_table_that_the_filter_does_not_name(estate: Estate) -> None:
    found = compile_filter("owner:none", NOW)
    plan = _plan(estate, _identities.count_sql(found.sql), found.params)
    assert plan == ["CO-ROUTINE (subquery-1)", "SEARCH l USING INDEX listing_owner (owner=?)",
                    "SCAN (subquery-1)"]  # fmt: skip


@pytest.mark.parametrize(("cleared", "terms"), [(False, 2), (True, 3)])
def test_all_findings_come_in_order_without_being_sorted_as_a_whole(
    estate: Estate, cleared: bool, terms: int
) -> None:
    """SQLite sorts in memory, and of a million identities there are some four million."""
    ran: list[str] = []
    with estate.db.aside():
        estate.db.set_trace_callback(ran.append)
        list(policy.findings(estate.db, cleared=cleared))
        estate.db.set_trace_callback(None)
        (sql,) = (one for one in ran if "ORDER BY l.risk" in one)
        plan = _plan(estate, sql)
    assert plan[0] == "SCAN l USING COVERING INDEX listing_risk"
    assert [line for line in plan if "TEMP B-TREE" in line] == [
        f"USE TEMP B-TREE FOR LAST {terms} TERMS OF ORDER BY"
    ]
